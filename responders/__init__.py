"""Drafting, policy, and posting: one file per platform."""
