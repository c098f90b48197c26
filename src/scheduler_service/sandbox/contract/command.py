"""The start of a script or program: its interpreter, its path, its environment and its standard input."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping

from scheduler_service.sandbox.contract.spec import Command, Program

DEFAULT_INTERPRETER = "/bin/bash"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def interpreter_of(script: str) -> list[str]:
    """Return the words of the script's shebang: the interpreter and at most one argument, as execve(2) splits them.

    The kernel does not read it, because executing a file that was just written fails with ETXTBSY if another thread
    forked in between: the child has a copy of the descriptor that writes.
    """
    if not script.startswith("#!"):
        return [DEFAULT_INTERPRETER]
    words = script[2:].split("\n", 1)[0].strip().split(None, 1)
    return words or [DEFAULT_INTERPRETER]


def find_program(name: str, path: str) -> str:
    """Return the path of a program on a PATH, as execvp(3) finds it. Raise OSError if there is none.

    `shutil.which` would bring libraries into the zygotes, and each fork copies their page tables.
    """
    places = [name] if "/" in name else [os.path.join(place, name) for place in path.split(":")]
    files = [place for place in places if os.path.exists(place) and not os.path.isdir(place)]
    for file in files:
        if os.access(file, os.X_OK):
            return file
    if files:
        raise PermissionError(errno.EACCES, "this file may not be executed", name)
    raise FileNotFoundError(errno.ENOENT, "there is no such program", name)


def job_environment(home: str, user: str, env: Mapping[str, str], python: str = sys.executable) -> dict[str, str]:
    """Return the whole environment of a job: the variables of the sandbox and the attempt's own, which win.

    `USER`, `LOGNAME` and `SHELL` are set because cron sets them. The programs that are installed for `python` come
    first in `PATH`, so `python3` has the packages of Python jobs everywhere.
    """
    return {
        "PATH": f"{os.path.dirname(python)}:{PATH}",
        **homes(home),
        "LANG": "C.UTF-8",
        "SHELL": DEFAULT_INTERPRETER,
        "USER": user,
        "LOGNAME": user,
    } | dict(env)


def homes(directory: str) -> dict[str, str]:
    """Return the variables that name a run's directory."""
    return {"HOME": directory, "TMPDIR": directory}


def stdin_of(command: Command) -> int:
    """Return a descriptor that reads the standard input of the command, then end of file."""
    stdin = os.memfd_create("stdin")
    with os.fdopen(stdin, "wb", closefd=False) as file:
        file.write(command.stdin if isinstance(command, Program) else b"")
    os.lseek(stdin, 0, os.SEEK_SET)
    return stdin
