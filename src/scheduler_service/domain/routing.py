"""Decides by a job's tags and grants which workers may run it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Routing:
    """The tags that select a worker's jobs.

    `reserved` lists the tags whose jobs run only on workers that own one of them. Every process has the same list.
    `own` lists the tags of this worker. A worker with own tags runs only jobs with one of them. A worker without own
    tags runs every job that has no reserved tag. In either case it runs only jobs whose grants it holds: `grants`.
    """

    own: frozenset[str] = frozenset()
    reserved: tuple[str, ...] = ()
    grants: frozenset[str] = frozenset()

    def serves(self, tags: Iterable[str], grants: Iterable[str] = ()) -> bool:
        """Return whether this worker runs jobs with these tags and grants."""
        if not self.grants.issuperset(grants):
            return False
        if self.own:
            return not self.own.isdisjoint(tags)
        return not set(self.reserved).intersection(tags)

    def route(self, tags: Iterable[str]) -> str | None:
        """Return the job's first reserved tag, in the order of `reserved`, or None if the job has none."""
        mine = set(tags)
        return next((tag for tag in self.reserved if tag in mine), None)


EVERYTHING = Routing()
