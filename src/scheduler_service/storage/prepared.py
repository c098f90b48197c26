"""Compiles a statement of SQLAlchemy once, for execution by the driver itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

# Only numbers on PostgreSQL look at the type of the result, and none of the tables has others.
_FLOAT8 = 701


class DirectResult(IteratorResult[Any]):
    """The rows of a statement that the driver executed itself. `rowcount` is the number of changed rows."""

    rowcount: int = -1


class Prepared:
    """The text of a statement for one dialect, and how its parameters and its rows are converted."""

    def __init__(self, statement: Any, dialect: Dialect, keys: Iterable[str]) -> None:
        """Compile `statement`. An INSERT or UPDATE without values sets the columns among `keys`."""
        names = [key for key in keys if hasattr(statement, "table") and key in statement.table.c]
        compiled = statement.compile(dialect=dialect, column_keys=names or None)
        self.text = str(compiled)
        self.returns_rows = bool(getattr(statement, "exported_columns", ()))
        self._known = dict(compiled.params)
        types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in compiled.positiontup}
        self._parameters = [(name, types[name].bind_processor(dialect)) for name in compiled.positiontup]
        columns = list(statement.exported_columns) if self.returns_rows else []
        self._columns = [column.type.dialect_impl(dialect).result_processor(dialect, _FLOAT8) for column in columns]
        self._metadata = SimpleResultMetaData([column.name for column in columns])

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of the text."""
        given = {**self._known, **parameters}
        return [given[name] if convert is None else convert(given[name]) for name, convert in self._parameters]

    def result(self, rows: Iterable[Sequence[Any]], rowcount: int) -> DirectResult:
        """Return the driver's rows as SQLAlchemy would."""
        result = DirectResult(self._metadata, iter([self._row(row) for row in rows]))
        result.rowcount = rowcount
        return result

    def _row(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            value if value is None or convert is None else convert(value)
            for value, convert in zip(row, self._columns, strict=True)
        )


class PreparedStatements:
    """The statements of one dialect that have been compiled."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        # The statement is kept too: its id must not pass to another one.
        self._known: dict[tuple[int, tuple[str, ...]], tuple[Executable, Prepared]] = {}

    def find(self, statement: Executable, parameters: Mapping[str, Any]) -> Prepared:
        """Return a statement that is built once, compiled for parameters with these names."""
        key = (id(statement), tuple(parameters))
        if key not in self._known:
            self._known[key] = (statement, Prepared(statement, self._dialect, parameters))
        return self._known[key][1]
