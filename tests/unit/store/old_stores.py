"""A store of the first schema, with runs of every kind, as it was left by the version that made it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import sqlite3
import zlib
from pathlib import Path

import psycopg
import pytest

import hutch
from hutch.documents import encode
from hutch.store.postgres.opening import MARKER
from hutch.store.schema import migrating

DATA = Path(__file__).parents[2] / "data" / "store-0001"

DOCUMENTS: dict[str, list[list[str]]] = json.loads((DATA / "documents.json").read_text())
"""What the old version replayed of each run: kinds, and SHA-256 of the documents."""


def _write_files(folder: Path) -> None:
    for name, packed in json.loads((DATA / "files.json").read_text()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b64decode(packed)))


def make_folder(folder: Path) -> str:
    """Make the store in a folder; return its address."""
    (folder / "owners").mkdir(parents=True)
    (folder / "files").mkdir()
    _write_files(folder / "files")
    with contextlib.closing(sqlite3.connect(folder / "hutch.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript((DATA / "hutch.sql").read_text())
    return str(folder)


def make_database(address: str, files: Path) -> str:
    """Make the store in an empty database; return its address."""
    _write_files(files / "files")
    migrating.upgrade(address.replace("postgresql://", "postgresql+psycopg://"), "0001")
    source = sqlite3.connect(":memory:")
    source.executescript((DATA / "hutch.sql").read_text())
    with contextlib.closing(source), psycopg.connect(address) as target:
        # A server forgets owners that have been dead for long.
        tables = ["properties", "runs", "documents", "segments", "batches", "leaves", "marks"]
        for table in [*tables, "quarantine", "stash", "changes"]:
            cursor = source.execute(f"SELECT * FROM {table}")  # noqa: S608 - named above
            columns = ", ".join(column[0] for column in cursor.description)
            marks = ", ".join(["%s"] * len(cursor.description))
            said = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
            target.cursor().executemany(said, cursor.fetchall())
        for table, key in {"runs": "id", "segments": "id", "batches": "id", "quarantine": "id"}.items():
            largest = f"SELECT max({key}) FROM {table}"  # noqa: S608
            target.execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), ({largest}))")
        target.execute("INSERT INTO properties VALUES ('files', %s)", [str(files)])
        (uid,) = target.execute("SELECT value FROM properties WHERE key = 'store'").fetchone()
    (files / MARKER).write_text(f"{uid}\n")
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def old_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of the store in each database."""
    if request.param == "sqlite":
        return make_folder(tmp_path / "old")
    server = request.getfixturevalue("postgres_server")
    return make_database(server.address(server.make_database()), tmp_path / "old")


def copy_of(address: str, request: pytest.FixtureRequest, number: int) -> str:
    """Return the address of a copy of an old store that nobody has open."""
    if "://" not in address:
        shutil.copytree(address, f"{address}-{number}")
        return f"{address}-{number}"
    server = request.getfixturevalue("postgres_server")
    name = address.rpartition("/")[0] and address.split("/")[3].split("?")[0]
    server.execute(f"CREATE DATABASE {name}_{number} TEMPLATE {name}")
    return server.address(f"{name}_{number}")


def version_of(address: str) -> str:
    """Return the schema that a store has."""
    said = "SELECT version_num FROM alembic_version"
    if "://" in address:
        with psycopg.connect(address) as connection:
            return str(connection.execute(said).fetchone()[0])
    with contextlib.closing(sqlite3.connect(Path(address) / "hutch.db")) as connection:
        return str(connection.execute(said).fetchone()[0])


def replayed(address: str) -> dict[str, list[list[str]]]:
    """Return what is replayed of each run: kinds, and SHA-256 of the documents."""
    with hutch.open_catalog(address) as catalog:
        return {
            uid: [
                [name, hashlib.sha256(encode(document)).hexdigest()]
                for name, document in run.documents(fill="no")
            ]
            for uid, run in catalog.items()
        }
