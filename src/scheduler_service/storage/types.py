"""Column types with the same meaning on PostgreSQL and SQLite."""

from __future__ import annotations

import json
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

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = EPOCH + value * MICROSECOND if dialect.name == "sqlite" else value.astimezone(UTC)
        return instant


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

    def process_result_value(self, value: str | None, _dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.values(value)


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
