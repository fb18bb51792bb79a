"""Documents in: from a RunEngine, a program or a file into the store, whatever happens."""

from hutch.recording.committing.committer import finish
from hutch.recording.recorder import Recorder
from hutch.recording.session import RecordedRun, start_run

__all__ = ["RecordedRun", "Recorder", "finish", "start_run"]
