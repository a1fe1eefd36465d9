"""The stages: listen, assess, draft, decide, act, follow up. Each is a file; ``rounds.py`` runs them."""
