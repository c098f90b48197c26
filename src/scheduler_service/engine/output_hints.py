"""Common causes of a failure that the end of a run's output names, each with a sentence about what to do.

A message such as "No such file or directory" has another cause in a sandbox than in a shell: the file exists, and the
run does not see it. The tables have the words of the C library, Python and common programs, in English. The last line
that matches counts, because programs end with the error that stopped them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scheduler_service.sandbox.contract.spec import Level

MAX_LINES = 40
MAX_LINE = 2048

_PATH = r"(?P<path>/[^\s:'\"\u2018\u2019]*[^\s:'\"\u2018\u2019.,)])"
_ABSENT, _ABSENT_IN_DASH = "No such file or directory", "Directory nonexistent"
_DENIED, _READ_ONLY = "Permission denied", "Read-only file system"
_OWN = ("/job", "/tmp", "/var/tmp", "/dev", "/proc", "/usr", "/bin", "/lib", "/sbin")  # noqa: S108 (names, not files)
"""Paths that every run sees at `strict`: what lacks there lacks indeed."""

_NO_NETWORK = (
    "the job has no network: set limits.network to true, or name a grant whose connect covers the server; "
    "see docs/grants.md"
)
_MODULE = re.compile(r"No module named '?(?P<name>[A-Za-z_][\w.]*)")
_OFFLINE = re.compile(
    r"Network is unreachable|ENETUNREACH|EAI_AGAIN|Temporary failure in name resolution|Temporary failure resolving"
    r"|[Cc]ould not resolve host|could not translate host name|Name or service not known"
    r"|Failed to connect to |Connection refused"
)


def explain_output(output: str, level: Level, *, has_network: bool) -> str | None:
    """Return what the end of the output of a failed run points at, or None. `has_network` is what the run had."""
    lines = output[-MAX_LINES * MAX_LINE :].splitlines()[-MAX_LINES:]
    for line in reversed(lines):
        for explain in _EXPLANATIONS:
            if (sentence := explain(line[:MAX_LINE], level, has_network)) is not None:
                return sentence
    return None


def _explain_module(line: str, _: Level, __: bool) -> str | None:  # noqa: FBT001 (one signature for all)
    if (match := _MODULE.search(line)) is None:
        return None
    return (
        f"the module {match['name']} is not installed for this job: name its package in payload.requirements, or "
        "choose another environment; see docs/packages.md"
    )


def _explain_network(line: str, level: Level, has_network: bool) -> str | None:  # noqa: FBT001 (as above)
    return _NO_NETWORK if level is not Level.NONE and not has_network and _OFFLINE.search(line) else None


def _explain_path(line: str, level: Level, _: bool) -> str | None:  # noqa: FBT001 (as above)
    for error, levels, sentence in _FILES:
        if error in line and level in levels and (path := _path_in(line, error)) is not None:
            return sentence.format(path=path)
    return None


def _path_in(line: str, error: str) -> str | None:
    """Return the absolute path that a line names beside an error, or None if it is one of the run's own."""
    before, _, after = line.rpartition(error)
    # Python and Node name the path after the error, most others before it.
    paths = re.findall(rf"(?<![\w./-]){_PATH}", after) or re.findall(rf"(?<![\w./-]){_PATH}", before)
    path = next(reversed(paths), None)
    if path is None or any(path == own or path.startswith(f"{own}/") for own in _OWN):
        return None
    return str(path)


_CONFINED = (Level.STRICT, Level.STANDARD)
_UNSEEN = "a run does not see {path} unless a grant opens it, even if it exists on the host; see docs/grants.md"
_FILES = (
    (_ABSENT, (Level.STRICT,), _UNSEEN),
    (_ABSENT_IN_DASH, (Level.STRICT,), _UNSEEN),
    (_DENIED, _CONFINED, "a run may not use {path} unless a grant opens it; see docs/grants.md"),
    (
        _READ_ONLY,
        (Level.STRICT,),
        "a run may not write to {path} unless a grant with write opens it; see docs/grants.md",
    ),
)
_EXPLANATIONS: tuple[Callable[[str, Level, bool], str | None], ...] = (_explain_module, _explain_path, _explain_network)
