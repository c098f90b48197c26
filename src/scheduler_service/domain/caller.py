"""The caller of an operation: whose things it reaches, and what it may do with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler_service.errors import ForbiddenError


class Scope(StrEnum):
    """What a caller may do. `ADMIN` reaches the things of every owner; it does not include the others."""

    READ = "read"
    WRITE = "write"
    RUN = "run"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a valid key. `owner_id` None: the key belongs to no owner and reaches the things of all."""

    owner_id: str | None
    scopes: frozenset[Scope]

    @property
    def bound(self) -> str | None:
        """Return the owner whose things alone this caller reaches; None: those of every owner."""
        return None if Scope.ADMIN in self.scopes else self.owner_id

    def require(self, scope: Scope) -> None:
        """Raise `ForbiddenError` if the caller lacks a scope."""
        if scope not in self.scopes:
            raise ForbiddenError(f"this key lacks the scope {scope}; use a key that has it")
