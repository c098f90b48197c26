"""What one run leaves: the files that are collected for the service, and all others, which are removed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from scheduler_service.sandbox.confinement.root import HOME
from scheduler_service.sandbox.confinement.shared_memory import directory_of
from scheduler_service.sandbox.confinement.workdir import Removal
from scheduler_service.sandbox.contract.protocol import RunReport, Terms
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.runtime.collection import Collection, announce, collect
from scheduler_service.sandbox.runtime.polling import wait_for_descriptors

_REMOVAL_SECONDS = 0.1
"""How long a report waits for the removal of files: enough for ordinary runs. The slot is not held for more."""
_LOW_PRIORITY = 10


class Remains:
    """The files of one run after its last process is dead."""

    def __init__(self) -> None:
        self._collection = Collection()
        self._removal = Removal([])
        self.are_removed = True
        """Whether all files are gone, but for those that the kernel removes with the run's file system."""

    @property
    def open_files(self) -> int:
        """How many descriptors `send` will close."""
        return len(self._collection)

    def collect(self, terms: Terms, owner: User | None) -> None:
        """Open what the service gets. Nobody can change it any more, and open files outlast their names."""
        # A run that has moved into a root of its own has its home at the same path; see `granted_root`.
        self._collection = collect(terms.directory or HOME, terms.artifacts_mb << 20, owner)

    def remove(self, directory: str) -> None:
        """Remove the run's directory on the host, for a while."""
        self._removal = Removal([Path(directory), Path(directory_of(directory))])
        self.are_removed = self._go_on()

    def announce(self, report: RunReport) -> RunReport:
        """Return the report with what `send` will send after it."""
        return announce(self._collection, report)

    def send(self, write: Callable[[bytes], object]) -> None:
        """Send the bytes of what the report announced. The service notices if they end too early."""
        with suppress(OSError):
            self._collection.copy(write)

    def remove_the_rest(self, zygote: int) -> None:
        """Remove what is left of the run's files after the report, when nobody waits any more.

        Stops if the zygote ends. The service then removes them with its own directory.
        """
        if self.are_removed:
            return
        os.nice(_LOW_PRIORITY)
        while not self._go_on() and not wait_for_descriptors([zygote], time.monotonic()):
            pass

    def _go_on(self) -> bool:
        try:
            return self._removal.go_on(_REMOVAL_SECONDS)
        except OSError:  # no fault of the run; its directory goes with that of the service
            return True
