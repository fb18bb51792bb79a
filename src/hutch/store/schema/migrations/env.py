"""Alembic's entry: what version the database has is read in the transaction that migrates it.

Of two processes that find an old database, the second reads the version when the first has committed.
"""

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, event

from hutch.store.locks import MIGRATION, lock_number

database = context.config.attributes["database"]
engine = database if isinstance(database, Engine) else create_engine(database)


if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def _take_transactions_as_they_are_said(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _lock_at_once(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.begin() as connection:
    if engine.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock_number(MIGRATION)})")
    context.configure(connection=connection, transactional_ddl=True)
    context.run_migrations()
engine.dispose()
