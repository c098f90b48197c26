"""The cgroup of one run: limits that the kernel keeps for all its processes together; see the kernel's cgroup-v2.rst.

The job and all it starts are inside. Its supervisor is not, so that it lives to tell what the kernel did.
"""

from __future__ import annotations

import os
from contextlib import suppress

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_BYTES = 4096


def open_cgroups(path: str) -> int:
    """Open the directory that cgroups of runs are made in; the descriptor stays good where the path is not shown."""
    return os.open(path, _DIRECTORY)


class Cgroup:
    """One cgroup with the limits of memory and tasks; each method raises OSError if the kernel refuses."""

    def __init__(self, groups: int) -> None:
        """Make it, empty, in the directory behind the descriptor `groups`."""
        self._groups = groups
        self._name = f"run-{os.urandom(8).hex()}"
        os.mkdir(self._name, 0o755, dir_fd=groups)
        self._directory = os.open(self._name, _DIRECTORY, dir_fd=groups)
        self._write("memory.oom.group", "1")  # half a run is of no use, and the half that is left would go on eating
        with suppress(FileNotFoundError):  # where the kernel does not count swap
            self._write("memory.swap.max", "0")

    def enter(self) -> None:
        """Move this process into the cgroup; what it starts from now on is born there, and cannot leave.

        It may take as long as every processor needs to pass through the scheduler: do it before an order is there.
        """
        self._write("cgroup.procs", "0")

    def limit(self, memory_bytes: int, tasks: int) -> None:
        """Limit the memory of the whole group, files in memory included, and its processes and threads."""
        self._write("memory.max", str(memory_bytes))
        self._write("pids.max", str(tasks))

    def cpu_seconds(self) -> float:
        """Return the processor time of all that have ever been inside, since they were."""
        return self._counts("cpu.stat")["usage_usec"] / 1e6

    def peak_kb(self) -> int:
        """Return the most memory that all together have had at once; 0 before Linux 5.19, which does not tell."""
        with suppress(FileNotFoundError):
            return int(self._read("memory.peak")) // 1024
        return 0

    def has_starved(self) -> bool:
        """Whether the kernel killed the run at its own limit, and not because the host or the service had no more."""
        events = self._counts("memory.events")
        return events["oom"] > 0 and events["oom_kill"] > 0

    def kill(self) -> None:
        """Kill all at the same instant, also what is just being forked; does nothing before Linux 5.14.

        Where all have ended it only looks: the kernel kills under the lock that others hold while they wait to move in.
        """
        if self._counts("cgroup.events")["populated"]:
            with suppress(FileNotFoundError):
                self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """Remove the cgroup, all of whose processes have been waited for; one that refuses is left to `delegation`."""
        with suppress(OSError):
            os.rmdir(self._name, dir_fd=self._groups)
        os.close(self._directory)

    def _counts(self, name: str) -> dict[str, int]:
        return {key: int(count) for key, count in (line.split() for line in self._read(name).splitlines())}

    def _read(self, name: str) -> str:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            return os.read(file, _MAX_BYTES).decode()
        finally:
            os.close(file)

    def _write(self, name: str, text: str) -> None:
        file = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._directory)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
