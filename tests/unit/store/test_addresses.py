"""Addresses of databases, and what of them may be seen."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hutch.errors import ConfigurationError
from hutch.store.addresses import Address, is_address


@pytest.mark.parametrize(
    ("text", "shown", "password"),
    [
        ("postgresql://ann:se%40cret@host:5433/runs", "postgresql://ann@host:5433/runs", "se@cret"),
        ("postgres://ann:secret@host/runs", "postgresql://ann@host/runs", "secret"),
        ("postgresql://:secret@host/runs", "postgresql://host/runs", "secret"),
        (
            "postgresql://ann@/runs?host=/run/pg&password=secret",
            "postgresql://ann@/runs?host=/run/pg",
            "secret",
        ),
        ("postgresql://a:secret@h1:1,h2:2/runs?connect_timeout=3", None, "secret"),
        ("postgresql://a:secret@[::1]:5/runs?options=-csearch_path%3Dhutch", None, "secret"),
        ("postgresql://a:se:cret@host/runs", "postgresql://a@host/runs", "se:cret"),
        ("postgresql://", "postgresql://", None),
        ("postgresql:///runs", "postgresql:///runs", None),
    ],
)
def test_an_address_is_shown_without_its_password(text, shown, password):
    address = Address(text)

    assert conninfo_to_dict(address.conninfo).get("password") == password
    assert address.shown == (shown or text.replace(":secret@", "@"))
    assert "cret" not in f"{address!r} {address}"
    # What is shown is an address too, and is that of the same database.
    rest = conninfo_to_dict(address.conninfo)
    rest.pop("password", None)
    assert conninfo_to_dict(address.shown) == rest


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:se@cret@host/runs",
        "postgresql://ann:se/cret@host/runs",
        "postgresql://ann:se?cret@host/runs",
        "postgresql://ann:se#cret@host/runs",
        "postgresql://ann:se/cr@et@host/runs",
    ],
)
def test_a_password_that_should_be_written_otherwise_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError, match="write '@' as %40") as caught:
        Address(text)
    assert "cret" not in str(caught.value)


def test_messages_of_the_driver_lose_passwords():
    address = Address("postgresql://ann:se%zzcret@host/runs")
    with pytest.raises(psycopg.ProgrammingError, match="se%zzcret") as caught:
        conninfo_to_dict(address.conninfo)

    assert "cret" not in address.hide_secrets(str(caught.value))
    assert Address("postgresql://a:x@host/").hide_secrets('expected "x" of\n  max') == "expected … of max"


@pytest.mark.parametrize("text", ["http://host", "mysql://host/runs", "file:///tmp"])
def test_an_address_of_something_else_is_refused(text):
    assert is_address(text)
    with pytest.raises(ConfigurationError, match="begins with 'postgresql://', and this one begins with"):
        Address(text)


@pytest.mark.parametrize("text", ["/a/folder", "beamtime", "c:folder", "a//b"])
def test_a_folder_is_no_address(text):
    assert not is_address(text)
