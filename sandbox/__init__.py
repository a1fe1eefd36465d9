"""A small social network and a CRM over real HTTP, standing in for the real ones in the demo and the tests.

It speaks X API v2, Meta's Graph API and Open311 GeoReport v2 well enough for tweepy, facebook-sdk and a GeoReport
client to notice no difference in what we use, and it can be told to fail in the ways the real ones do. It imports
nothing of ours.
"""
