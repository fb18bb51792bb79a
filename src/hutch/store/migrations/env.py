"""Alembic's entry: one connection, one transaction for each migration and its record."""

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


with engine.connect() as connection:
    if engine.dialect.name == "postgresql":
        # Of the session, which is longer than one transaction.
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({lock_number(MIGRATION)})")
        connection.commit()
    context.configure(connection=connection, transaction_per_migration=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
