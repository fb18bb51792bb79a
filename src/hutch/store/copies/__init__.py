"""Copies of stores: backups, what is restored from them, and stores that move."""
