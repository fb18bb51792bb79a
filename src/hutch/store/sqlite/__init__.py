"""A store that is a folder: SQLite, its write-ahead log and checkpoints."""
