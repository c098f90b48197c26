"""Column types with the same meaning on PostgreSQL and SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite generates row ids only for keys declared INTEGER."""

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcInstant(TypeDecorator[datetime]):
    """A column type for aware UTC instants.

    PostgreSQL stores `timestamptz`. SQLite stores microseconds since 1970, because it has no such type and its driver
    drops the zone. Integers are exact, sort chronologically, and are short in an index.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime is no instant: {value!r}")
        return (value - EPOCH) // MICROSECOND if dialect.name == "sqlite" else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        """Return the function for the values of a column. Lists have hundreds, so that each takes one call."""
        if dialect.name == "sqlite":
            return lambda value: None if value is None else EPOCH + timedelta(0, 0, value)
        return lambda value: None if value is None else value.astimezone(UTC)


class EnumText(TypeDecorator[StrEnum]):
    """A column type for members of a `StrEnum`, stored as text. A CHECK constraint of the table lists the values."""

    impl = String(24)
    cache_ok = True

    def __init__(self, values: type[StrEnum]) -> None:
        """Store members of this enumeration."""
        super().__init__()
        self.values = values

    def process_bind_param(self, value: StrEnum | None, _dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], StrEnum | None]:  # noqa: ARG002
        """Return the function for the values of a column, as for instants."""
        members: dict[str | None, StrEnum | None] = {None: None, **{str(member): member for member in self.values}}
        return members.__getitem__


class ListOf(TypeDecorator[list[Any]]):
    """The type of aggregated values: an array on PostgreSQL, a JSON array on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        """Convert each value as this type does."""
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_result_value(self, value: Any, dialect: Dialect) -> list[Any]:
        if dialect.name != "sqlite":
            return list(value)
        convert = self.item.dialect_impl(dialect).result_processor(dialect, None)
        items: list[Any] = json.loads(value)
        return items if convert is None else [convert(item) for item in items]
