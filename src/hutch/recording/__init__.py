"""Documents in: from a RunEngine, a program or a file into the store, whatever happens."""

from hutch.recording.recorder import Recorder

__all__ = ["Recorder"]
