import pytest

import hutch
from hutch.errors import ConfigurationError


def test_a_folder_becomes_a_store_and_opens_again(tmp_path):
    with hutch.open_catalog(tmp_path / "new" / "store") as catalog:
        with catalog.start_run() as run:
            run.add("primary", {"x": 1.0})
        uid = catalog[-1].uid
    with hutch.open_catalog(str(tmp_path / "new" / "store")) as catalog:
        assert list(catalog) == [uid]
        assert catalog.name == "raw"


def test_options_are_those_of_the_catalog(tmp_path):
    with hutch.open_catalog(tmp_path, root_map={"/a": "/b"}, datetimes=True) as catalog:
        assert catalog.root_map == {"/a": "/b"}
        assert catalog[:].datetimes


@pytest.mark.parametrize("where", ["http://localhost:8000", "mysql://localhost/hutch"])
def test_an_address_of_something_else_is_refused_and_makes_no_folder(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="begins with 'postgresql://', and this one begins with"):
        hutch.open_catalog(where)
    assert list(tmp_path.iterdir()) == []


def test_the_address_of_a_database_opens_its_store(postgres_address):
    with hutch.open_catalog(postgres_address) as catalog:
        with catalog.start_run() as run:
            run.add("primary", {"x": 1.0})
        assert list(catalog[-1].primary.read()["x"].values) == [1.0]
    with hutch.open_catalog(postgres_address.replace("postgresql://", "postgres://")) as catalog:
        assert len(catalog) == 1


def test_a_key_for_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="needs none"):
        hutch.open_catalog(tmp_path, api_key="secret")
