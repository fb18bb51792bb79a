"""Every error that hutch raises on purpose, in one tree.

::

    HutchError
    ├── DocumentError (ValueError)         a document or value that cannot be taken
    │   ├── AttachmentTooLargeError        a file that is larger than the logbook takes
    │   └── MetadataError                  start metadata that breaks a rule: every field at once
    ├── LookupFailedError (LookupError)    a look-up that found nothing, or too much
    │   ├── ApiKeyNotFoundError (KeyError)
    │   ├── CatalogNotFoundError (KeyError, AttributeError)
    │   ├── DeviceNotFoundError (KeyError, AttributeError)
    │   ├── EntryNotFoundError (KeyError)      no entry, or no attachment of it
    │   ├── ExperimentNotFoundError (KeyError)
    │   ├── JobNotFoundError (KeyError)
    │   ├── RunNotFoundError (KeyError)
    │   │   └── RunDeletedError            it was there, and was deleted on purpose
    │   ├── RunIndexError (IndexError, KeyError)
    │   ├── RunTableNotFoundError (KeyError)
    │   ├── AmbiguousRunError (KeyError)
    │   ├── StreamNotFoundError (KeyError, AttributeError)
    │   ├── UserNotFoundError (KeyError)
    │   └── WorkflowNotFoundError (KeyError)
    ├── StoreError (OSError)               the store cannot be used as asked
    │   ├── NoStoreError (FileNotFoundError)   nothing is there, or it is no store
    │   ├── StoreVersionError              written by a newer hutch
    │   ├── StoreMovedError                it was moved to another place
    │   ├── NetworkFilesystemError         SQLite must not live there
    │   ├── ReadOnlyStoreError (PermissionError)
    │   ├── StoreFullError                 the disk is full
    │   ├── StoreUnavailableError (ConnectionError)   the server of the database does not answer now
    │   ├── CorruptBatchError              bytes that do not match their checksum
    │   ├── CorruptDocumentError (ValueError)  bytes that are no document
    │   └── FeedPrunedError                a cursor older than the changes that are kept
    ├── AccessDeniedError (PermissionError)     somebody may not do what they ask for
    ├── ExperimentLockedError (PermissionError) nobody may write into the experiment now
    ├── TooManyAttemptsError (PermissionError)  too many wrong passwords; try again later
    ├── RunOwnedError (RuntimeError)       an open run belongs to another live process
    ├── RunHeldError (RuntimeError)        a rule of retention keeps a run from being deleted
    ├── RunClosedError (RuntimeError)      a closed run was told to go on
    ├── ExternalDataError (OSError)        a detector's file is missing or has no handler
    │   └── ForbiddenFileError             it is where no server opens files
    ├── SourceError (OSError)              what the monitor watches cannot be read
    │   ├── SourceChangedError             something else is at its place now
    │   ├── SourceUnavailableError         not at this moment: it is missing, or being written
    │   └── UnknownFormatError             no format reads it
    ├── ImportFileError (ValueError)       a file of documents that cannot be understood
    ├── ListeningError (RuntimeError)      a stream of documents that cannot be listened to
    ├── ElogError (RuntimeError)           a logbook over HTTP does not do what it was asked
    │   ├── ElogFileFormatError (ValueError)        an attachment that is no file's name
    │   └── ElogTriggerError (NotImplementedError)  a trigger that logbooks do not know
    ├── QueryError (ValueError)            a search that cannot be understood
    ├── ConfigurationError (ValueError)
    ├── GeometryError (ValueError)         a file that does not tell where the pixels are
    ├── PluginError (RuntimeError)         what another package publishes cannot be used
    ├── CheckError (ValueError)            a check that does not fit the plot that it looks at
    ├── DevicesFailedError (RuntimeError)  devices that cannot be made or connected
    └── MissingExtraError (ImportError)    an optional dependency is not installed

An error also inherits the builtin that callers expect, keeps its facts as attributes, and says
what happened, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AccessDeniedError",
    "AmbiguousRunError",
    "ApiKeyNotFoundError",
    "AttachmentTooLargeError",
    "CatalogNotFoundError",
    "CheckError",
    "ConfigurationError",
    "CorruptBatchError",
    "CorruptDocumentError",
    "DeviceNotFoundError",
    "DevicesFailedError",
    "DocumentError",
    "ElogError",
    "ElogFileFormatError",
    "ElogTriggerError",
    "EntryNotFoundError",
    "ExperimentLockedError",
    "ExperimentNotFoundError",
    "ExternalDataError",
    "FeedPrunedError",
    "FieldProblem",
    "ForbiddenFileError",
    "GeometryError",
    "HutchError",
    "ImportFileError",
    "JobNotFoundError",
    "ListeningError",
    "LookupFailedError",
    "MetadataError",
    "MissingExtraError",
    "NetworkFilesystemError",
    "NoStoreError",
    "PluginError",
    "QueryError",
    "ReadOnlyStoreError",
    "RunClosedError",
    "RunDeletedError",
    "RunHeldError",
    "RunIndexError",
    "RunNotFoundError",
    "RunOwnedError",
    "SourceChangedError",
    "SourceError",
    "SourceUnavailableError",
    "RunTableNotFoundError",
    "StoreError",
    "StoreFullError",
    "StoreMovedError",
    "StoreUnavailableError",
    "StoreVersionError",
    "StreamNotFoundError",
    "TooManyAttemptsError",
    "UnknownFormatError",
    "UserNotFoundError",
    "WorkflowNotFoundError",
]


class HutchError(Exception):
    """The root of the tree; ``str()`` of any of them is a full sentence for a person."""

    def __str__(self) -> str:
        # KeyError shows repr(message); a person should read the sentence itself.
        return str(self.args[0]) if self.args else type(self).__name__


class DocumentError(HutchError, ValueError):
    """A document, or a value in one, cannot be taken."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong with one field of a start document."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        if self.value is MISSING:
            return f"{self.field!r} is missing: {self.expected}"
        return f"{self.field!r} is {_short(self.value)}: {self.expected}"


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()


class MetadataError(DocumentError):
    """The metadata of a start document breaks a rule.

    :ivar problems: every missing or wrong field, not only the first.
    """

    def __init__(
        self, problems: Sequence[FieldProblem], remedy: str = "", outcome: str = "The run was not started"
    ) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        text = f"{outcome}, its metadata cannot be taken:\n{lines}"
        super().__init__(f"{text}\n{remedy}" if remedy else text)


class AttachmentTooLargeError(DocumentError):
    """A file is larger than the logbook takes.

    :ivar limit_bytes: how large it may be.
    """

    def __init__(self, message: str, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(message)


class LookupFailedError(HutchError, LookupError):
    """A look-up found nothing, or too much."""


class CatalogNotFoundError(LookupFailedError, KeyError, AttributeError):
    """No catalog of this name is configured."""


class DeviceNotFoundError(LookupFailedError, KeyError, AttributeError):
    """There is no device of this name."""


class ExperimentNotFoundError(LookupFailedError, KeyError):
    """No experiment has this name."""


class EntryNotFoundError(LookupFailedError, KeyError):
    """The logbook has no such entry, or the entry no such attachment."""


class RunTableNotFoundError(LookupFailedError, KeyError):
    """The experiment has no run table of this name."""


class WorkflowNotFoundError(LookupFailedError, KeyError):
    """The experiment has no such workflow."""


class JobNotFoundError(LookupFailedError, KeyError):
    """There is no such job."""


class UserNotFoundError(LookupFailedError, KeyError):
    """No user has this name."""


class ApiKeyNotFoundError(LookupFailedError, KeyError):
    """No API key begins so."""


class RunNotFoundError(LookupFailedError, KeyError):
    """No run has this uid, prefix or scan_id."""


class RunDeletedError(RunNotFoundError):
    """The run was there, and somebody deleted it.

    :ivar uid: of the run.
    """

    def __init__(self, message: str, uid: str) -> None:
        self.uid = uid
        super().__init__(message)


class RunIndexError(LookupFailedError, IndexError, KeyError):
    """There are not so many runs."""


class AmbiguousRunError(LookupFailedError, KeyError):
    """A prefix fits several runs.

    :ivar candidates: up to ten of their uids, newest first.
    """

    def __init__(self, message: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(message)


class StreamNotFoundError(LookupFailedError, KeyError, AttributeError):
    """The run has no stream, or the stream no key, of this name."""


class StoreError(HutchError, OSError):
    """The store cannot be used as asked."""


class NoStoreError(StoreError, FileNotFoundError):
    """There is no store at this place, or what is there is no store."""


class StoreVersionError(StoreError):
    """The store was written by a newer hutch."""


class StoreMovedError(StoreError):
    """The store was moved to another place.

    :ivar to: where it is now.
    """

    def __init__(self, message: str, to: str) -> None:
        self.to = to
        super().__init__(message)


class NetworkFilesystemError(StoreError):
    """SQLite must not live on a network file system."""


class ReadOnlyStoreError(StoreError, PermissionError):
    """The store can be read but not written."""


class StoreFullError(StoreError):
    """The disk under the store is full."""


class StoreUnavailableError(StoreError, ConnectionError):
    """The store cannot be reached now, and may be later: its server does not answer, or is starting."""


class CorruptBatchError(StoreError):
    """The bytes of a batch do not match their checksum or are gone, or its columns cannot be told."""


class CorruptDocumentError(StoreError, ValueError):
    """The bytes of a document, or of a value that is kept as one is, can't be read."""


class FeedPrunedError(StoreError):
    """A cursor is older than the changes that are kept: start over."""


class AccessDeniedError(HutchError, PermissionError):
    """Somebody may not do what they ask for."""


class ExperimentLockedError(HutchError, PermissionError):
    """The experiment is locked: nobody may write into it before it is unlocked."""


class TooManyAttemptsError(HutchError, PermissionError):
    """Too many wrong passwords were given for a name.

    :ivar retry_after_s: after how long the next one is looked at.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class RunOwnedError(HutchError, RuntimeError):
    """An open run belongs to another process that is alive."""


class RunHeldError(HutchError, RuntimeError):
    """A rule of retention keeps a run from being deleted."""


class RunClosedError(HutchError, RuntimeError):
    """A run that has ended was told to go on."""


class ExternalDataError(HutchError, OSError):
    """Data outside the store cannot be read: a file is missing, or nothing can open it."""


class ForbiddenFileError(ExternalDataError):
    """A recorded document, or a link in a file, leads to a file that may not be opened here."""


class SourceError(HutchError, OSError):
    """What the monitor watches cannot be read."""


class SourceChangedError(SourceError):
    """Something else is where a source was: a file was replaced or cut short."""


class SourceUnavailableError(SourceError):
    """A source cannot be read at this moment: its file is missing, half-written, or held by its writer."""


class UnknownFormatError(SourceError):
    """No format reads a file, or the file lacks what its format needs."""


class ImportFileError(HutchError, ValueError):
    """A file is not a list of documents."""


class ListeningError(HutchError, RuntimeError):
    """A stream of documents cannot be listened to: nobody is there, or somebody else does it."""


class ElogError(HutchError, RuntimeError):
    """A logbook over HTTP cannot be reached, or does not do what it was asked."""


class ElogFileFormatError(ElogError, ValueError):
    """What shall be attached to an entry is neither a file's path nor a pair of path and description."""


class ElogTriggerError(ElogError, NotImplementedError):
    """Logbooks do not know such a trigger of workflows."""


class QueryError(HutchError, ValueError):
    """A search that cannot be understood: an unknown operator, a value of a wrong type, a reversed range."""


class ConfigurationError(HutchError, ValueError):
    """A setting is unknown or has a value that cannot be used."""


class GeometryError(HutchError, ValueError):
    """A file does not tell where the pixels of a detector are.

    :ivar path: of the file.
    """

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"No pixel geometry in {str(path)!r}: {why}. "
            "Set PIXEL_GEOMETRY_PATH to a YAML file of larpix-geometry, one tile's or several tiles'."
        )

    def __reduce__(self) -> tuple[type[GeometryError], tuple[Path, str]]:
        # It comes from a worker process.
        return type(self), (self.path, self.why)


class PluginError(HutchError, RuntimeError):
    """Something that another package publishes cannot be loaded, or is not what it should be."""


class CheckError(HutchError, ValueError):
    """A check asks a plot for what it has not, or compares what cannot be compared."""


class DevicesFailedError(HutchError, RuntimeError):
    """Devices cannot be made or connected.

    :ivar failures: why, by name.
    """

    def __init__(self, message: str, failures: Mapping[str, str]) -> None:
        self.failures = dict(failures)
        super().__init__(message)


class MissingExtraError(HutchError, ImportError):
    """An optional dependency is needed and not installed."""


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
