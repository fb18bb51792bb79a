"""API keys let in whom they belong to, as long as they hold, and are kept nowhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

import hutch
from hutch.access import ALL_SCOPES, Access
from hutch.errors import ApiKeyNotFoundError, ConfigurationError, UserNotFoundError
from hutch.store import open_store

ON_EACH_DATABASE = True


def test_a_key_lets_in_with_its_scopes(access):
    text, key = access.keys.create(["record", "read"], note="DAQ", author="alice")

    found = access.identify_key(text)
    assert (found.name, found.scopes, found.user) == (f"key {key.prefix}", {"read", "record"}, None)
    assert not found.is_admin
    assert (key.scopes, key.note, key.author) == (("read", "record"), "DAQ", "alice")
    assert len(text) == 64
    assert text.startswith(key.prefix)


def test_a_key_with_the_scope_admin_has_every_scope(access):
    text, _ = access.keys.create("admin")

    assert access.identify_key(text).scopes == ALL_SCOPES
    assert access.identify_key(text).is_admin


def test_what_is_no_key_lets_nobody_in(access):
    text, key = access.keys.create(["read"])
    wrong = [text[:-1], text + "0", text.upper() + "\n", key.prefix, "", "0" * 64, "\0", "ü", "\ud800"]
    wrong.append(text[:-1] + ("0" if text[-1] != "0" else "1"))

    assert [access.identify_key(one) for one in wrong] == [None] * len(wrong)


def test_a_key_is_of_no_use_once_it_expired(access, clock):
    text, key = access.keys.create(["read"], expires_s=60.0)
    clock.now += 59.0
    assert access.identify_key(text) is not None
    clock.now += 1.0

    assert access.identify_key(text) is None
    assert access.keys.all()[0].status(clock.now) == "expired"
    assert key.expires == 1060.0


def test_a_key_is_of_no_use_once_it_is_revoked(access, clock):
    text, key = access.keys.create(["read"])
    assert access.keys.revoke(key.prefix).revoked == 1000.0
    clock.now += 5.0

    assert access.identify_key(text) is None
    assert access.keys.revoke(text).revoked == 1000.0
    assert access.keys.all()[0].status(clock.now) == "revoked"
    with pytest.raises(ApiKeyNotFoundError, match="No API key begins with '12345678'. List them with"):
        access.keys.revoke("12345678")


def test_a_key_may_do_no_more_than_its_owner(access):
    access.users.add("bob", scopes=["read", "write"], catalogs=["raw", "processed"])
    text, _ = access.keys.create(["read", "record"], owner="bob", catalogs=["raw", "other"])

    found = access.identify_key(text)
    assert (found.name, found.user) == ("bob", "bob")
    assert (found.scopes, found.catalogs) == ({"read"}, {"raw"})
    access.users.disable("bob")
    assert access.identify_key(text) is None
    access.users.enable("bob")
    assert access.identify_key(text) is not None
    access.users.remove("bob")
    assert access.identify_key(text) is None
    assert access.keys.all() == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scopes": []}, ConfigurationError, "No scope is given. Scopes are: read"),
        ({"scopes": ["reed"]}, ConfigurationError, "There is no scope 'reed'"),
        ({"scopes": ["admin"], "catalogs": ["raw"]}, ConfigurationError, "is for every catalog"),
        ({"scopes": ["read"], "expires_s": 0.0}, ConfigurationError, "can't expire"),
        ({"scopes": ["read"], "expires_s": float("nan")}, ConfigurationError, "can't expire"),
        (
            {"scopes": ["read"], "owner": "nobody"},
            UserNotFoundError,
            "There is no user 'nobody'. Users: none",
        ),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(access, options, error, said):
    with pytest.raises(error, match=said):
        access.keys.create(**options)
    assert access.keys.all() == []


def test_uses_are_noted_about_once_an_hour(access, store, clock):
    text, _ = access.keys.create(["read"])
    noted = []
    for wait in (0.0, 10.0, 3500.0, 100.0):
        clock.now += wait
        access.identify_key(text)
        noted.append(access.keys.all()[0].used)

    assert noted == [1000.0, 1000.0, 1000.0, 4610.0]
    # Another process, as that of a server with several, has not noted it itself.
    assert Access(store, clock=clock).identify_key(text) is not None
    assert access.keys.all()[0].used == 4610.0


def test_the_environment_may_hold_a_key_with_every_scope(access, monkeypatch):
    monkeypatch.setenv("HUTCH_ADMIN_KEY", "")
    assert access.identify_key("") is None
    monkeypatch.setenv("HUTCH_ADMIN_KEY", "sëcret")

    assert access.identify_key("sëcret").scopes == ALL_SCOPES
    assert access.identify_key("sëcre") is access.identify_key("\ud800") is access.identify_key("") is None
    monkeypatch.delenv("HUTCH_ADMIN_KEY")
    assert access.identify_key("sëcret") is None


def test_the_key_is_not_in_the_store(access, store, store_address):
    text, key = access.keys.create(["read"])
    access.identify_key(text)

    row = store.api_key(key.prefix)
    assert text[8:] not in repr(row)
    assert len(row.digest) == 32
    if "://" not in store_address:
        store.close()
        found = b"".join(path.read_bytes() for path in Path(store_address).rglob("*") if path.is_file())
        assert key.prefix.encode() in found
        assert text[8:].encode() not in found


def test_a_key_lets_in_to_a_store_that_can_only_be_read(tmp_path, read_only):
    with hutch.open_catalog(tmp_path / "s") as cat:
        text, _ = Access(cat.store).keys.create(["read"])
    read_only(tmp_path / "s")
    with contextlib.closing(open_store(tmp_path / "s")) as store:
        assert Access(store).identify_key(text) is not None
