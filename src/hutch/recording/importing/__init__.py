"""Documents and metadata from files."""
