"""Passes many rows to a statement as few parameters.

Theory of operation. A statement with one set of parameters for each row costs a round of work in the driver and the
database for each. Here a statement reads its rows from parameters instead: one array for each column on PostgreSQL, one
JSON document on SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, FromClause, Text, bindparam, column, func, select, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.direct import AnyConnection


class RowParameters:
    """The rows that statements read as the table `name`."""

    def __init__(self, name: str, **like: Column[Any]) -> None:
        """Name the columns and a column of the same type for each."""
        self._name = name
        self._types = {name: each.type for name, each in like.items()}

    def table(self, *, of_sqlite: bool) -> FromClause:
        """Return the table to select from."""
        return self._json_table() if of_sqlite else self._array_table()

    def values(self, connection: AnyConnection, rows: Iterable[Sequence[Any]]) -> Mapping[str, Any]:
        """Return the parameters for these rows, whose values are in the order of the columns."""
        if is_sqlite(connection):
            return {self._name: self._document(connection.dialect, rows)}
        columns = zip(*rows, strict=True)
        return {self._parameter(name): list(values) for name, values in zip(self._types, columns, strict=True)}

    def _array_table(self) -> FromClause:
        arrays = [bindparam(self._parameter(name), type_=ARRAY(type_)) for name, type_ in self._types.items()]
        columns = [column(name, type_) for name, type_ in self._types.items()]
        return func.unnest(*arrays).table_valued(*columns, name=self._name).render_derived()

    def _json_table(self) -> FromClause:
        each = func.json_each(bindparam(self._name, type_=Text())).table_valued("value", name="each")
        items = [
            type_coerce(func.json_extract(each.c.value, f"$[{rank}]"), type_).label(name)
            for rank, (name, type_) in enumerate(self._types.items())
        ]
        return select(*items).subquery(self._name)

    def _document(self, dialect: Dialect, rows: Iterable[Sequence[Any]]) -> str:
        columns = zip(*rows, strict=True)
        stored = [_stored(type_, dialect, values) for type_, values in zip(self._types.values(), columns, strict=True)]
        return json.dumps(list(zip(*stored, strict=True)))

    def _parameter(self, name: str) -> str:
        return f"{self._name}_{name}"


def _stored(type_: TypeEngine[Any], dialect: Dialect, values: Sequence[Any]) -> Sequence[Any]:
    """Return values as the database stores them. Each different one is converted once; most rows share a few."""
    convert = type_.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return values
    known = {value: convert(value) for value in set(values)}
    return [known[value] for value in values]
