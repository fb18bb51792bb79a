"""The commands of who may do what: what they print, what they change, and what they refuse."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

import hutch
from hutch.access import Access
from hutch.cli.group import hutch as program


@pytest.fixture
def access(place) -> Iterator[Access]:
    with hutch.open_catalog(place) as cat:
        yield Access(cat.store)


def listed(invoke, *arguments):
    found = invoke(*arguments, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


# keys


def test_a_key_is_printed_alone_and_once(invoke, access) -> None:
    invoke("user", "add", "bob", "--no-password")
    options = [
        "--scope",
        "read",
        "--scope",
        "record",
        "--owner",
        "bob",
        "--expires",
        "30d",
        "--catalog",
        "raw",
    ]
    found = invoke("key", "create", *options, "--note", "DAQ")

    assert found.exit_code == 0, found.output
    text = found.stdout.strip()
    identity = access.identify_key(text)
    assert (identity.user, identity.scopes, identity.catalogs) == ("bob", {"read", "record"}, {"raw"})
    (key,) = listed(invoke, "key", "list")
    assert (key["prefix"], key["status"], key["note"]) == (text[:8], "valid", "DAQ")
    assert key["expires"] - key["created"] == 30 * 86_400
    table = invoke("key", "list").stdout
    assert text[:8] in table
    assert text[8:] not in table


def test_a_key_as_json_has_all_that_is_known_of_it(invoke, access) -> None:
    found = listed(invoke, "key", "create", "--scope", "admin")

    assert access.identify_key(found["key"]).is_admin
    assert found["prefix"] == found["key"][:8]


def test_a_revoked_key_is_listed_and_of_no_use(invoke, access) -> None:
    text = invoke("key", "create", "--scope", "read").stdout.strip()
    assert invoke("key", "revoke", text[:8]).exit_code == 0

    assert access.identify_key(text) is None
    assert listed(invoke, "key", "list")[0]["status"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["key", "create"], 2, "Missing option '--scope'"),
        (["key", "create", "--scope", "all"], 1, "There is no scope 'all'. Scopes are: read"),
        (["key", "create", "--scope", "read", "--expires", "soon"], 2, "is no age"),
        (["key", "create", "--scope", "read", "--expires", "0d"], 1, "can't expire"),
        (["key", "create", "--scope", "read", "--owner", "bob"], 1, "hutch user add"),
        (["key", "revoke", "nothing"], 1, "hutch key list"),
        (["user", "add", "Bob", "--no-password"], 1, "lower-case"),
        (["user", "add", "bob", "--no-password", "--password-stdin"], 2, "not both"),
        (["user", "add", "bob", "--password-stdin"], 1, "A password is one line"),
        (["user", "passwd", "bob"], 1, "There is no user 'bob'. Users: none"),
        (["user", "disable", "bob"], 1, "There is no user 'bob'"),
        (["experiment", "create", "x"], 2, "Missing option '--instrument'"),
        (["experiment", "create", "a b", "--instrument", "XPP"], 1, "is no name of an experiment"),
        (["experiment", "create", "a", "--instrument", "?"], 1, "is no instrument"),
        (["experiment", "create", "a", "--instrument", "XPP", "--station", "-1"], 2, "station"),
        (["experiment", "create", "a", "--instrument", "XPP", "--start", "x"], 1, "is no time"),
        (["experiment", "activate", "x"], 1, "hutch experiment list"),
        (["experiment", "show", "x"], 1, "There is no experiment 'x'"),
    ],
)
def test_what_makes_no_sense_is_refused(invoke, arguments, status, said) -> None:
    found = invoke(*arguments)

    assert found.exit_code == status
    assert said in found.stderr
    assert found.stdout == ""


# users


def with_input(text: str, *arguments: str) -> None:
    found = CliRunner().invoke(program, arguments, input=text)
    assert found.exit_code == 0, found.output
    assert "secret" not in found.output


@pytest.mark.usefixtures("invoke")
def test_a_password_comes_from_stdin_or_is_typed_twice(access) -> None:
    with_input("secret\nand more\n", "user", "add", "xppopr", "--password-stdin")
    assert access.identify_user("xppopr", "secret").user == "xppopr"
    with_input("secret2\nsecret2\n", "user", "add", "bob", "--scope", "read", "--catalog", "raw")
    found = access.identify_user("bob", "secret2")
    assert (found.scopes, found.catalogs) == ({"read"}, {"raw"})
    with_input("secret3", "user", "passwd", "bob", "--password-stdin")
    assert access.identify_user("bob", "secret3") is not None


@pytest.mark.usefixtures("access")
@pytest.mark.parametrize("typed", [b"", b"secret\n"])
def test_where_nothing_comes_it_is_said_how_a_password_is_given(place, typed) -> None:
    command = [sys.executable, "-m", "hutch", "user", "add", "bob", "--store", str(place)]
    refused = subprocess.run(  # noqa: S603 - of a test
        command, input=typed, capture_output=True, check=False, start_new_session=True
    )
    said = refused.stderr.decode()
    assert refused.returncode == 2
    assert "Give it once, as a line, with --password-stdin" in said
    assert "GetPassWarning" not in said


def test_users_are_listed_disabled_enabled_and_removed(invoke, access) -> None:
    for name in ("bob", "ann"):
        assert invoke("user", "add", name, "--no-password").exit_code == 0
    invoke("user", "disable", "bob")
    assert [(user["name"], user["disabled"] is None) for user in listed(invoke, "user", "list")] == [
        ("ann", True),
        ("bob", False),
    ]
    assert "disabled" in invoke("user", "list").stdout
    invoke("user", "enable", "bob")
    assert access.identify_trusted("bob") is not None
    invoke("user", "remove", "bob")
    assert [user["name"] for user in listed(invoke, "user", "list")] == ["ann"]


def test_lists_of_nothing_say_how_to_make_something(invoke) -> None:
    for name, said in (
        ("key", "hutch key create"),
        ("user", "hutch user add"),
        ("experiment", "create NAME"),
    ):
        found = invoke(name, "list")
        assert (found.exit_code, found.stdout) == (0, "")
        assert said in found.stderr
        assert listed(invoke, name, "list") == []


# experiments


def test_an_experiment_is_made_activated_and_shown(invoke, place, access) -> None:
    said = invoke(
        "experiment", "create", "xpp1", "--instrument", "xpp", "--leader", "Ada", "--start", "2026-11-26"
    )
    assert "its members may read it" in said.stderr
    assert invoke("experiment", "activate", "xpp1").exit_code == 0
    with hutch.open_catalog(place) as cat:
        for instrument in ("XPP", "CXI"):
            with cat.start_run(instrument=instrument):
                pass
    invoke("user", "add", "bob", "--no-password")
    assert invoke("experiment", "role", "xpp1", "bob", "editor").exit_code == 0

    found = listed(invoke, "experiment", "show", "xpp1")
    assert (found["instrument"], found["station"], found["leader"]) == ("XPP", 0, "Ada")
    assert (found["active"], found["runs"], found["roles"]) == (True, 1, {"bob": "editor"})
    shown = invoke("experiment", "show", "xpp1").stdout
    assert "XPP · station 0 · 1 run · active · restricted" in shown
    assert [line.split() for line in shown.splitlines()[-2:]] == [["xppopr", "operator"], ["bob", "editor"]]
    assert access.experiments.active("XPP").name == "xpp1"
    invoke("experiment", "deactivate", "xpp1")
    assert access.experiments.active("XPP") is None
    assert invoke("experiment", "role", "xpp1", "bob", "none").exit_code == 0
    assert access.experiments.roles("xpp1") == {}


def test_an_experiment_is_locked_and_opened(invoke) -> None:
    invoke("experiment", "create", "xpp1", "--instrument", "XPP", "--open")
    invoke("experiment", "create", "xpp2", "--instrument", "XPP", "--station", "1")
    for word in ("lock", "restrict"):
        assert invoke("experiment", word, "xpp1").exit_code == 0
    refused = invoke("experiment", "activate", "xpp1")
    assert refused.exit_code == 1
    assert "hutch experiment unlock xpp1" in refused.stderr
    assert invoke("experiment", "open", "xpp2").exit_code == 0

    rows = [line.split() for line in invoke("experiment", "list").stdout.splitlines()[1:]]
    assert rows == [["xpp1", "XPP", "0", "restricted,", "locked"], ["xpp2", "XPP", "1", "open"]]
    assert invoke("experiment", "unlock", "xpp1").exit_code == 0
    assert [one["locked"] for one in listed(invoke, "experiment", "list")] == [None, None]


COMMANDS = [
    ("key", "create"), ("key", "list"), ("key", "revoke"),
    *(("user", name) for name in ("add", "list", "passwd", "disable", "enable", "remove")),
    *(("experiment", name) for name in ("create", "activate", "deactivate", "list", "show", "role", "lock",
                                        "unlock", "restrict", "open")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "word"), COMMANDS)
def test_help_ends_in_an_example_that_runs(invoke, name, word, monkeypatch) -> None:
    if word == "revoke":
        monkeypatch.setattr("secrets.token_hex", lambda _: "1a2b3c4d" + "0" * 56)
        invoke("key", "create", "--scope", "read")
    if (name, word) != ("user", "add"):
        invoke("user", "add", "alice", "--no-password")
    if (name, word) != ("experiment", "create"):
        invoke("experiment", "create", "xppl1001221", "--instrument", "XPP")
    *_, heading, line = invoke(name, word, "--help").stdout.splitlines()
    found = CliRunner().invoke(program, shlex.split(line)[1:], input="secret\nsecret\n")

    assert heading == "Example:"
    assert line.split()[:3] == ["hutch", name, word]
    assert found.exit_code == 0, found.output


# what workflows may run


def test_programs_are_allowed_listed_and_forbidden(invoke, access, tmp_path, monkeypatch) -> None:
    assert "hutch workflow allow PATH" in invoke("workflow", "allowed").stderr
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.sh").touch(mode=0o755)
    found = invoke("workflow", "allow", "fit.sh", "/opt/only at S3DF", "--author", "ada")

    assert found.exit_code == 0, found.output
    assert found.stderr.splitlines() == [
        f"Workflows may run {tmp_path}/fit.sh.",
        "Workflows may run /opt/only at S3DF.",
        "  On this machine there is no such program.",
    ]
    assert [(one["path"], one["author"]) for one in listed(invoke, "workflow", "allowed")] == [
        ("/opt/only at S3DF", "ada"),
        (f"{tmp_path}/fit.sh", "ada"),
    ]
    assert "/opt/only at S3DF" in invoke("workflow", "allowed").stdout
    assert invoke("workflow", "forbid", "fit.sh").exit_code == 0
    assert [one.path for one in access.executables.all()] == ["/opt/only at S3DF"]


def test_a_folder_is_not_allowed_as_a_program(invoke, access, tmp_path) -> None:
    (tmp_path / "fit.sh").touch(mode=0o755)
    found = invoke("workflow", "allow", f"{tmp_path}/fit.sh", f"{tmp_path}")

    assert found.exit_code == 1
    assert "is a folder" in found.stderr
    assert access.executables.all() == []


def test_more_is_said_of_an_experiment_later(invoke, access) -> None:
    invoke("experiment", "create", "xpp1", "--instrument", "XPP", "--leader", "Ada", "--start", "2026-11-26")
    options = ["--description", "LaB₆", "--end", "2026-11-28", "--author", "bob"]
    assert invoke("experiment", "describe", "xpp1", *options).exit_code == 0
    found = access.experiments.find("xpp1")
    assert (found.leader, found.description, found.ends - found.begins) == ("Ada", "LaB₆", 2 * 86_400)
    wrong = invoke("experiment", "describe", "xpp1", "--end", "2026-11-25", "--leader", "Eve")
    assert (wrong.exit_code, access.experiments.find("xpp1")) == (1, found)
    (last, _) = listed(invoke, "experiment", "audit", "xpp1")
    assert (last["action"], last["author"], last["details"]["description"]) == (
        "experiment.describe",
        "bob",
        "LaB₆",
    )
