"""What is served: the staff console, the residents' page, the JSON API, and the doors for machines."""
