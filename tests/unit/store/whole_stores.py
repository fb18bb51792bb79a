"""Stores with something in every table, and all that a store holds, to compare it with another one's."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace

from hutch.documents import decode, encode, leaves
from hutch.documents.leaves import posted_leaves
from hutch.store import DocumentRow, Mark, Store
from hutch.store.protocols.store import TombstoneRow
from hutch.store.rows.access import ApiKeyRow, ExecutableRow, ExperimentRow, RoleRow, UserRow
from hutch.store.rows.logbook import EntryFilter, JobRow, NewBlob, NewEntry, RunTableRow, WorkflowRow
from hutch.store.rows.monitor import PlotStateRow, TileRow
from hutch.store.statements.entry_terms import terms_of

from .conftest import add_batch, add_segment, numbers

LARGE = 200_000
"""Rows of a batch that gets a file of its own."""


def begin(store: Store, uid: str, **more) -> int:
    """Add an open run with its index; return its id."""
    start = {"uid": uid, "time": 100.5, "scan_id": 7, "sample": f"of {uid}", **more}
    with store.transaction() as writer:
        run = writer.add_run(uid, start["time"], start["scan_id"], encode(start))
        writer.add_leaves(run, start["time"], leaves(start))
        writer.add_documents(run, [DocumentRow(1, "descriptor", f"{uid}-d", encode({"uid": f"{uid}-d"}))])
    return run


def fill(store: Store, run: int, first_arrival: int = 2, count: int = 3) -> None:
    """Commit a batch of a run, in a row or a file."""
    segments = store.segments(run)
    segment = segments[0].id if segments else add_segment(store, run, numbers(1))
    add_batch(store, run, numbers(count), segment, first_arrival)


def end(store: Store, run: int) -> None:
    """End a run."""
    row = store.run_by_id(run)
    stop = {"uid": f"{row.uid}-s", "exit_status": "success", "num_events": {"primary": 3}}
    with store.transaction() as writer:
        writer.add_leaves(run, row.time, leaves(stop, "stop"))
        writer.end_run(run, encode(stop), "success")


def amend(store: Store, run: int, sample: str) -> None:
    """Correct a start document, and its index."""
    row = store.run_by_id(run)
    start = {"uid": row.uid, "time": row.time, "scan_id": 8, "sample": sample}
    with store.transaction() as writer:
        writer.lock(f"run/{run}")
        writer.amend_run(replace(row, scan_id=8), encode(start), "alice", "wrong sample", b"[]")
        writer.remove_leaves(run, row.time, leaves(decode(row.current)))
        writer.add_leaves(run, row.time, leaves(start))


def delete(store: Store, run: int) -> None:
    """Delete a run as people do: with its index, and a tombstone."""
    row = store.run_by_id(run)
    with store.transaction() as writer:
        writer.remove_strange_leaves(run)
        writer.delete_run(run, TombstoneRow(row.uid, run, row.time, 7, 5.0, "alice", "a test", b"{}"))


def compact(store: Store, run: int, count: int) -> None:
    """Put one batch in the place of all of a run's, which is said to hold the same."""
    from hutch.store.batches.arrow_files import new_batch

    old = store.batches(run)
    made = new_batch(store.files, run, old[0].first_arrival, numbers(count))
    with store.transaction() as writer:
        writer.replace_batches(run, "primary", old, [made.in_segment(old[0].segment)])


def entry_body(text: str) -> dict[str, object]:
    """Return the document of a version of an entry."""
    return {"title": "ö", "text": text, "format": "text", "tags": ["Dark"], "run_num": 3, "shift": None,
            "files": []}  # fmt: skip


def write_entry(store: Store, text: str, entry: int | None = None, version: int = 1) -> int:
    """Write a version of an entry, the first if none is named; return its number."""
    body = entry_body(text)
    with store.transaction() as writer:
        if entry is None:
            entry = writer.add_entry(NewEntry("xpp1", None, None, 3, "ada", 1.5, f"key of {text}"))
        else:
            old = store.entry(entry)
            writer.remove_terms("xpp1", entry, terms_of(decode(old.body), old.author))
        writer.add_version("xpp1", entry, version, "post", 1.5 + version, "ada", encode(body))
        writer.set_entry(entry, version, 3, None if version == 1 else 1.5 + version, None)
        writer.add_terms("xpp1", entry, terms_of(body, "ada"))
        writer.add_audit("xpp1", 1.5, "ada", "entry.post", str(entry), encode({"a": 1}))
    return entry


def attach(store: Store, content: bytes, *, in_file: bool) -> str:
    """Keep the bytes of an attachment, in a row or in a file; return their digest."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"attachments/{digest[:2]}/{digest}" if in_file else None
    if name is not None:
        (store.files / name).parent.mkdir(parents=True, exist_ok=True)
        (store.files / name).write_bytes(content)
    blob = NewBlob(digest, len(content), zlib.crc32(content), "text/plain", 1.5, name, b"png",
                   None if in_file else content)  # fmt: skip
    with store.transaction() as writer:
        writer.add_blob(blob)
    return digest


def keep_a_logbook(store: Store, run: int) -> None:
    """Put something into every table of the logbook."""
    write_entry(store, "first words")
    entry = write_entry(store, "second words")
    write_entry(store, "other words", entry, 2)
    attach(store, b"small", in_file=False)
    attach(store, b"large", in_file=True)
    with store.transaction() as writer:
        writer.add_run_number("xpp1", 3, run)
        writer.put_run_table(RunTableRow("xpp1", "mine", encode({"columns": []}), 1.5, "ada"))
        number = writer.put_workflow(WorkflowRow(0, "xpp1", "w", "ada", encode({}), 1, 1.5, None))
        writer.add_job(JobRow(0, "xpp1", 3, number, "queued", 1.5, 1.5, "ada", encode([]), "t", 9.5))


def logbook_of(store: Store) -> dict[str, object]:
    """Return all that the logbook of a store holds."""
    blobs = store.blobs_after(0, 1000)
    bodies = []
    for blob in blobs:
        with store.open_blob(blob.digest) as file:
            bodies.append(file.read())
    return {
        "entries": store.entries(EntryFilter("xpp1", is_deleted=None), 1000),
        "found": [row.id for row in store.entries(EntryFilter("xpp1", ("w:words", "t:dark")), 1000)],
        "terms": store.entry_terms_after(("", "", 0), 10_000),
        "versions": store.versions_after("xpp1", 0, 1000),
        "chain": store.chain("xpp1"),
        "blobs": (blobs, bodies, [store.thumbnail(blob.digest) for blob in blobs]),
        "numbers": store.run_numbers("xpp1"),
        "tables": store.run_tables("xpp1"),
        "workflows": store.workflows("xpp1"),
        "jobs": store.jobs("xpp1"),
        "audit": store.audit("xpp1"),
    }


def make_whole(store: Store) -> None:
    """Give a store something in every table: runs of every kind, and what belongs to none."""
    for uid in ("gone", "whole", "in a file", "amended", "ünï\U0001f600code"):
        run = begin(store, uid)
        fill(store, run)
        fill(store, run, 5, LARGE if uid in ("in a file", "gone") else 4)
        end(store, run)
    runs = {row.uid: row.id for row in store.runs()}
    amend(store, runs["amended"], "LaB6")
    delete(store, runs["gone"])
    with store.transaction() as writer:
        writer.add_marks(runs["whole"], [Mark("primary", "x", "is text", 2, 5)])
        writer.quarantine(runs["whole"], "event", "no descriptor", bytes(range(256)))
        writer.quarantine(None, "event", "no run", b"{}")
        writer.set_stash("scan_id", b"7")
        writer.set_stash("user", encode({"name": "ö", "big": 2**70}))
        writer.set_cursor("listen/0mq", b"\0\xff")
        writer.set_retention("old", encode({"older_than": "1 year"}), "bob")
        writer.put_access(ApiKeyRow("0a1b", bytes(range(32)), "bob", "read", None, "ö", 1.5, "alice", 2.5))
        writer.put_access(UserRow("bob", "$argon2id$…", "read write", encode(["raw"]), 1.5, "alice", 3.5))
        for name in ("xpp1", "xpp2"):
            writer.put_access(ExperimentRow(name, "XPP", 1, "Bob", "ünï", 1.5, None, 1.5, "alice", 2.5))
            writer.put_access(RoleRow(name, "bob", "editor", 1.5, "alice"))
        writer.put_access(ExecutableRow("/opt/ö", 1.5, "alice"))
        writer.add_activation("XPP", 1, "xpp1", 1.5, "alice")
        writer.add_activation("XPP", 1, None, 2.5, "alice")
    watch(store, runs["whole"])
    keep_a_logbook(store, runs["whole"])
    fill(store, begin(store, "open"))
    begin(store, "without events", odd=float("nan"), text="x" * 300, listed=[1, [2, 3], []])


def watch(store: Store, run: int) -> None:
    """Let the monitor have looked at a run, and at a file, and find something bad."""
    with store.transaction() as writer:
        for source, of in (("whole/primary", run), ("/data/ünï.h5", None)):
            writer.publish_tile(TileRow(source, "Lines", of, "base", 1.5, b"{}"), bytes(range(256)))
            writer.publish_tile(TileRow(source, "Grid", of, "base", 1.5, b"{}"))
            writer.keep_plot_state(PlotStateRow(source, "Lines", of, "1", 1.5, 3, b"{}", b"PK\0\xff"))
        writer.save_reference("LaB6", encode(["whole"]), "alice")
        writer.post(run, "dqm", "rate", encode("bad"), "monitor", encode({"value": 1.5}))
        writer.add_leaves(run, 100.5, posted_leaves("dqm", "rate", "bad"))
        writer.freeze_figure(run, "rate", "bad", "Lines", b"\x89PNG\0")


def contents(store: Store) -> dict[str, object]:
    """Return all that a store holds, but for what belongs to its place."""
    runs = [replace(row, owner=None) for row in store.runs()]
    found: dict[str, object] = {
        "runs": runs,
        "quarantine": store.quarantined(),
        "tombstones": store.tombstones(),
        "stash": store.stash(),
        "cursors": store.cursors(),
        "retention": store.retention(),
        "access": (
            store.api_keys(),
            store.users(),
            store.experiments(),
            store.roles_of("bob"),
            store.executables(),
        ),
        "activations": store.activations(),
        "tiles": [(row, store.tile_picture(row.source, row.plot)) for row in store.tiles()],
        "states": store.newest_plot_states("Lines", 100),
        "references": store.saved_references(),
        "logbook": logbook_of(store),
        "changes": store.changes(0, 10**6),
        "leaves": sorted(leaf for page in store.leaf_pages() for leaf in page),
    }
    for row in runs:
        batches = store.batches(row.id)
        found[row.uid] = {
            "documents": store.documents(row.id),
            "segments": store.segments(row.id),
            "batches": [(batch, store.read_bytes(batch)) for batch in batches],
            "marks": store.marks(row.id),
            "amendments": store.amendments(row.id),
            "posted": [(posted, store.frozen_figure(posted.id)) for posted in store.posted(row.id)],
            "states": store.plot_states_of_run(row.id, "Lines"),
        }
    return found


def files_of(store: Store) -> set[str]:
    """Return the names of all files in the folder of a store's Arrow files."""
    found = (path for path in store.files.rglob("*") if path.is_file())
    return {path.relative_to(store.files).as_posix() for path in found}


def batch_files(store: Store) -> set[str]:
    """Return the names of the files that batches name."""
    return {batch.file for row in store.runs() for batch in store.batches(row.id) if batch.file}


def named_files(store: Store) -> set[str]:
    """Return the names of the files that batches and attachments name."""
    return batch_files(store) | {blob.file for blob in store.blobs_after(0, 1000) if blob.file}
