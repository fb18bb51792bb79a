"""The monitor: what the data of a run that is going are worth, in pictures and verdicts."""
