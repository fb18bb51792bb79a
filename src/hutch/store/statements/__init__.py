"""The SQL that is run, made once."""
