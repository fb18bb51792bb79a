"""Proof that a logbook has what was written: chains are followed, attachments read, entries compared.

A version that was changed, or taken out, breaks the chain of its experiment; the end of the chain is noted
apart. What entries say now, and what they are found by, must follow from their last versions.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hutch.catalogs.care.findings import Finding, Kind
from hutch.documents import decode
from hutch.errors import CorruptBatchError
from hutch.store.protocols.store import Store
from hutch.store.rows.logbook import BlobRow, EntryRow, VersionRow
from hutch.store.statements.entry_terms import terms_of
from hutch.store.writing.entry_chain import FIRST, link

__all__ = ["check_logbook", "mend_entries"]

_AT_ONCE = 1000
_TERMS_AT_ONCE = 50_000
_CHUNK_BYTES = 2**20
_WHOLE = 2**64


def check_logbook(store: Store) -> tuple[list[Finding], set[str], list[int]]:
    """Check the logbook of a store.

    :returns: what was found; the names of files that attachments are in; the numbers of entries whose rows
        do not follow from their versions.
    """
    findings: list[Finding] = []
    named: dict[str, str] = {}
    for experiment in store.logbooks():
        findings += _check_chain(store, experiment, named)
    wrong = _wrong_entries(store)
    findings += [Finding(Kind.ENTRY, f"Entry {entry} {_why_wrong(store, entry)}") for entry in wrong]
    files: set[str] = set()
    last = 0
    while blobs := store.blobs_after(last, _AT_ONCE):
        last = blobs[-1].id
        files |= {blob.file for blob in blobs if blob.file is not None}
        for blob in blobs:
            named.pop(blob.digest, None)
            reason = _check_blob(store, blob)
            if reason is not None:
                findings.append(
                    Finding(Kind.ATTACHMENT, f"Attachment {blob.digest} {reason}", file=blob.file)
                )
    findings += [
        Finding(Kind.ATTACHMENT, f"Attachment {digest} is gone from the database. {version} has it")
        for digest, version in named.items()
    ]
    return findings, files, wrong


def mend_entries(store: Store, entries: list[int]) -> None:
    """Make rows of entries, and what they are found by, what their last versions say."""
    for entry in entries:
        with store.transaction() as writer:
            versions = store.versions(entry)
            row = store.entry(entry)
            if not versions or row is None:
                continue
            writer.lock(f"logbook/{row.experiment}")
            body = decode(versions[-1].body)
            said = _said(row, versions)
            writer.set_entry(entry, said.version, body["run_num"], said.edited, said.deleted)
            writer.sign_entry(entry, said.time, said.author)
            wanted = set() if said.deleted is not None else terms_of(body, said.author)
            there = set(store.terms_of_entry(row.experiment, entry))
            writer.remove_terms(row.experiment, entry, there - wanted)
            writer.add_terms(row.experiment, entry, wanted - there)


# chains


def _check_chain(store: Store, experiment: str, named: dict[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the chain of an experiment; after the first break it goes on from there.

    :param named: gets the digests of the attachments of all versions, and a version that has each.
    """
    noted = store.chain(experiment)
    number, before = 0, FIRST
    while versions := store.versions_after(experiment, number, _AT_ONCE):
        for row in versions:
            if row.number != number + 1:
                text = f"versions {number + 1} to {row.number - 1} are gone"
                yield Finding(Kind.CHAIN, f"In the logbook of {experiment!r} {text}")
            elif row.before != before:
                yield Finding(Kind.CHAIN, f"{_named(row)} does not follow on the one before it")
            if _digest(row) != row.digest:
                yield Finding(Kind.CHAIN, f"{_named(row)} is not what was written")
            named.update((digest, _named(row)) for digest in _attached(row))
            number, before = row.number, row.digest
    # Others may have written meanwhile: the end was there before, and is noted by now.
    head = store.chain(experiment)
    if head is None or (noted is not None and noted.number > number):
        last = "none" if head is None or noted is None else str(noted.number)
        text = f"ends at version {number}, and was noted to end at {last}"
        yield Finding(Kind.CHAIN, f"The logbook of {experiment!r} {text}")
    elif head.number < number or (head.number == number and head.digest != before):
        yield Finding(Kind.CHAIN, f"The logbook of {experiment!r} does not end as was noted")


def _attached(row: VersionRow) -> list[str]:
    """Return the digests of the attachments of a version; none if it cannot be read."""
    try:
        return [file["digest"] for file in decode(row.body)["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _digest(row: VersionRow) -> bytes | None:
    # SQLite takes values of any type in any column.
    if {type(row.body), type(row.before)} != {bytes}:
        return None
    return link(
        row.before,
        row.experiment,
        row.number,
        row.entry,
        row.version,
        row.action,
        row.time,
        row.author,
        row.body,
    )


def _named(row: VersionRow) -> str:
    return f"Version {row.version} of entry {row.entry} in experiment {row.experiment!r}"


# entries


def _wrong_entries(store: Store) -> list[int]:
    """Return entries that, looked at once more, are not what their last versions say."""
    suspects: set[int] = set()
    sums: defaultdict[int, int] = defaultdict(int)
    last = 0
    while rows := store.entries_after(last, _AT_ONCE):
        last = rows[-1].id
        for row in rows:
            terms = _terms(row)
            if terms is None:
                suspects.add(row.id)
                continue
            sums[row.id] = sum(_weight(row.experiment, term) for term in terms) % _WHOLE
    place = ("", "", 0)
    while some := store.entry_terms_after(place, _TERMS_AT_ONCE):
        place = some[-1]
        for experiment, term, entry in some:
            sums[entry] = (sums[entry] - _weight(experiment, term)) % _WHOLE
    suspects |= {entry for entry, left in sums.items() if left}
    # Versions whose entry has no row of its own, or one that says something else.
    suspects |= set(store.entries_behind())
    return sorted(entry for entry in suspects if _is_wrong(store, entry))


def _terms(row: EntryRow) -> set[str] | None:
    """Return what an entry must be found by; None if it cannot be read."""
    try:
        body = decode(row.body)
        if body["run_num"] != row.run_num:
            return None
        return set() if row.deleted is not None else terms_of(body, row.author)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_wrong(store: Store, entry: int) -> bool:
    """Tell whether an entry is wrong as it is now: it may just have been changed."""
    row = store.entry(entry)
    versions = store.versions(entry)
    if row is None or not versions:
        return bool(versions) or row is not None
    terms = _terms(row)
    has_all = terms is not None and terms == set(store.terms_of_entry(row.experiment, entry))
    return row != _said(row, versions) or not has_all


def _why_wrong(store: Store, entry: int) -> str:
    """Return what is wrong with an entry; of one that is gone nobody knows which it answered."""
    if store.entry(entry) is None:
        return "is gone, and its versions are there"
    return "is not what its last version says, or is not found by it"


def _said(row: EntryRow, versions: Sequence[VersionRow]) -> EntryRow:
    """Return the row of an entry as its versions have it: when, by whom, and whether it is deleted."""
    first, last = versions[0], versions[-1]
    # Of an entry whose first version is gone nobody knows better.
    origin = first if first.version == 1 else row
    return replace(
        row,
        author=origin.author,
        time=origin.time,
        version=last.version,
        edited=None if last.version == 1 else last.time,
        deleted=last.time if last.action == "delete" else None,
    )


def _weight(experiment: str, term: str) -> int:
    text = f"{experiment}\0{term}".encode("utf-8", "surrogatepass")
    return (zlib.crc32(text) << 32) | zlib.adler32(text)


# attachments


def _check_blob(store: Store, blob: BlobRow) -> str | None:
    """Return what is wrong with the bytes of an attachment."""
    found, size = hashlib.sha256(), 0
    try:
        with store.open_blob(blob.digest) as file:
            while chunk := file.read(_CHUNK_BYTES):
                found.update(chunk)
                size += len(chunk)
    except (CorruptBatchError, OSError) as error:
        return f"cannot be read: {error}"
    if size != blob.size:
        return f"has {size:,} bytes, recorded are {blob.size:,}"
    return None if found.hexdigest() == blob.digest else "is not what was attached"
