"""The parts that the loops and services of every role need."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from scheduler_service.config.settings import Settings
from scheduler_service.engine.changes import Changes
from scheduler_service.storage.clock import DatabaseClock
from scheduler_service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Base:
    """The parts that every role needs. `stack` shuts down what was started, in reverse order."""

    stack: AsyncExitStack
    settings: Settings
    database: Database
    clock: DatabaseClock
    changes: Changes = field(default_factory=Changes)
