"""The migrations lead to the schema that the code describes."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hutch.store import migrating, open_store, tables


def test_migrating_from_nothing_gives_the_described_schema(tmp_path):
    url = f"sqlite:///{tmp_path / 'hutch.db'}"
    migrating.upgrade(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == tables.HEAD
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_a_new_store_has_the_same_statements_as_a_migrated_one(tmp_path):
    migrated = tmp_path / "migrated.db"
    migrating.upgrade(f"sqlite:///{migrated}")
    open_store(tmp_path / "store").close()

    assert _statements(tmp_path / "store" / "hutch.db") == _statements(migrated)


def _statements(path):
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name != 'alembic_version'"
        )
        found = {name: " ".join(sorted(statement.replace(",", " ").split())) for name, statement in rows}
    engine.dispose()
    return found
