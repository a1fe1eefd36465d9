"""What managers read: how much of what, and how it changes. Counts come from roll-ups, never from mentions."""
