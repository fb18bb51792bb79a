"""What a file of settings can say, and what is said of all that it can't."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hutch.config.reading import dotted, quoted, read_settings
from hutch.config.settings import Settings

FOLDER = Path("/etc/hutch")


def settings(text: str) -> Settings:
    found, problems = read_settings(tomllib.loads(text), FOLDER)
    assert problems == []
    return found


def problems(text: str) -> list[str]:
    return read_settings(tomllib.loads(text), FOLDER)[1]


def test_an_empty_file_says_nothing() -> None:
    assert settings("") == Settings()


def test_catalogs_are_found_at_any_depth_in_their_order() -> None:
    found = settings(
        "[catalogs.raw]\nstore = 'a'\n[catalogs.x.y.z]\nstore = 'b'\n[catalogs.x.'a name']\nstore = 'c'\n"
        "[catalogs.1-2_3]\nstore='d'\n"
    ).catalogs

    assert list(found) == ["raw", "x/y/z", "x/a name", "1-2_3"]
    assert [catalog.name for catalog in found.values()] == ["raw", "z", "a name", "1-2_3"]


def test_relative_folders_start_from_the_folder_of_the_file_and_a_tilde_is_the_home(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    found = settings(
        "[catalogs.a]\nstore = 'a'\nroot_map = {'/old' = 'new', 'old' = '~/new'}\n"
        "[catalogs.b]\nstore = '~/b'\n[catalogs.c]\nstore = '/c'\n"
        "[catalogs.d]\nstore = 'postgresql://host/d'\nfiles = 'd'\n"
        "[files]\nroots = ['~', 'x', '/y']\n[spool]\nfolder = 'spool'\n"
    )

    stores = [catalog.store for catalog in found.catalogs.values()]
    assert stores == ["/etc/hutch/a", "/home/ann/b", "/c", "postgresql://host/d"]
    assert found.catalogs["a"].root_map == {"/old": "/etc/hutch/new", "old": "/home/ann/new"}
    assert found.catalogs["d"].files == FOLDER / "d"
    assert found.files.roots == (Path("/home/ann"), FOLDER / "x", Path("/y"))
    assert found.spool.folder == FOLDER / "spool"


def test_the_only_catalog_is_the_default() -> None:
    one, two = "[catalogs.a]\nstore='a'\n", "[catalogs.b.c]\nstore='b'\n"

    only = settings(one).default_catalog
    named = settings("default = 'b/c'\n" + one + two).default_catalog
    assert only is not None
    assert named is not None
    assert (only.path, named.path) == ("a", "b/c")
    assert settings(one + two).default_catalog is None
    assert settings("").default_catalog is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("spol = 1", "there is no 'spol' (did you mean 'spool'?); there are default, catalogs, elog, "),
        ("[catalog.raw]\nstore='a'", "there is no 'catalog' (did you mean 'catalogs'?)"),
        ("zzz = 1", "there is no 'zzz'; there are default, catalogs, elog, files, logbook, monitor, "),
        ("[files]\nrots = []", "there is no 'files.rots' (did you mean 'files.roots'?); there are roots"),
        ("files = 3", "'files' is 3; it is a table: [files]"),
        ("catalogs = 'a'", "'catalogs' is 'a'; it is a table: [catalogs]"),
        ("[[catalogs.raw]]\nstore = 'a'", "'catalogs.raw' is a list; it is a table: [catalogs.raw]"),
        ("[catalogs]\nraw = '/data'", "'catalogs.raw' is '/data'; it is a table: [catalogs.raw]"),
        ("[catalogs.raw]", "'catalogs.raw' is empty; give it a store, as in store = '/data/csx/raw'"),
        ("[catalogs.raw]\nstroe = 'a'", "there is no 'catalogs.raw.stroe' (did you mean 'catalogs.raw.st"),
        ("[catalogs.raw]\ndatetimes = true", "'catalogs.raw' has no store; give it a store, as in store = "),
        ("[catalogs.raw]\nstore = 3", "'catalogs.raw.store' is 3; give a folder, or an address such as"),
        ("[catalogs.raw]\nstore = ''", "'catalogs.raw.store' is ''; give a folder"),
        (
            "[catalogs.raw]\nstore = ['postgresql://ann:secret@host']",
            "'catalogs.raw.store' is a list; give a folder",
        ),
        ("[catalogs.raw]\nstore = 'a'\ndatetimes = 1", "'catalogs.raw.datetimes' is 1; give true or false"),
        ("[catalogs.raw]\nstore = 'a'\nroot_map = 'b'", "'catalogs.raw.root_map' is 'b'; give a table"),
        ("[catalogs.raw]\nstore = 'a'\nroot_map = {'b' = 1}", "'catalogs.raw.root_map' is a table; give"),
        (
            "[catalogs.raw]\nstore = 'a'\nrot_map = {'/b' = '/c'}",
            "there is no 'catalogs.raw.rot_map' (did you mean 'catalogs.raw.root_map'?)",
        ),
        (
            "[catalogs.raw]\nstore = 'http://host'\napi_key_env = 'se-cret'",
            "'catalogs.raw.api_key_env' is something else; give the name of an environment variable",
        ),
        (
            "[catalogs.raw]\nstore = 'a'\napi_key_env = 'KEY'",
            "'catalogs.raw.api_key_env' goes with a store whose address begins with 'http://'",
        ),
        (
            "[catalogs.raw]\nstore = 'a'\nfiles = 'b'",
            "'catalogs.raw.files' goes with a store whose address begins with 'postgresql://'",
        ),
        (
            "[catalogs.raw]\nstore = 'a'\n[catalogs.raw.old]\nstore = 'b'",
            "'catalogs.raw' is a catalog, as it has a store, and so it cannot be a folder that has 'old'",
        ),
        (
            "[catalogs.raw]\nstore = 'a'\n[catalogs.raw.old.er]\nstore = 'b'",
            "'catalogs.raw' is a catalog, as it has a store, and so it cannot be a folder that has 'old'",
        ),
        (
            "[catalogs.store.raw]\nstore = 'a'",
            "'catalogs.store' is no name of a catalog: 'store' is a setting of catalogs",
        ),
        ("[catalogs.'a/b']\nstore = 'a'", "'catalogs.\"a/b\"' is no name of a catalog: a name begins with"),
        ("[catalogs.'.']\nstore = 'a'", "'catalogs.\".\"' is no name of a catalog"),
        ("[catalogs.'']\nstore = 'a'", "'catalogs.\"\"' is no name of a catalog"),
        (
            "default = 'csx/rw'\n[catalogs.csx.raw]\nstore = 'a'",
            "'default' is 'csx/rw', and there is no such catalog (did you mean 'csx/raw'?); there are ",
        ),
        ("default = 'raw'", "'default' is 'raw', and there is no such catalog; there are none"),
        ("default = 'http://ann:secret@host'", "'default' is some text, and there is no such catalog"),
        ("default = 3", "'default' is 3; give the path of a catalog, as in 'csx/raw'"),
        ("[files]\nroots = '/a'", "'files.roots' is '/a'; give a list of folders"),
        ("[files]\nroots = ['http://a']", "'files.roots' has some text; give a list of folders"),
        (
            "[logbook]\nmail_to = ['crew@example.org', 'no address', 3]",
            "'logbook.mail_to' has 'no address', 3; give a list of addresses, as in ['crew@example.org']",
        ),
        (
            "[server]\nproxies = ['10.0.0.0/8', 'here']",
            "'server.proxies' has 'here'; give a list of addresses or networks",
        ),
        ("[spool]\nmemory_bytes = -1", "'spool.memory_bytes' is -1; give a number of bytes, 0 or more"),
        ("[spool]\nmemory_bytes = true", "'spool.memory_bytes' is true; give a number of bytes"),
        (f"[spool]\nmemory_bytes = 0x{'f' * 10_000}", "'spool.memory_bytes' is a large number; give a"),
        ("[recording]\npatience_s = inf", "'recording.patience_s' is inf; give a number of seconds"),
        ("[recording]\npatience_s = 1979-05-27", "'recording.patience_s' is datetime.date(1979, 5, 27); "),
        ("[spool]\nfolder = \"a\\u0000b\"", "'spool.folder' is 'a\\x00b'; give a folder"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_named_with_its_key_and_what_is_expected(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)
    assert "secret" not in found
    assert "se-cret" not in found


def test_every_problem_is_found_at_once() -> None:
    found = problems(
        "default = 'b'\nzzz = 1\n[catalogs.a]\nstroe = 1\n[catalogs.b]\nstore = 2\ndatetimes = 3\n"
        "[files]\nroots = 4\n"
    )

    keys = ["'zzz'", "'files.roots'", "'catalogs.a.stroe'", "'catalogs.b.store'", "'catalogs.b.datetimes'"]
    assert len(found) == len(keys)
    assert all(key in problem for key, problem in zip(keys, found, strict=True))


def test_keys_and_text_can_be_read_again() -> None:
    for text in ("a b", 'quo"te', "back\\slash", "tab\t", "\x7f\x01", "é€😀"):
        assert tomllib.loads(f"{dotted(text)} = {quoted(text)}") == {text: text}
    assert dotted("catalogs", "csx", "a b") == 'catalogs.csx."a b"'
