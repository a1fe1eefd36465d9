"""What a post is about: the transformer, its training and evaluation, language, urgency."""
