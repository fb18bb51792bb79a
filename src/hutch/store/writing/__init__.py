"""Transactions of a store, the same for every database."""
