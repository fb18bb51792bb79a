"""The monitor at work: cycles, the worker processes, what plots have accumulated in them, and pictures."""
