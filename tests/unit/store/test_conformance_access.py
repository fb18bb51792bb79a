"""What every backend must do for who may do what: keys, users, experiments, roles, activations."""

from __future__ import annotations

from dataclasses import replace

from hutch.documents import encode
from hutch.store.rows.access import ApiKeyRow, ExecutableRow, ExperimentRow, RoleRow, UserRow

KEY = ApiKeyRow("0a1b", bytes(range(32)), "bob", "read record", encode(["raw"]), "DAQ", 1.5, "alice", 9.5)
BOB = UserRow("bob", "$argon2id$…", "read", None, 1.5, "alice")
XPP = ExperimentRow("xpp1", "XPP", 0, "Bob", "ünï", 1.0, 2.0, 1.5, "alice")


def put(store, *rows):
    with store.transaction() as writer:
        for row in rows:
            writer.put_access(row)


def test_rows_are_added_and_put_in_place_of_those_with_the_same_key(store):
    for row, changed in (
        (KEY, replace(KEY, revoked=3.5)),
        (BOB, replace(BOB, password=None, disabled=3.5)),
        (XPP, replace(XPP, locked=3.5, opened=4.5)),
    ):
        put(store, row)
        put(store, changed)

    assert store.api_key("0a1b") == replace(KEY, revoked=3.5)
    assert store.users() == [store.user("bob")] == [replace(BOB, password=None, disabled=3.5)]
    assert store.experiments() == [store.experiment("xpp1")] == [replace(XPP, locked=3.5, opened=4.5)]
    assert store.api_key("0a") is store.user("Bob") is store.experiment("xpp") is None


def test_rows_come_in_order(store):
    put(
        store, *(replace(KEY, prefix=prefix, created=created) for prefix, created in (("b", 2.0), ("a", 3.0)))
    )
    put(store, *(replace(BOB, name=name) for name in ("c", "a-b", "aa")))
    put(store, *(replace(XPP, name=name) for name in ("xpp2", "Xpp3", "xpp10")))

    assert [row.prefix for row in store.api_keys()] == ["b", "a"]
    assert [row.name for row in store.users()] == ["a-b", "aa", "c"]
    assert [row.name for row in store.experiments()] == ["Xpp3", "xpp10", "xpp2"]


def test_executables_are_listed_and_dropped(store):
    some = [ExecutableRow(path, 1.5, "alice") for path in ("/b", "/a", "/ä é")]
    put(store, *some)
    put(store, replace(some[0], author="bob"))

    assert [(row.path, row.author) for row in store.executables()] == [
        ("/a", "alice"),
        ("/b", "bob"),
        ("/ä é", "alice"),
    ]
    with store.transaction() as writer:
        writer.drop_executable("/a")
    assert [row.path for row in store.executables()] == ["/b", "/ä é"]


def test_roles_are_given_changed_and_taken_away(store):
    given = [RoleRow("xpp1", "bob", "reader", 1.5, "alice"), RoleRow("xpp1", "ann", "editor", 1.5, "alice"),
             RoleRow("xpp2", "bob", "writer", 1.5, "alice")]  # fmt: skip
    put(store, *given)
    put(store, replace(given[0], role="operator"))

    assert [(row.member, row.role) for row in store.roles_in("xpp1")] == [
        ("ann", "editor"),
        ("bob", "operator"),
    ]
    assert [row.experiment for row in store.roles_of("bob")] == ["xpp1", "xpp2"]
    with store.transaction() as writer:
        writer.drop_role("xpp1", "bob")
        writer.drop_role("xpp1", "nobody")
    assert store.roles_of("bob") == [given[2]]


def test_who_is_removed_takes_keys_and_roles_along(store):
    put(store, BOB, replace(BOB, name="ann"), KEY, replace(KEY, prefix="ffff", owner="ann"))
    put(store, replace(KEY, prefix="eeee", owner=None))
    put(store, RoleRow("xpp1", "bob", "reader", 1.5, "alice"), RoleRow("xpp1", "ann", "reader", 1.5, "alice"))
    with store.transaction() as writer:
        writer.drop_user("bob")

    assert [row.name for row in store.users()] == ["ann"]
    assert {row.prefix for row in store.api_keys()} == {"ffff", "eeee"}
    assert [row.member for row in store.roles_in("xpp1")] == ["ann"]


def test_the_last_use_of_a_key_is_noted_and_nothing_else_of_it(store):
    put(store, KEY)
    with store.transaction() as writer:
        writer.touch_api_key("0a1b", 7.5)
        writer.touch_api_key("none", 7.5)

    assert store.api_keys() == [replace(KEY, used=7.5)]


def test_activations_are_kept_in_order(store):
    with store.transaction() as writer:
        writer.add_activation("XPP", 0, "xpp1", 1.5, "alice \0")
        writer.add_activation("XPP", 1, None, 1.0, "alice")

    assert [(row.instrument, row.station, row.experiment, row.time) for row in store.activations()] == [
        ("XPP", 0, "xpp1", 1.5),
        ("XPP", 1, None, 1.0),
    ]
    assert store.activations()[0].author == "alice \ufffd"


def test_the_feed_says_nothing_of_it(store):
    put(store, BOB, KEY, XPP)

    assert store.last_change() == 0
