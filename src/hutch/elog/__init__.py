"""The functions with which analysis programs speak to an electronic logbook over HTTP."""
