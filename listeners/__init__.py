"""One file per platform: reads what residents write."""
