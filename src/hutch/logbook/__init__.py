"""The electronic logbook: entries, run tables and parameters of an experiment."""
