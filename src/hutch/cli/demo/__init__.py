"""``hutch demo``: a beamline that does not exist, and all that hutch does for it."""
