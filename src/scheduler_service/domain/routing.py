"""Which worker takes whose runs, by the tags of the job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Routing:
    """What one worker takes.

    `reserved` are tags whose jobs run only where a worker names one of them as its own; every process knows the same.
    `own` are the tags that this worker names: it then takes nothing else. A worker that names none takes every job
    without a reserved tag.
    """

    own: frozenset[str] = frozenset()
    reserved: tuple[str, ...] = ()

    def serves(self, tags: Iterable[str]) -> bool:
        """Return whether this worker takes the runs of a job with these tags."""
        if self.own:
            return not self.own.isdisjoint(tags)
        return not set(self.reserved).intersection(tags)

    def route(self, tags: Iterable[str]) -> str | None:
        """Return the reserved tag by which a job is routed, the first in the order of `reserved`; None: it has none."""
        mine = set(tags)
        return next((tag for tag in self.reserved if tag in mine), None)


EVERYTHING = Routing()
