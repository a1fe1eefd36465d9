"""What the pages for staff and residents read: values, never rows, a few queries a page."""
