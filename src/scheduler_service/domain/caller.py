"""The caller of an operation: which owners' objects it may access, and with which scopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_service.errors import ForbiddenError


class Scope(StrEnum):
    """What a caller may do: read objects, write them, and start or stop runs.

    `ADMIN` extends the other scopes to the objects of every owner. It includes none of them.
    """

    READ = "read"
    WRITE = "write"
    RUN = "run"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a valid key. `owner_id` None means that the key belongs to no owner and may access all objects.

    `key_id` and `address` are for the audit trail: the public id of the key, and the client's address. None: unknown.
    """

    owner_id: str | None
    scopes: frozenset[Scope]
    key_id: str | None = field(default=None, compare=False)
    address: str | None = field(default=None, compare=False)

    @property
    def bound(self) -> str | None:
        """Return the owner to whose objects this caller is restricted, or None if there is no restriction."""
        return None if Scope.ADMIN in self.scopes else self.owner_id

    def require(self, scope: Scope) -> None:
        """Raise `ForbiddenError` if the caller lacks a scope."""
        if scope not in self.scopes:
            raise ForbiddenError(f"this key lacks the scope {scope}; use a key that has it")
