"""Alder Falls, our made-up city, as data: see README.md."""
