"""Gazetteer, geocoding, neighbourhoods."""
