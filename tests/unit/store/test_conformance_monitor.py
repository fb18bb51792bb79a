"""What every backend must do for the monitor: tiles, states of plots, references, what turned bad."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hutch.documents import encode
from hutch.store import Topic
from hutch.store.protocols.store import TombstoneRow
from hutch.store.rows.monitor import FrozenFigure, PlotStateRow, TileRow

from .conftest import add_run

TILE = TileRow("/data/ünï.h5", "PacketRate", None, "ünï", 10.0, encode({"seen": 5}))
STATE = PlotStateRow("/data/a.h5", "PacketRate", None, "1", 10.0, 2**40, b"{}", bytes(range(256)))
PNG = b"\x89PNG\0\xff"


def publish(store, row, picture=None):
    with store.transaction() as writer:
        writer.publish_tile(row, picture)


def keep(store, *rows):
    with store.transaction() as writer:
        for row in rows:
            writer.keep_plot_state(row)


def told(store, after=0):
    return [(change.topic, change.run, change.reference) for change in store.changes(after)]


# tiles


def test_a_tile_is_published_with_its_picture_and_told_in_the_feed(store):
    publish(store, TILE, PNG)

    assert store.tiles() == [replace(TILE, picture_bytes=len(PNG))] == store.tiles(TILE.source)
    assert store.tile_picture(TILE.source, "PacketRate") == PNG
    assert store.tile_picture(TILE.source, "FIFOFlags") is store.tile_picture("/data", "PacketRate") is None
    assert told(store) == [(Topic.TILE, None, TILE.source)]
    assert store.tiles("/data") == []


def test_the_newest_tile_wins_and_keeps_the_picture_until_there_is_another(store):
    publish(store, TILE, PNG)
    publish(store, replace(TILE, updated=20.0, meta=b"{}"))
    publish(store, replace(TILE, updated=15.0, meta=b'{"late":1}'), b"late")

    assert store.tiles() == [replace(TILE, updated=20.0, meta=b"{}", picture_bytes=len(PNG))]
    assert store.tile_picture(TILE.source, TILE.plot) == PNG
    publish(store, replace(TILE, updated=20.0), b"new")
    assert store.tile_picture(TILE.source, TILE.plot) == b"new"


def test_tiles_come_in_order_and_by_run(store):
    run = add_run(store, "uid")
    for source, plot, of in (("b", "B", run), ("b", "A", run), ("a", "B", None), ("B", "A", None)):
        publish(store, replace(TILE, source=source, plot=plot, run=of))

    assert [(row.source, row.plot) for row in store.tiles()] == [
        ("B", "A"), ("a", "B"), ("b", "A"), ("b", "B"),
    ]  # fmt: skip
    assert [row.plot for row in store.tiles_of_run(run)] == ["A", "B"]


def test_text_that_no_database_holds_is_stored_as_near_as_it_goes(store):
    publish(store, replace(TILE, source="a\0b\ud800", base="\0"), PNG)

    (row,) = store.tiles("a\0b\ud800")
    assert (row.source, row.base) == ("a\ufffdb?", "\ufffd")
    assert store.tile_picture("a\0b\ud800", TILE.plot) == PNG


def test_tiles_of_sources_that_were_updated_long_ago_are_forgotten(store):
    for number in range(6):
        for plot in ("A", "B"):
            publish(store, replace(TILE, source=f"/{number}", plot=plot, updated=float(10 - number)))
    publish(store, replace(TILE, source="/5", plot="A", updated=30.0))
    with store.transaction() as writer:
        writer.prune_tiles(3)

    assert [row.source for row in store.tiles()] == ["/0", "/0", "/1", "/1", "/5", "/5"]


# states of plots


def test_a_state_is_kept_once_per_source_and_plot(store):
    keep(store, STATE, replace(STATE, plot="FIFOFlags"))
    keep(store, replace(STATE, rows=7, state=b"new"))

    assert store.plot_state("/data/a.h5", "PacketRate") == replace(STATE, rows=7, state=b"new")
    assert store.plot_state("/data/a.h5", "FIFOFlags") == replace(STATE, plot="FIFOFlags")
    assert store.plot_state("/data/b.h5", "PacketRate") is None
    assert store.last_change() == 0


def test_states_are_found_by_run_or_the_newest_without_one(store):
    run = add_run(store, "uid")
    keep(store, replace(STATE, source="uid/b", run=run), replace(STATE, source="uid/a", run=run))
    keep(store, *(replace(STATE, source=f"/{n}", time=float(n % 4)) for n in range(8)))

    assert [row.source for row in store.plot_states_of_run(run, "PacketRate")] == ["uid/a", "uid/b"]
    assert store.plot_states_of_run(run, "FIFOFlags") == []
    assert [row.source for row in store.newest_plot_states("PacketRate", 3)] == ["/3", "/7", "/2"]


def test_old_states_that_belong_to_no_run_are_forgotten(store):
    run = add_run(store, "uid")
    keep(store, replace(STATE, source="uid/a", run=run, time=0.0), replace(STATE, plot="other", time=0.0))
    keep(store, *(replace(STATE, source=f"/{n}", time=float(n)) for n in range(8)))
    with store.transaction() as writer:
        writer.prune_plot_states("PacketRate", 2)

    assert [row.source for row in store.newest_plot_states("PacketRate", 10)] == ["/7", "/6"]
    assert len(store.plot_states_of_run(run, "PacketRate")) == len(store.newest_plot_states("other", 9)) == 1


def test_references_are_saved_replaced_and_removed(store):
    with store.transaction() as writer:
        writer.save_reference("LaB6", encode(["uid"]), "alice")
        writer.save_reference("Si", encode(["/data/a.h5"]), "bob")
    with store.transaction() as writer:
        writer.save_reference("LaB6", encode(["uid", "other"]), "carol")

    row, other = store.saved_references()
    assert (row.name, row.sources, row.author) == ("LaB6", encode(["uid", "other"]), "carol")
    assert row.time > 1_700_000_000
    assert store.saved_reference("Si") == other
    with store.transaction() as writer:
        writer.save_reference("Si", None, "alice")
    assert store.saved_reference("Si") is None


# verdicts that turned bad


def test_a_verdict_that_turned_bad_is_told_with_its_number_and_its_picture(store):
    run = add_run(store, "uid")
    cursor = store.last_change()
    with store.transaction() as writer:
        writer.post(run, "dqm", "packet rate", encode("good"), "monitor")
        writer.post(run, "param", "packet rate", encode(1), "alice")
    with store.transaction() as writer:
        writer.post(run, "dqm", "packet rate", encode("bad"), "monitor")
        writer.freeze_figure(run, "packet rate", "bad", "PacketRate", PNG)

    bad = store.posted(run)[-1]
    assert store.frozen_figure(bad.id) == FrozenFigure(bad.id, run, "PacketRate", PNG)
    assert [store.frozen_figure(row.id) for row in store.posted(run)[:-1]] == [None, None]
    assert told(store, cursor)[-2:] == [
        (Topic.POST, run, "dqm.packet rate"), (Topic.VERDICT, run, f"bad {bad.id} packet rate"),
    ]  # fmt: skip


def test_a_deleted_run_takes_all_of_the_monitor_along(store):
    run, other = add_run(store, "uid"), add_run(store, "other")
    for name, of in (("uid/primary", run), ("other/primary", other), ("/file", None)):
        publish(store, replace(TILE, source=name, run=of), PNG)
        keep(store, replace(STATE, source=name, run=of))
    for of in (run, other):
        with store.transaction() as writer:
            writer.post(of, "dqm", "rate", encode("bad"), "monitor")
            writer.freeze_figure(of, "rate", "bad", "PacketRate", None)
    (gone,), (kept,) = store.posted(run), store.posted(other)
    with store.transaction() as writer:
        writer.delete_run(run, TombstoneRow("uid", run, 1.0, None, 5.0, "alice", "a test", b"{}"))

    assert [row.source for row in store.tiles()] == ["/file", "other/primary"]
    assert store.plot_states_of_run(run, "PacketRate") == []
    assert len(store.plot_states_of_run(other, "PacketRate")) == 1
    assert store.frozen_figure(gone.id) is None
    assert store.frozen_figure(kept.id) == FrozenFigure(kept.id, other, "PacketRate", None)


def test_what_is_rolled_back_is_not_there(store):
    with pytest.raises(RuntimeError, match="stop"), store.transaction() as writer:
        writer.publish_tile(TILE, PNG)
        writer.keep_plot_state(STATE)
        raise RuntimeError("stop")

    assert (store.tiles(), store.newest_plot_states("PacketRate", 5), store.last_change()) == ([], [], 0)
