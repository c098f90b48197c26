"""The paths of the host that a job may read: programs and their settings, without what is private to the service.

Theory of operation. The lists below are the whole of it, apart from grants. At `strict`, the run's root shows
`PROGRAMS`, `SETTINGS` and the interpreters. At `standard`, Landlock allows to read the same, and `HOST_FACTS`.

Neither Landlock nor a bind mount can exclude a part of what it allows. A directory with something private below it is
therefore allowed piece by piece: everything beside the private part, at each level on the way to it. A file that is
created there later is not among the pieces, so it is private too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

# Directories of programs and libraries.
PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix")
# Names below /etc that programs read.
SETTINGS = (
    "alternatives",
    "ca-certificates",
    "debian_version",
    "fonts",
    "gai.conf",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "lsb-release",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "perl",
    "pki",
    "profile",
    "protocols",
    *(f"python3.{minor}" for minor in range(7, 20)),  # sitecustomize.py of Debian's interpreters
    "resolv.conf",
    "services",
    "ssl",
    "terminfo",
    "timezone",
)
# Read only at `standard`; at `strict` a run has a /proc and an /etc/hosts of its own.
HOST_FACTS = (
    "/etc/hosts",
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/uptime",
    "/proc/version",
    "/proc/vmstat",
    "/sys/devices/system/cpu",
)
# What a directory of an interpreter contains, if the directory itself may not be read.
_PARTS_OF_PYTHON = ("bin", "include", "lib", "lib32", "lib64", "libexec", "pyvenv.cfg", "share")


def python_paths() -> list[str]:
    """Return the directories of this interpreter and its packages, as configured and as real paths."""
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    return sorted({path for prefix in prefixes for path in (prefix, os.path.realpath(prefix))})


def readable(programs: Iterable[str], pythons: Iterable[str], private: Sequence[str]) -> list[str]:
    """Return the paths below which everything may be read.

    A path in `private` removes itself and all below from `programs`. It may end with `*`, for every name in its
    directory that begins so. The directories of `pythons` stay readable even below a private path, but not
    private paths below them.
    """
    found = [piece for path in programs for piece in _pieces(path, private)]
    for path in pythons:
        inside = [each for each in private if each.startswith(f"{path}/")]
        if any(_takes(each, path) and not _lies_below(path, each) for each in private):
            found += [piece for name in _PARTS_OF_PYTHON for piece in _pieces(f"{path}/{name}", inside)]
        else:
            found += _pieces(path, inside)
    return list(dict.fromkeys(found))


def readable_on_host(private: Sequence[str]) -> tuple[str, ...]:
    """Return what a job at `standard` may read besides `HOST_FACTS`: by real paths, what it sees at `strict`.

    Links are left out. A path is opened to allow it, so a link would allow its target, which may be private.
    """
    programs = [os.path.realpath(path) for path in (*PROGRAMS, *(f"/etc/{name}" for name in SETTINGS))]
    pythons = {os.path.realpath(path) for path in python_paths()}
    return tuple(path for path in readable(programs, sorted(pythons), private) if not os.path.islink(path))


def _pieces(path: str, private: Sequence[str]) -> Iterator[str]:
    if any(_takes(each, path) for each in private):
        return
    inside = [each for each in private if each.startswith(f"{path}/")]
    if not inside or os.path.islink(path):
        yield path
        return
    for name in sorted(_list(path)):
        yield from _pieces(f"{path}/{name}", inside)


def _takes(private: str, path: str) -> bool:
    """Return whether `path` is private, or below what is."""
    parent, _, name = private.rpartition("/")
    if not path.startswith(f"{parent}/"):
        return False
    found = path[len(parent) + 1 :].split("/", 1)[0]
    return found.startswith(name[:-1]) if name.endswith("*") else found == name


def _lies_below(path: str, private: str) -> bool:
    return path.count("/") > private.count("/")


def _list(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:  # closed to us, so to the job; or it has vanished
        return []
