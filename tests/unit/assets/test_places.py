"""Where files are, and which of them may be opened."""

import pytest

from hutch.assets import FilePlaces, moved, path_of
from hutch.errors import ExternalDataError, ForbiddenFileError


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/data/a.h5", "/data/a.h5"),
        ("data/a.h5", "data/a.h5"),
        ("file:///data/a.h5", "/data/a.h5"),
        ("file://localhost/data/a%20b%25.h5", "/data/a b%.h5"),
        ("file://beamline.host/data/run#5?.h5", "/data/run#5?.h5"),
    ],
)
def test_the_path_in_a_uri_is_found(uri, path):
    assert path_of(uri) == path


@pytest.mark.parametrize("uri", ["http://host/a.h5", "s3://bucket/a.h5"])
def test_what_is_on_no_disk_of_this_host_is_refused(uri):
    with pytest.raises(ExternalDataError, match=f"hutch reads files of this host, and '{uri}' is none"):
        path_of(uri)


@pytest.mark.parametrize("uri", ["", "file://", "file:///a%00b", "a\0b"])
def test_what_names_no_file_is_refused(uri):
    with pytest.raises(ExternalDataError, match="names no file"):
        path_of(uri)


def test_without_roots_every_file_is_opened(tmp_path):
    (tmp_path / "a").touch()
    assert FilePlaces().find(str(tmp_path / "a")) == str(tmp_path / "a")
    with pytest.raises(ExternalDataError, match=r"'.*/b' is missing. If it has moved, tell .* root_map"):
        FilePlaces().find(str(tmp_path / "b"))


def test_with_roots_no_way_leads_out_of_them(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "database").mkdir()
    for name in ("data/in", "out", "database/out"):
        (tmp_path / name).touch()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "data" / "folder").symlink_to(tmp_path)
    (tmp_path / "data" / "inner").symlink_to(tmp_path / "data" / "in")
    places = FilePlaces({"/old": str(tmp_path)}, [tmp_path / "data"])
    assert places.find("file:///old/data/in") == str(tmp_path / "data" / "in")
    assert places.find(str(tmp_path / "data" / "inner"))
    assert places.find(str(tmp_path / "x" / ".." / "data" / "in").replace("x/../", "data/../"))
    for way in ("data/../out", "data/link", "data/folder/out", "database/out", "data/%2e%2e/out", "missing"):
        with pytest.raises(ForbiddenFileError, match="outside the folders .*HUTCH_FILE_ROOTS"):
            places.find(f"file:///old/{way}")


def test_a_root_may_be_a_link_itself(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert FilePlaces({}, [tmp_path / "link"]).find(str(tmp_path / "link" / "a"))


def test_folders_that_moved_are_whole_folders():
    assert moved("/data/csx/a", {"/data/cs": "/x", "/data": "/y"}) == "/y/csx/a"
