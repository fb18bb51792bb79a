"""What the store cannot take now, in memory and in files."""
