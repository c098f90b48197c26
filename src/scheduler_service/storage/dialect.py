"""SQL that differs between PostgreSQL and SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, CursorResult, Float, Select, Table, collate, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.types import ListOf, UtcInstant


def is_sqlite(connection: AnyConnection) -> bool:
    return connection.dialect.name == "sqlite"


def dicts(result: CursorResult[Any]) -> list[dict[str, Any]]:
    """Return all rows by the names of their columns. Reading them from `mappings` takes twice as long."""
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def insert_or_ignore(connection: AsyncConnection, target: Table) -> Any:
    """Return an INSERT that does nothing if a unique constraint is violated."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(target).on_conflict_do_nothing()


def insert_or_add(
    connection: AsyncConnection,
    target: Table,
    added: Sequence[str],
    source: tuple[Sequence[str], Select[Any]] | None = None,
) -> Any:
    """Return an INSERT that adds to columns of a row that exists. `source`: the names and the query of its rows."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(target)
    if source is not None:
        insert = insert.from_select(*source)
    sums = {name: target.c[name] + insert.excluded[name] for name in added}
    return insert.on_conflict_do_update(index_elements=[*target.primary_key], set_=sums)


class json_array_has(FunctionElement[bool]):  # noqa: N801 (a function of SQL)
    """Return whether a JSON array of strings contains an item."""

    type = Boolean()
    inherit_cache = True


@compiles(json_array_has, "postgresql")
def _has_on_postgresql(element: json_array_has, compiler: SQLCompiler, **options: Any) -> str:
    array, item = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({array} ? {item})"


@compiles(json_array_has, "sqlite")
def _has_on_sqlite(element: json_array_has, compiler: SQLCompiler, **options: Any) -> str:
    array, item = (compiler.process(clause, **options) for clause in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({array}) AS each WHERE each.value = {item})"  # noqa: S608 (compiled)


class json_array_within(FunctionElement[bool]):  # noqa: N801 (a function of SQL)
    """Whether each item of a JSON array of strings is among those of another."""

    type = Boolean()
    inherit_cache = True


@compiles(json_array_within, "postgresql")
def _within_on_postgresql(element: json_array_within, compiler: SQLCompiler, **options: Any) -> str:
    array, others = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({array} <@ CAST({others} AS JSONB))"


@compiles(json_array_within, "sqlite")
def _within_on_sqlite(element: json_array_within, compiler: SQLCompiler, **options: Any) -> str:
    array, others = (compiler.process(clause, **options) for clause in element.clauses)
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({array}) AS each "  # noqa: S608 (compiled)
        f"WHERE each.value NOT IN (SELECT other.value FROM json_each({others}) AS other))"
    )


class list_of(FunctionElement[list[Any]]):  # noqa: N801 (a function of SQL)
    """Aggregate the values of a column."""

    inherit_cache = True

    def __init__(self, values: ColumnElement[Any]) -> None:
        """Take the type of an item from the column."""
        super().__init__(values)
        self.type = ListOf(values.type)


@compiles(list_of, "postgresql")
def _list_on_postgresql(element: list_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"array_agg({compiler.process(element.clauses, **options)})"


@compiles(list_of, "sqlite")
def _list_on_sqlite(element: list_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


def lowered(connection: AsyncConnection, text: ColumnElement[str]) -> ColumnElement[str]:
    """Return a text in lower case, in every script."""
    # This collation follows Unicode in every database. Older servers lack it and use the database's locale. On SQLite,
    # the connection registers its own lower().
    if connection.dialect.name == "postgresql" and (connection.dialect.server_version_info or ()) >= (17,):
        text = collate(text, "pg_c_utf8")
    return func.lower(text)


class seconds_between(FunctionElement[float]):  # noqa: N801 (a function of SQL)
    """Return the seconds between two instants, or NULL if one of them is NULL."""

    type = Float()
    inherit_cache = True


@compiles(seconds_between, "postgresql")
def _seconds_on_postgresql(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    earlier, later = (compiler.process(clause, **options) for clause in element.clauses)
    return f"extract(epoch FROM {later} - {earlier})::double precision"


@compiles(seconds_between, "sqlite")
def _seconds_on_sqlite(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    earlier, later = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(({later} - {earlier}) / 1e6)"


class hour_start(FunctionElement[datetime]):  # noqa: N801 (a function of SQL)
    """Return the beginning of the hour of UTC that contains an instant."""

    type = UtcInstant()
    inherit_cache = True


@compiles(hour_start, "postgresql")
def _hour_on_postgresql(element: hour_start, compiler: SQLCompiler, **options: Any) -> str:
    return f"date_trunc('hour', {compiler.process(element.clauses, **options)}, 'UTC')"


@compiles(hour_start, "sqlite")
def _hour_on_sqlite(element: hour_start, compiler: SQLCompiler, **options: Any) -> str:
    instant = compiler.process(element.clauses, **options)
    return f"({instant} - {instant} % 3600000000)"


class minute_start(FunctionElement[datetime]):  # noqa: N801 (a function of SQL)
    """Return the beginning of the minute that contains an instant."""

    type = UtcInstant()
    inherit_cache = True


@compiles(minute_start, "postgresql")
def _minute_on_postgresql(element: minute_start, compiler: SQLCompiler, **options: Any) -> str:
    return f"date_trunc('minute', {compiler.process(element.clauses, **options)}, 'UTC')"


@compiles(minute_start, "sqlite")
def _minute_on_sqlite(element: minute_start, compiler: SQLCompiler, **options: Any) -> str:
    instant = compiler.process(element.clauses, **options)
    return f"({instant} - {instant} % 60000000)"


def is_unique_violation(error: Exception) -> bool:
    """Return whether a unique constraint refused the statement."""
    original = getattr(error, "orig", error)
    return getattr(original, "sqlstate", None) == "23505" or "UNIQUE constraint failed" in str(original)
