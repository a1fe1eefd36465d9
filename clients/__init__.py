"""What a listener and a responder of one platform share."""
