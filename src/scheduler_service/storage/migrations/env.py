"""Runs migrations, both for Alembic's own command and for `migrations.upgrade`."""

from __future__ import annotations

import asyncio
import sys

from alembic import context
from sqlalchemy import Connection, ForeignKeyConstraint

from scheduler_service.config.loading import load_settings_without_key
from scheduler_service.config.unknown import unknown_settings
from scheduler_service.errors import SchedulerError
from scheduler_service.features.registry import FEATURES
from scheduler_service.storage import (  # noqa: F401 (their tables)
    dependency_tables,
    hour_tables,
    idempotency,
    job_versions,
    quota_tables,
    worker_tables,
)
from scheduler_service.storage.event_tables import metadata
from scheduler_service.storage.list_tables import UNMANAGED
from scheduler_service.storage.migrations import CONNECTION, Upgrade, lock, revision
from scheduler_service.storage.opening import open_database

for feature in FEATURES:
    feature.load_tables()


def migrate(connection: Connection) -> None:
    """Run the migrations in the open transaction."""
    lock(connection)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        include_name=_is_managed,
        include_object=_is_on_postgresql if connection.dialect.name == "postgresql" else None,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_by_settings() -> Upgrade:
    """Open the configured database and migrate it."""
    settings = load_settings_without_key()
    settings.prepare_data_dir()
    async with open_database(settings) as database, database.write() as connection:
        before = await connection.run_sync(revision)
        await connection.run_sync(migrate)
        return Upgrade(before, await connection.run_sync(revision))


def migrate_by_command() -> None:
    """Run the migrations that `alembic …` asks for. An error that its user can mend is one line."""
    try:
        upgrade = asyncio.run(migrate_by_settings())
        if _moves():
            context.config.print_stdout("%s", upgrade)
        if unknown := unknown_settings():
            sys.stderr.write(f"warning: unknown settings are ignored: {unknown}\n")
    except SchedulerError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def _is_managed(name: str | None, _kind: str, _parents: object) -> bool:
    return not (name or "").startswith(UNMANAGED)


def _is_on_postgresql(item: object, *_: object) -> bool:
    """Return whether PostgreSQL has an object too. It removes the parts of runs by a trigger (migration 0032)."""
    return not (isinstance(item, ForeignKeyConstraint) and item.referred_table.name == "runs")


def _moves() -> bool:
    """Return whether the command changes the revision: `alembic current` and its like only look."""
    command, *_ = context.config.cmd_opts.cmd if context.config.cmd_opts else (None,)
    return getattr(command, "__name__", "") in {"upgrade", "downgrade", "stamp"}


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get(CONNECTION)) is not None:
    migrate(given)
else:
    migrate_by_command()
