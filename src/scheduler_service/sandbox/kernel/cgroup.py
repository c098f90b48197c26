"""The cgroup of one run: limits for all its processes together; see the kernel's cgroup-v2.rst.

The job and all it starts are inside. Its supervisor is not, because it must live to report what the kernel did.
"""

from __future__ import annotations

import os
from contextlib import suppress

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_BYTES = 4096


def open_cgroups(path: str) -> int:
    """Open the directory for the cgroups of runs. The descriptor also works in a root that does not show the path."""
    return os.open(path, _DIRECTORY)


class Membership:
    """The steps by which a process enters a cgroup, given as a descriptor of its directory, and limits it."""

    def __init__(self, directory: int) -> None:
        self.directory = directory

    def enter(self) -> None:
        """Move this process into the cgroup. Its later children are born there, and cannot leave.

        Moving takes an RCU grace period, which may be many milliseconds, so it must be done before the order is there.
        """
        self._write("cgroup.procs", "0")

    def limit(self, memory_bytes: int, tasks: int) -> None:
        """Limit the memory of the whole group, files in memory included, and its processes and threads."""
        self._write("memory.max", str(memory_bytes))
        self._write("pids.max", str(tasks))

    def _write(self, name: str, text: str) -> None:
        file = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self.directory)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


class Cgroup(Membership):
    """One cgroup with limits of memory and tasks. Each method raises OSError if the kernel refuses."""

    def __init__(self, groups: int) -> None:
        """Create it, empty, in the directory behind the descriptor `groups`."""
        self._groups = groups
        self._name = f"run-{os.urandom(8).hex()}"
        os.mkdir(self._name, 0o755, dir_fd=groups)
        super().__init__(os.open(self._name, _DIRECTORY, dir_fd=groups))
        self._write("memory.oom.group", "1")  # the kernel kills all processes or none (since Linux 4.19)
        with suppress(FileNotFoundError):  # where the kernel does not count swap
            self._write("memory.swap.max", "0")

    def cpu_seconds(self) -> float:
        """Return the processor time of all processes inside, dead ones too."""
        return self._counts("cpu.stat")["usage_usec"] / 1e6

    def peak_kb(self) -> int:
        """Return the peak of the memory of all together; 0 before Linux 5.19, which does not record it."""
        with suppress(FileNotFoundError):
            return int(self._read("memory.peak")) // 1024
        return 0

    def has_starved(self) -> bool:
        """Return whether the kernel killed the run at its own limit, not for want of memory elsewhere."""
        events = self._counts("memory.events")
        return events["oom"] > 0 and events["oom_kill"] > 0

    def kill(self) -> None:
        """Kill all processes at once, also those that are just being forked. Does nothing before Linux 5.14.

        An empty cgroup is left alone: cgroup.kill takes a lock that others hold while they wait to move in.
        """
        if self._counts("cgroup.events")["populated"]:
            with suppress(FileNotFoundError):
                self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """Remove the cgroup, whose processes must be dead. If the kernel refuses, it is left to `delegation`."""
        with suppress(OSError):
            os.rmdir(self._name, dir_fd=self._groups)
        os.close(self.directory)

    def _counts(self, name: str) -> dict[str, int]:
        return {key: int(count) for key, count in (line.split() for line in self._read(name).splitlines())}

    def _read(self, name: str) -> str:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.directory)
        try:
            return os.read(file, _MAX_BYTES).decode()
        finally:
            os.close(file)
