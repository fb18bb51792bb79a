"""Rules of what metadata must hold, and files of them."""
