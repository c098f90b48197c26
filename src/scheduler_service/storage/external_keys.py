"""Keeps the external keys of an owner's jobs apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError

from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.storage.dialect import is_unique_violation

FIELD = "external_key"


@contextmanager
def unique_key(*rows: Mapping[str, Any]) -> Iterator[None]:
    """Raise `InvalidInputError` if storing these columns of jobs violates the unique index of external keys."""
    try:
        yield
    except IntegrityError as error:
        # PostgreSQL names the index, SQLite the columns.
        if not (is_unique_violation(error) and FIELD in str(error.orig)):
            raise
        message = "another job of this owner has this key; change that job, or write another key"
        raise InvalidInputError(FieldProblem(FIELD, message, rows[0].get(FIELD) if len(rows) == 1 else None)) from error
