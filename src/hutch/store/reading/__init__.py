"""Questions to a store, the same for every database."""
