"""What a verification can find: kinds that never change their names, how bad each is, what helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["DOUBTFUL", "LOST", "Finding", "Kind", "Repair", "Severity", "Verification"]

LOST = "lost: the batch that held them was damaged"
"""Reason of a mark that a repair leaves where it could not save events."""

DOUBTFUL = "doubtful: their batch did not match its checksum"
"""Reason of a mark that a repair leaves where events can be read and may not be what was recorded."""


class Severity(StrEnum):
    """How bad something is."""

    ERROR = "error"
    """Damaged, gone, or not to be found."""
    NOTE = "note"
    """As it came, or known already; somebody should know."""


class Kind(StrEnum):
    """What a finding is about."""

    DATABASE = "database"
    UNREADABLE = "unreadable-document"
    WRONG_UID = "wrong-uid"
    NO_DESCRIPTOR = "missing-descriptor"
    NO_SEGMENT = "missing-segment"
    CHECKSUM = "checksum"
    NO_BATCH = "missing-batch"
    FACTS = "batch-facts"
    COLUMNS = "columns"
    ARRIVALS = "arrivals"
    DUPLICATES = "duplicates"
    GAP = "missing-events"
    COUNT = "count"
    NO_LEAVES = "missing-index"
    STRANGE_LEAVES = "excess-index"
    DISCARDED = "discarded-file"
    UNCOMMITTED = "uncommitted-file"
    CHAIN = "entry-chain"
    ENTRY = "entry"
    ATTACHMENT = "attachment"

    LOST = "lost-events"
    DOUBTFUL = "doubtful-events"
    INTERRUPTED = "interrupted"
    DEAD_OWNER = "dead-owner"
    NONCONFORMING = "nonconforming"
    QUARANTINE = "quarantine"
    REFUSED = "refused-events"
    SKIPPED = "skipped-numbers"
    TAKEN_AGAIN = "more-events"
    LOOSE = "loose-file"
    STRANGE = "strange-file"
    YOUNG = "young-file"
    PUT_AWAY = "lost+found"
    SPOOLED = "spooled"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return _ABOUT[self].severity

    @property
    def is_repairable(self) -> bool:
        """Tell whether ``hutch verify --repair`` does something about it."""
        return _ABOUT[self].is_repairable


class _About(NamedTuple):
    severity: Severity
    is_repairable: bool
    remedy: str
    """What a repair does, else what a person can do; in it ``{run}`` stands for the uid."""


_BACKUP = "No repair can: restore it from a backup"
_KEPT = "Nothing needs to be done: it is kept as it came"

_ABOUT = {
    Kind.DATABASE: _About(Severity.ERROR, False, "No repair can: restore the store from a backup"),
    Kind.UNREADABLE: _About(Severity.ERROR, False, _BACKUP),
    Kind.WRONG_UID: _About(Severity.ERROR, False, _BACKUP),
    Kind.NO_DESCRIPTOR: _About(Severity.ERROR, False, _BACKUP),
    Kind.NO_SEGMENT: _About(Severity.ERROR, False, _BACKUP),
    Kind.CHECKSUM: _About(
        Severity.ERROR,
        True,
        "A repair keeps the events that can be read, marks them as doubtful and the others as lost, and "
        "puts the damaged bytes away; a backup may have them whole",
    ),
    Kind.NO_BATCH: _About(
        Severity.ERROR,
        True,
        "Put it back from a backup if there is one; a repair marks its events as lost, so that the rest of "
        "the run can be read",
    ),
    Kind.FACTS: _About(Severity.ERROR, True, "A repair takes the numbers from the batch itself"),
    Kind.COLUMNS: _About(Severity.ERROR, False, _BACKUP),
    Kind.ARRIVALS: _About(Severity.ERROR, False, _BACKUP),
    Kind.DUPLICATES: _About(
        Severity.ERROR, True, "A repair removes those that are the same, and leaves those that differ"
    ),
    Kind.GAP: _About(Severity.ERROR, False, _BACKUP),
    Kind.COUNT: _About(Severity.ERROR, False, _BACKUP),
    Kind.NO_LEAVES: _About(Severity.ERROR, True, "A repair, or hutch reindex, makes them from the documents"),
    Kind.STRANGE_LEAVES: _About(Severity.ERROR, True, "A repair, or hutch reindex, removes them"),
    Kind.DISCARDED: _About(Severity.ERROR, True, "A repair takes it off the list of files to be deleted"),
    Kind.UNCOMMITTED: _About(
        Severity.ERROR,
        True,
        "A repair brings the events into their run; where it can't tell their place it puts the file away",
    ),
    Kind.CHAIN: _About(
        Severity.ERROR, False, "Compare the logbook with a backup: something in it was changed or removed"
    ),
    Kind.ENTRY: _About(
        Severity.ERROR,
        True,
        "A repair makes it what its versions say, and leaves one that is gone: a backup has it",
    ),
    Kind.ATTACHMENT: _About(Severity.ERROR, False, "No repair can: put it back from a backup"),
    Kind.LOST: _About(
        Severity.NOTE, False, "A backup may have them; what a repair found of them is in quarantine"
    ),
    Kind.DOUBTFUL: _About(Severity.NOTE, False, "Compare them with a backup, or with what you know"),
    Kind.INTERRUPTED: _About(
        Severity.NOTE, False, "Import what its recorder left, if anything, or end it with: hutch close {run}"
    ),
    Kind.DEAD_OWNER: _About(Severity.NOTE, True, "A repair lets the run go; end it with: hutch close {run}"),
    Kind.NONCONFORMING: _About(Severity.NOTE, False, _KEPT),
    Kind.QUARANTINE: _About(Severity.NOTE, False, "Look at it with: hutch show {run} --json"),
    Kind.REFUSED: _About(Severity.NOTE, False, "Look at them with: hutch show {run} --json"),
    Kind.SKIPPED: _About(Severity.NOTE, False, _KEPT),
    Kind.TAKEN_AGAIN: _About(Severity.NOTE, False, _KEPT),
    Kind.LOOSE: _About(Severity.NOTE, True, "A repair deletes it"),
    Kind.STRANGE: _About(Severity.NOTE, True, "A repair moves it to the folder lost+found below the files"),
    Kind.YOUNG: _About(Severity.NOTE, False, "Wait: whoever wrote it may be about to name it"),
    Kind.PUT_AWAY: _About(Severity.NOTE, False, "Look at them, and delete what nobody needs"),
    Kind.SPOOLED: _About(
        Severity.NOTE, True, "A repair takes it in, and so does the next program that records here"
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    kind: Kind
    text: str
    run: str | None = None
    """Uid of the run; None if it is about the whole store."""
    scan_id: int | None = None
    file: str | None = None
    """Name of the Arrow file that it is about, below the store's folder of files."""

    @property
    def is_error(self) -> bool:
        """Tell whether something is damaged, gone, or not to be found."""
        return self.kind.severity is Severity.ERROR

    @property
    def remedy(self) -> str:
        """What a repair does about it, or a person can do."""
        return _ABOUT[self.kind].remedy.format(run=self.run)

    def __str__(self) -> str:
        return _placed(self.text, self.run, self.scan_id)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind.value,
            "severity": self.kind.severity.value,
            "text": self.text,
            "run": self.run,
            "scan_id": self.scan_id,
            "file": self.file,
            "repairable": self.kind.is_repairable,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Repair:
    """One thing that a repair did, or left alone and why."""

    kind: Kind
    """Of what was found."""
    text: str
    run: str | None = None
    scan_id: int | None = None
    is_done: bool = True
    """False if it had to be left."""

    def __str__(self) -> str:
        return _placed(self.text, self.run, self.scan_id)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind.value,
            "text": self.text,
            "run": self.run,
            "scan_id": self.scan_id,
            "done": self.is_done,
        }


@dataclass
class Verification:
    """What the verification of a store found, and a repair did."""

    store: str
    """Where the store is."""
    runs: int = 0
    documents: int = 0
    """Start, stop and other documents that are no events."""
    events: int = 0
    batches: int = 0
    size_bytes: int = 0
    """Of all batches, in the database and in files."""
    findings: list[Finding] = field(default_factory=list)
    """After a repair, what is still so."""
    repairs: list[Repair] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What is damaged or gone."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def notes(self) -> list[Finding]:
        """What is as it came, or known already, and worth knowing."""
        return [finding for finding in self.findings if not finding.is_error]

    @property
    def losses(self) -> list[Finding]:
        """What a repair could not save, before or now."""
        return [finding for finding in self.findings if finding.kind is Kind.LOST]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is damaged or gone, beyond what is marked as lost."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it; the keys are told in ``docs/how-to/verify.md``."""
        return {
            "store": self.store,
            "is_sound": self.is_sound,
            "runs": self.runs,
            "documents": self.documents,
            "events": self.events,
            "batches": self.batches,
            "size_bytes": self.size_bytes,
            "findings": [finding.to_json() for finding in self.findings],
            "repairs": [repair.to_json() for repair in self.repairs],
        }


def _placed(text: str, run: str | None, scan_id: int | None) -> str:
    if run is None:
        return text
    name = run[:8] if scan_id is None else f"{scan_id} ({run[:8]})"
    return f"Run {name}: {text}"
