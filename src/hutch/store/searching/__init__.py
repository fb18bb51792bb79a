"""Searches: which runs can fulfil a condition, found by the index and checked against their documents."""
