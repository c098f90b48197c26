"""Which grants of the operator a job may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scheduler_service.errors import SchedulerError


class GrantRefusedError(SchedulerError):
    """A run cannot have a grant that its job asks for; the text says which and why."""


@dataclass(frozen=True, slots=True)
class GrantRule:
    """Whose jobs may ask for a grant; `owners` None: the jobs of every owner."""

    owners: frozenset[str] | None = None

    def is_for(self, owner_id: str) -> bool:
        """Return whether jobs of an owner may ask for it."""
        return self.owners is None or owner_id in self.owners


GrantRules = Mapping[str, GrantRule]


def usable_grants(rules: GrantRules, owner_id: str) -> list[str]:
    """Return the names of the grants that jobs of an owner may ask for, sorted."""
    return sorted(name for name, rule in rules.items() if rule.is_for(owner_id))


def refused_grants(rules: GrantRules, names: Iterable[str], owner_id: str) -> Iterator[tuple[int, str]]:
    """Yield the position of each grant that a job of an owner cannot have, and why.

    A grant of others is refused in the words of one that does not exist, so that nobody learns its name.
    """
    usable = usable_grants(rules, owner_id)
    for position, name in enumerate(names):
        if name not in usable:
            offer = f"available: {', '.join(usable)}" if usable else "the operator grants this owner nothing"
            yield position, f'unknown grant "{name}"; {offer}'
