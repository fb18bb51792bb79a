"""Verdicts that turn bad get one entry each, with their picture."""

from __future__ import annotations

import io

from PIL import Image

from hutch.catalogs.changing.posting import post
from hutch.logbook import Logbook, enter_verdicts, render

ON_EACH_DATABASE = True


def png():
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


def turn_bad(store, run, name="packet rate", **more):
    origin = {"value": 2.5, "sentence": "2.5 packets/s *is* below 10.", "rows": [0, 40], **more}
    with store.transaction() as writer:
        post(store, run, "dqm", name, "bad", author="monitor", origin=origin)
        writer.freeze_figure(run, name, "bad", "PacketRate", png())


def run_in(catalog, *experiments):
    with catalog.start_run(experiment=list(experiments)) as run:
        pass
    return catalog[run.uid].row.id


def test_a_verdict_that_turns_bad_is_entered_once_with_its_picture(book, store, catalog):
    run = run_in(catalog, "xpp1")
    run_in(catalog, "xpp1")
    post(store, run, "dqm", "packet rate", "good", author="monitor")
    turn_bad(store, run)
    (entry,) = enter_verdicts(book)

    assert (entry.title, entry.author, entry.run_num) == ("packet rate is bad", "monitor", 1)
    assert entry.tags == ("dqm", "packet-rate")
    html = render(entry, attachment_url=lambda file: f"/{file.digest}")
    assert "2.5 packets/s *is* below 10." in html
    assert f'<img src="/{entry.attachments[0].digest}"' in html
    _, file = book.open_attachment(entry.id, 1)
    assert file.read() == png()
    assert enter_verdicts(book) == []
    assert enter_verdicts(Logbook(store), cursor="another") == []
    assert book.runs_of_tag("xpp1", "dqm") == [1]


def test_it_is_entered_again_after_it_turned_bad_anew(book, store, catalog):
    run = run_in(catalog, "xpp1")
    for _ in range(2):
        turn_bad(store, run)
        post(store, run, "dqm", "packet rate", "good", author="monitor")
    turn_bad(store, run, name="`hot` <channels>", sentence=None)

    assert [entry.title for entry in enter_verdicts(book)] == [
        "packet rate is bad",
        "packet rate is bad",
        "`hot` <channels> is bad",
    ]


def test_what_is_cut_off_in_the_middle_is_entered_once_when_it_goes_on(book, store, catalog, monkeypatch):
    run = run_in(catalog, "xpp1")
    for name in ("a", "b", "c"):
        turn_bad(store, run, name=name)
    posted = book.post
    calls = []

    def failing(*arguments, **named):
        calls.append(named["title"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return posted(*arguments, **named)

    monkeypatch.setattr(book, "post", failing)
    try:
        enter_verdicts(book)
    except KeyboardInterrupt:
        assert calls == ["a is bad", "b is bad"]
    monkeypatch.undo()
    enter_verdicts(book)

    assert [entry.title for entry in book.entries("xpp1").entries] == ["c is bad", "b is bad", "a is bad"]


def test_every_experiment_of_the_run_gets_it_but_those_that_are_locked_or_unknown(book, store, catalog):
    for name in ("xpp2", "xpp3"):
        book.access.experiments.create(name, instrument="XPP")
    book.access.experiments.lock("xpp2")
    turn_bad(store, run_in(catalog, "xpp1", "xpp2", "xpp3", "none"))
    turn_bad(store, run_in(catalog))

    assert [entry.experiment for entry in enter_verdicts(book)] == ["xpp1", "xpp3"]
    book.access.experiments.unlock("xpp2")
    assert enter_verdicts(book) == []
