"""Alembic's entry: one connection, one transaction for each migration and its record."""

from alembic import context
from sqlalchemy import Connection, create_engine, event

engine = create_engine(context.config.attributes["url"])


if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def _take_transactions_as_they_are_said(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _lock_at_once(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
