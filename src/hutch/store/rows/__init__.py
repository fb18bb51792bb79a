"""What goes into a store and comes out, as rows: of runs, the index, access, the logbook, the monitor."""
