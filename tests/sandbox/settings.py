"""The settings that the sandbox is tested in: as root, as an unprivileged user, and as one in a Docker container.

A setting is entered by a child process, for good: `python settings.py <setting> <program> [arguments]`.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from scheduler_service.sandbox.kernel import seccomp, syscall_table
from scheduler_service.sandbox.kernel.filter_program import FAIL, write_program
from scheduler_service.sandbox.kernel.syscalls import (
    CLONE_NEWNS,
    MACHINES,
    Mount,
    Prctl,
    machine,
    mount,
    prctl,
    unshare,
)

USER_UID = 54321  # nobody would share it with servers that other tests start
ROOT, USER, DOCKER = "root", "user", "docker"
# Root in a container: as engines start it, and with `--cap-drop=ALL`.
DOCKER_ROOT, BARE_ROOT = "docker-root", "bare-root"
_CAP_SYS_ADMIN = 21
_CAPABILITIES = 41


def enter(setting: str) -> None:
    """Put this process into the setting, for good."""
    if os.geteuid() == 0:
        open_the_way([Path(sys.base_prefix), Path(sys.prefix), Path(__file__)])
    if setting in {DOCKER_ROOT, BARE_ROOT}:
        for number in range(_CAPABILITIES) if setting == BARE_ROOT else (_CAP_SYS_ADMIN,):
            prctl(Prctl.CAPBSET_DROP, number)  # takes effect with the next program
        return
    if setting != ROOT and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(USER_UID, USER_UID, USER_UID)
        os.setresuid(USER_UID, USER_UID, USER_UID)
    if setting == DOCKER:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        seccomp.Filter(docker_filter()).enforce()


def open_the_way(needed: list[Path]) -> None:
    """Make the directories `needed` reachable for every user, in a mount namespace of our own.

    A Python that lies in root's home, say, is out of reach for others; there, only the needed part is shown.
    """
    closed = {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}
    if not closed:
        return
    unshare(CLONE_NEWNS)
    mount("none", "/", None, Mount.REC | Mount.PRIVATE)
    for directory in sorted(closed):
        shown = [path for path in needed if path.is_relative_to(directory)]
        handles = [os.open(path, os.O_PATH) for path in shown]
        mount("tmpfs", str(directory), "tmpfs", 0, "mode=0755")
        for path, handle in zip(shown, handles, strict=True):
            path.mkdir(parents=True)
            mount(f"/proc/self/fd/{handle}", str(path), None, Mount.BIND | Mount.REC)
            os.close(handle)


_ON_PROCESSES = ("kcmp", "move_pages", "perf_event_open", "pidfd_getfd", "process_madvise")


def docker_filter() -> bytes:
    """Write a filter that refuses what Docker's default seccomp profile refuses to a process without capabilities.

    See profiles/seccomp/default.json of moby: each of these needs a capability there, or is not listed. clone(2) is
    refused for new namespaces, clone3(2) does not exist; everything else that a sandbox could want is allowed.
    """
    processor = MACHINES.index(machine())
    tables = (
        syscall_table.NAMESPACES_AND_MOUNTS,
        syscall_table.ADMINISTRATION,
        syscall_table.KERNEL_ATTACK_SURFACE,
        {name: syscall_table.OTHER_PROCESSES[name] for name in _ON_PROCESSES},
        {name: syscall_table.WITH_FALLBACK[name] for name in ("bpf", "userfaultfd", "io_uring_setup")},
    )
    answers = {numbers[processor]: FAIL | errno.EPERM for table in tables for numbers in table.values()}
    answers[syscall_table.WITH_FALLBACK["clone3"][processor]] = FAIL | errno.ENOSYS
    return write_program(answers, [syscall_table.COMMON_RULES[0]], beyond=1 << 30)


if __name__ == "__main__":
    enter(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
