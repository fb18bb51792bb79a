"""A verification finds what was done to a logbook behind hutch's back, and a repair what it can."""

from __future__ import annotations

import os
import sqlite3

import pytest

from hutch.catalogs.care.findings import Kind
from hutch.catalogs.repairing import repair
from hutch.catalogs.verifying import verify
from hutch.logbook import Logbook, NewFile
from hutch.store import open_store


@pytest.fixture
def folder(tmp_path):
    """The folder of a store with three entries, one of them edited, and a large attachment."""
    store = open_store(tmp_path / "store")
    book = Logbook(store)
    book.access.experiments.create("xpp1", instrument="XPP")
    first = book.post("xpp1", "first", author="ada", files=[NewFile(b"x" * 200_000, "large")])
    book.post("xpp1", "second")
    book.edit(first.id, text="changed")
    book.delete(book.post("xpp1", "third").id)
    assert verify(store).errors == []
    store.close()
    return tmp_path / "store"


def found(folder):
    store = open_store(folder)
    kinds = [(finding.kind, str(finding)) for finding in verify(store).errors]
    store.close()
    return kinds


def damage(folder, statement):
    with sqlite3.connect(folder / "hutch.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE entry_versions SET author = 'bob' WHERE number = 1", "is not what was written"),
        ("UPDATE entry_versions SET time = time + 1 WHERE number = 3", "is not what was written"),
        (
            "UPDATE entry_versions SET body = replace(body, 'second', 'sécond') WHERE number = 2",
            "not what was",
        ),
        ("DELETE FROM entry_versions WHERE number = 3", "versions 3 to 3 are gone"),
        ("DELETE FROM entry_versions WHERE number = 5", "ends at version 4, and was noted to end at 5"),
        ("DELETE FROM chains", "was noted to end at none"),
        ("UPDATE chains SET digest = zeroblob(32)", "does not end as was noted"),
        ("UPDATE chains SET number = 4", "does not end as was noted"),
    ],
)
def test_what_was_changed_or_removed_breaks_the_chain(folder, statement, text):
    damage(folder, statement)

    assert any(kind is Kind.CHAIN and text in said for kind, said in found(folder))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET run_num = 7 WHERE id = 1",
        "UPDATE entries SET version = 1 WHERE id = 1",
        "UPDATE entries SET deleted = NULL WHERE id = 3",
        "UPDATE entries SET deleted = deleted - 60 WHERE id = 3",
        "UPDATE entries SET time = time - 1e-3 WHERE id = 1",
        "UPDATE entries SET author = 'bob' WHERE id = 1",
        "UPDATE entries SET edited = NULL WHERE id = 1",
        "UPDATE entries SET edited = time WHERE id = 2",
        "DELETE FROM entry_terms WHERE term = 'w:changed'",
        "INSERT INTO entry_terms VALUES ('xpp1', 'w:never', 2)",
    ],
)
def test_entries_that_do_not_follow_from_their_versions_are_mended(folder, statement):
    damage(folder, statement)
    assert {kind for kind, _ in found(folder)} == {Kind.ENTRY}

    store = open_store(folder)
    assert repair(store).errors == []
    book = Logbook(store)
    assert [entry.text for entry in book.entries("xpp1").entries] == ["second", "changed"]
    assert book.entry(1).author == "ada"
    assert book.entry(1).time == book.versions(1)[0].time
    assert [entry.id for entry in book.search("xpp1", "changed").entries] == [1]
    assert book.search("xpp1", "never").entries == book.search("xpp1", "third").entries == ()
    store.close()


def test_an_entry_that_is_gone_is_left_and_that_is_said(folder):
    damage(folder, "DELETE FROM entries WHERE id = 2")
    assert (Kind.ENTRY, "Entry 2 is gone, and its versions are there") in found(folder)

    store = open_store(folder)
    repaired = repair(store)
    assert [str(one) for one in repaired.repairs if not one.is_done] == ["Entry 2 is left: a backup has it"]
    (remedy,) = {finding.remedy for finding in repaired.errors if finding.kind is Kind.ENTRY}
    assert "leaves one that is gone" in remedy
    store.close()


def test_an_attachment_that_is_gone_from_the_database_is_missed(folder):
    damage(folder, "DELETE FROM blobs")

    assert [(kind, "Version 2 of entry 1" in said) for kind, said in found(folder)] == [
        (Kind.ATTACHMENT, True)
    ]


def test_attachments_are_read_and_those_of_no_entry_told(folder):
    (file,) = (path for path in (folder / "files" / "attachments").rglob("*") if path.is_file())
    loose = file.with_name("0" * 64)
    loose.write_bytes(b"left over")
    os.utime(loose, (1, 1))
    file.write_bytes(b"y" * 200_000)
    assert [kind for kind, said in found(folder) if "is not what was attached" in said] == [Kind.ATTACHMENT]

    file.unlink()
    store = open_store(folder)
    checked = repair(store)
    assert [finding.kind for finding in checked.findings] == [Kind.ATTACHMENT]
    assert not loose.exists()
    store.close()
