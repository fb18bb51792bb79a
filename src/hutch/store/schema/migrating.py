"""Bringing the schema of an older store up to date, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine

__all__ = ["is_known", "upgrade"]


def is_known(revision: str) -> bool:
    """Tell whether a store's revision is one that this version of hutch can migrate."""
    scripts = ScriptDirectory.from_config(_config(""))
    return any(script.revision == revision for script in scripts.walk_revisions())


def upgrade(database: str | URL | Engine, revision: str = "head") -> None:
    """Migrate a database to a revision; the migrations and their record share a transaction.

    Two processes do it one after the other, and the second finds nothing to do.
    """
    command.upgrade(_config(database), revision)


def _config(database: str | URL | Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["database"] = database
    return config
