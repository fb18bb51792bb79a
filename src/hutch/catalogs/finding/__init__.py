"""Runs that are found: looked up, chosen, sorted and counted."""
