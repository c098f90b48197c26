"""Separates failures of the database that pass from errors of a statement."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from scheduler_service.errors import UnavailableError


@contextmanager
def reachable() -> Iterator[None]:
    """Raise `UnavailableError` instead of an error of the database that a later try may not meet."""
    try:
        yield
    except DBAPIError as error:
        if not _is_passing(error):
            raise
        raise UnavailableError(f"the database does not answer: {first_line(error)}") from error
    except _with_asyncpg("PostgresError") as error:
        if not _passes(str(getattr(error, "sqlstate", None) or "")):
            raise
        raise UnavailableError(f"the database does not answer: {error}") from error
    except PoolTimeoutError as error:
        raise UnavailableError("all connections to the database are in use; try again") from error
    except _with_asyncpg("InterfaceError", sqlite3.OperationalError) as error:
        raise UnavailableError(f"the database does not answer: {error}") from error
    except OSError as error:
        raise UnavailableError(f"the database cannot be reached: {error}") from error


def first_line(error: DBAPIError) -> str:
    """Return the first line of the driver's message, or the name of its error."""
    return str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__


def _with_asyncpg(name: str, *others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return an error of asyncpg, and others. With SQLite, asyncpg is not loaded, and has raised nothing."""
    driver = sys.modules.get("asyncpg")
    return others if driver is None else (getattr(driver, name), *others)


def _is_passing(error: DBAPIError) -> bool:
    unreachable = isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
    return unreachable or _passes(str(getattr(error.orig, "sqlstate", None) or ""))


def _passes(sqlstate: str) -> bool:
    """Return whether a retry can succeed: lost connection, deadlock, lack of resources, server shutdown, timeout.

    The classes are those of the PostgreSQL manual, appendix A.
    """
    return sqlstate[:2] in {"08", "40", "53", "57"} or sqlstate in {"25P03", "55P03"}
