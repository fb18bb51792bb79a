"""Entries: what is written is found, and every version of it stays."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.access import Identity
from hutch.catalogs.verifying import verify
from hutch.documents.words import cut
from hutch.errors import (
    AccessDeniedError,
    AttachmentTooLargeError,
    DocumentError,
    EntryNotFoundError,
    ExperimentLockedError,
    ExperimentNotFoundError,
    QueryError,
    RunNotFoundError,
)
from hutch.logbook import Format, Logbook, NewFile
from hutch.store import open_store

ON_EACH_DATABASE = True


def test_an_entry_has_what_was_written(book):
    found = book.post(
        "xpp1", "Beam is\r\nback", title="  Good \n news ", tags="DARK beam DARK", author="ada", shift="night"
    )

    assert (found.text, found.title, found.tags) == ("Beam is\nback", "  Good   news ", ("DARK", "beam"))
    assert (found.author, found.shift, found.version, found.run_num) == ("ada", "night", 1, None)
    assert found.format is Format.MARKDOWN
    assert book.entry(found.id) == found
    assert book.entries("xpp1").entries == (found,)


def test_entries_come_newest_first_in_pages(book):
    posted = [book.post("xpp1", f"number {number}").id for number in range(7)]
    first = book.entries("xpp1", limit=3)
    second = book.entries("xpp1", limit=3, before=first.next)
    third = book.entries("xpp1", limit=3, before=second.next)

    assert [entry.id for page in (first, second, third) for entry in page.entries] == posted[::-1]
    assert third.next is None
    with pytest.raises(QueryError, match="Ask for 1 to"):
        book.entries("xpp1", limit=0)


def test_answers_make_a_thread_that_keeps_its_run(book):
    run = book.start_run("xpp1").num
    first = book.post("xpp1", "why?")
    book.end_run("xpp1")
    book.start_run("xpp1")
    second = book.post("xpp1", "because", parent=first.id)
    third = book.post("xpp1", "really?", parent=second.id)

    assert [entry.id for entry in book.thread(third.id)] == [first.id, second.id, third.id]
    assert (third.parent, third.root) == (second.id, first.id)
    assert (first.run_num, second.run_num, third.run_num) == (run, run, run)
    assert [entry.id for entry in book.entries("xpp1", threads=True).entries] == [first.id]


def test_an_entry_without_a_run_belongs_to_the_one_that_is_current_so_that_tags_find_runs(book, catalog):
    for _ in range(2):
        with catalog.start_run(experiment="xpp1"):
            pass
    book.post("xpp1", "first", tags="DARK", run=1)
    book.post("xpp1", "second", tags="dark flat")
    book.post("xpp1", "of none", tags="flat", run=0)

    assert book.runs_of_tag("xpp1", "DARK") == [1, 2]
    assert book.runs_of_tag("xpp1", "flat") == [2]
    assert book.tags_of_run("xpp1", 2) == ["dark", "flat"]
    assert book.tags("xpp1") == {"dark": 2, "flat": 2}
    with pytest.raises(RunNotFoundError, match="no run 9"):
        book.post("xpp1", "text", run=9)


def test_every_version_is_kept_and_the_last_one_holds(book):
    entry = book.post("xpp1", "first", tags="a", author="ada").id
    changed = book.edit(entry, text="second", title="T", tags="b", author="bob")
    book.delete(entry, author="bob")
    restored = book.restore(entry, author="ada")

    assert (changed.version, changed.edited, changed.author) == (2, changed.edited, "ada")
    assert [(one.action, one.author, one.text, one.tags) for one in book.versions(entry)] == [
        ("post", "ada", "first", ("a",)),
        ("edit", "bob", "second", ("b",)),
        ("delete", "bob", "second", ("b",)),
        ("restore", "ada", "second", ("b",)),
    ]
    assert (restored.text, restored.title, restored.deleted) == ("second", "T", None)
    assert book.tags("xpp1") == {"b": 1}
    actions = [(row["action"], row["author"]) for row in book.audit("xpp1", limit=4)]
    assert actions == [("entry.restore", "ada"), ("entry.delete", "bob"), ("entry.edit", "bob"),
                       ("entry.post", "ada")]  # fmt: skip


def test_what_is_deleted_is_not_changed_before_it_is_restored(book):
    entry = book.post("xpp1", "gone").id
    book.delete(entry)
    with pytest.raises(DocumentError, match="Restore it"):
        book.edit(entry, text="back")
    assert [one.action for one in book.versions(entry)] == ["post", "delete"]
    book.restore(entry)
    assert book.edit(entry, text="back").text == "back"


def test_what_is_deleted_is_found_only_by_who_asks_for_it(book):
    entry = book.post("xpp1", "wrong place").id
    book.delete(entry)

    assert book.entries("xpp1").entries == book.search("xpp1", "wrong").entries == ()
    assert [one.id for one in book.entries("xpp1", deleted=True).entries] == [entry]
    assert [one.id for one in book.search("xpp1", "is:deleted").entries] == [entry]
    assert book.entry(entry).is_deleted
    assert book.delete(entry).version == 2


def test_a_key_keeps_an_entry_from_being_written_twice(book):
    first = book.post("xpp1", "once", key="k1")
    again = book.post("xpp1", "twice", key="k1")
    other = book.post("xpp1", "another", key="k2")

    assert again == first
    assert [entry.id for entry in book.entries("xpp1").entries] == [other.id, first.id]


def test_many_who_post_at_once_with_one_key_write_one_entry(book, store_address):
    found = []

    def post():
        with_own = Logbook(open_store(store_address))
        found.append(with_own.post("xpp1", "once", key="same").id)
        found.append(with_own.post("xpp1", "mine").id)
        with_own.store.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 8
    assert len(set(found)) == 5
    assert [f.kind for f in verify(book.store).errors] == []


def test_words_tags_runs_times_and_authors_are_searched_for(book, catalog):
    for _ in range(3):
        with catalog.start_run(experiment="xpp1"):
            pass
    lost = book.post("xpp1", "The *beam* was lost.", tags="Alarm", run=1, author="ada", time=100.0)
    back = book.post("xpp1", "Beam's back: résumé", title="LaB₆", run=2, author="Bob", time=200.0)
    file = book.post("xpp1", "-", files=[NewFile(b"x", "beam-profile.dat")], run=3, time=300.0)

    def ids(words, **narrow):
        return [entry.id for entry in book.search("xpp1", words, **narrow).entries]

    assert ids("beam") == [file.id, back.id, lost.id]
    assert ids("BEAM lost") == ids("t:alarm") == ids("author:ADA") == ids("run:1") == [lost.id]
    assert ids("resume") == ids("lab6") == ids("run:2-2 author:bob") == [back.id]
    assert ids("run:2-") == [file.id, back.id]
    assert ids("run:-2 beam") == [back.id, lost.id]
    assert ids("profile") == [file.id]
    assert ids("beam -profile") == [file.id]
    assert ids("nothing") == ids("beam nothing") == []
    assert ids("since:1970-01-02") == ids("run:1 run:2") == []
    assert ids("beam", run=1) == ids("beam", tags="alarm") == ids("beam", until=100.5) == [lost.id]
    assert ids("run:2-", run=(None, 2)) == ids("run:-2", run=(2, 3)) == ids("run:1-3", run=2) == [back.id]
    assert ids("", since=200.0, until=300.0) == ids("beam", since=100.1, run=(1, 2)) == [back.id]
    assert ids("since:1970-01-01", since=250.0) == [file.id]
    assert [e.id for e in book.entries("xpp1", since=150.0, until=300.0).entries] == [back.id]
    assert ids("prof*") == [file.id] and ids("Beam*") == ids("b*") == [file.id, back.id, lost.id]
    assert ids("LO* beam") == ids("t:alarm lost*") == [lost.id]
    assert ids("x*") == ids("beam x*") == ids("t:al*") == []
    assert ids("*") == ids("**") == [file.id, back.id, lost.id]
    for wrong in ("run:x", "run:9-2", "since:never", "is:odd"):
        with pytest.raises(QueryError):
            ids(wrong)


def test_a_beginning_stands_for_many_words_but_not_for_all(book):
    for number in range(65):
        book.post("xpp1", f"word{number:02d} other{number % 3}")

    assert len(book.search("xpp1", "word1*").entries) == 10
    assert len(book.search("xpp1", "word0* other*").entries) == 10
    assert len(book.search("xpp1", "word0* other0").entries) == 4
    with pytest.raises(QueryError, match="More than 64 words begin with 'word'"):
        book.search("xpp1", "word*")


WORDS = st.lists(st.sampled_from(["beam", "lost", "Détecteur", "a1", "x_y", "ß", "LaB₆"]), max_size=5)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(WORDS, min_size=1, max_size=6), wanted=WORDS.filter(bool))
def test_a_search_finds_just_the_entries_that_have_all_words(book, texts, wanted):
    # Each example has its own experiment; the oracle looks at every entry.
    number = len(book.access.experiments.all())
    name = f"exp{number}"
    book.access.experiments.create(name, instrument="XPP")
    ids = {book.post(name, " ".join(words), run=0).id: {w for t in words for w in cut(t)} for words in texts}
    needed = {word for text in wanted for word in cut(text)}
    expected = sorted((entry for entry, words in ids.items() if needed <= words), reverse=True)

    assert [entry.id for entry in book.search(name, " ".join(wanted)).entries] == expected


def test_common_words_are_found_as_rare_ones_are(book, monkeypatch):
    from hutch.store.reading import logbook as logbook_reading
    from hutch.store.statements import entry_searches

    monkeypatch.setattr(logbook_reading, "_FEW", 2)
    monkeypatch.setattr(entry_searches, "_LATEST", 4)
    ids = [book.post("xpp1", f"beam {'even' if n % 2 == 0 else 'odd'}", run=0).id for n in range(12)]

    # Every entry has the first word; the oracle is the order in which they were posted.
    assert [e.id for e in book.search("xpp1", "beam even", limit=2).entries] == ids[10::-2][:2]
    assert [e.id for e in book.search("xpp1", "beam even", limit=9).entries] == ids[10::-2]
    assert [e.id for e in book.search("xpp1", "be* ev*", limit=9).entries] == ids[10::-2]
    assert [e.id for e in book.search("xpp1", "o* be*", limit=2).entries] == ids[11::-2][:2]
    older = book.search("xpp1", "beam odd", before=ids[5], limit=9).entries
    assert [e.id for e in older] == [ids[3], ids[1]]
    assert book.search("xpp1", "even odd").entries == ()


@pytest.mark.parametrize(
    "text", ["👨‍👩‍👧", "می‌خواهم", "a\u00a0b", " lead", "\u3000", "x\u200f", "e\u0301", "𝔘𝔫𝔦", "ﬁ", "İi", "ß"]
)
def test_text_of_every_kind_arrives_as_it_was_given(book, text):
    tags = text.split()
    entry = book.entry(book.post("xpp1", text, title=f"{text}.", tags=text, author=text, shift=text).id)

    assert (entry.text, entry.title, list(entry.tags)) == (text, f"{text}.", tags)
    assert list(book.tags("xpp1")) == tags
    assert all(book.entries("xpp1", tags=tag).entries == (entry,) for tag in tags)
    assert entry.author == (text.strip() or entry.author)
    if tags:
        name = text.strip()
        book.create_run_table("xpp1", name, ["run_num", f"param.{name}"])
        assert book.run_table("xpp1", name).columns[1].source == f"param.{name}"


def test_only_what_an_entry_can_have_is_taken(book):
    for wrong in ({"title": "x" * 501}, {"tags": ["x" * 101]}, {"tags": ["\x1b"]}):
        with pytest.raises(DocumentError):
            book.post("xpp1", "text", **wrong)
    with pytest.raises(DocumentError, match="Attach it as a file"):
        book.post("xpp1", "x" * 2_000_001)
    with pytest.raises(QueryError, match="no format"):
        book.post("xpp1", "text", format="rtf")
    for wrong in (1.8e12, math.inf, math.nan, "noon"):
        with pytest.raises(DocumentError, match="is no time. Give s since 1970"):
            book.post("xpp1", "text", time=wrong)
    with pytest.raises(ExperimentNotFoundError):
        book.post("xpp9", "text")
    with pytest.raises(EntryNotFoundError, match="no entry 99"):
        book.post("xpp1", "text", parent=99)
    assert book.entries("xpp1").entries == ()
    kept = book.post("xpp1", "NUL \0, half \ud800, ünï\U0001f600")
    assert book.entry(kept.id).text == "NUL \ufffd, half ?, ünï\U0001f600"


def test_nobody_writes_into_a_locked_experiment(book):
    entry = book.post("xpp1", "before").id
    book.access.experiments.lock("xpp1")

    for write in (
        lambda: book.post("xpp1", "after"),
        lambda: book.edit(entry, text="after"),
        lambda: book.delete(entry),
        lambda: book.start_run("xpp1"),
        lambda: book.create_run_table("xpp1", "t", ["run_num"]),
        lambda: book.define_workflow("xpp1", "w", "/bin/true"),
    ):
        with pytest.raises(ExperimentLockedError, match="hutch experiment unlock xpp1"):
            write()
    assert book.entry(entry).text == "before"


def identity(name, *scopes):
    return Identity(name, frozenset(scopes), name)


def test_readers_read_writers_write_their_own_and_editors_change_that_of_others(book):
    experiments = book.access.experiments
    for name, role in (("rita", "reader"), ("will", "writer"), ("eddy", "editor")):
        book.access.users.add(name, scopes=["read", "record", "write"])
        experiments.set_role("xpp1", name, role)
    book.access.users.add("nina", scopes=["read", "record", "write"])
    rita, will, eddy, nina = (
        book.of(identity(name, "read", "record", "write")) for name in ("rita", "will", "eddy", "nina")
    )
    entry = will.post("xpp1", "mine")
    other = eddy.post("xpp1", "yours")

    assert entry.author == "will"
    assert [one.id for one in rita.entries("xpp1").entries] == [other.id, entry.id]
    assert will.edit(entry.id, text="still mine").text == "still mine"
    assert eddy.edit(entry.id, text="corrected").author == "will"
    for forbidden in (
        lambda: rita.post("xpp1", "no"),
        lambda: will.edit(other.id, text="no"),
        lambda: will.delete(other.id),
        lambda: will.start_run("xpp1"),
        lambda: will.post("xpp1", "no", author="eddy"),
        lambda: eddy.define_workflow("xpp1", "w", "/bin/true"),
    ):
        with pytest.raises(AccessDeniedError):
            forbidden()
    with pytest.raises(ExperimentNotFoundError):
        nina.entries("xpp1")
    for hidden in (nina.entry, nina.thread, nina.versions, nina.delete):
        with pytest.raises(EntryNotFoundError):
            hidden(entry.id)
    with pytest.raises(EntryNotFoundError):
        nina.open_attachment(entry.id, 1)


def test_a_file_that_is_too_large_leaves_nothing(book, monkeypatch, store):
    monkeypatch.setenv("HUTCH_ATTACHMENT_LIMIT_BYTES", "150000")
    with pytest.raises(AttachmentTooLargeError, match="150,000 bytes"):
        book.post("xpp1", "text", files=[NewFile(b"x" * 150_001, "large.bin")])

    assert book.entries("xpp1").entries == ()
    assert [path for path in store.files.rglob("*") if path.is_file()] == []
    kept = book.post("xpp1", "text", files=[NewFile(b"x" * 150_000, "large.bin")])
    assert kept.attachments[0].size == 150_000


def test_attachments_keep_their_numbers_and_earlier_versions_keep_theirs(book, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("some notes")
    entry = book.post("xpp1", "text", files=[path, (str(path), "again"), NewFile(b"\0\1", "raw")])
    with pytest.raises(EntryNotFoundError, match="has no attachment 9"):
        book.edit(entry.id, without=[1, 9])
    book.edit(entry.id, without=[2], files=[NewFile(b"new", "new.txt")])
    changed = book.edit(entry.id, without=[4], files=[NewFile(b"newer", "newer.txt")])

    assert [(file.id, file.name) for file in changed.attachments] == [
        (1, "notes.txt"),
        (3, "raw"),
        (5, "newer.txt"),
    ]
    for number, content in ((1, b"some notes"), (2, b"some notes"), (4, b"new"), (5, b"newer")):
        about, file = book.open_attachment(entry.id, number)
        with file:
            assert file.read() == content
        assert about.id == number
    with pytest.raises(EntryNotFoundError, match="no attachment 9"):
        book.open_attachment(entry.id, 9)


def test_names_of_tags_are_shown_as_they_were_written_last(book):
    book.post("xpp1", "a", tags="Dark")
    book.post("xpp1", "b", tags="DARK")

    assert book.tags("xpp1") == {"DARK": 2}
