"""Resolves requirements with `uv pip compile`: wheels only, so nothing of a package is executed."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scheduler_service.errors import FieldProblem, InvalidInputError, UnavailableError
from scheduler_service.features.environments.index import PackageIndex
from scheduler_service.features.environments.lock_text import build_lock

FIELD = "payload.requirements"
TIMEOUT_SECONDS = 45.0
_AT_ONCE = 2
_MAX_REASON_CHARACTERS = 500
# The zygote of an environment may import numpy before there is a run only if it is the service's own.
_PREFERRED = "numpy"
_OPTIONS = ("--no-config", "--no-python-downloads", "--no-sources", "--color", "never", "--only-binary", ":all:")
_COMPILE = ("pip", "compile", "-", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_UNSOLVABLE = "No solution found"
_UNREACHABLE = ("Failed to fetch", "error sending request", "timed out", "Could not connect")


def uv_program() -> str:
    """Return the path of uv."""
    return str(uv.find_uv_bin())


def uv_options() -> tuple[str, ...]:
    """Return the options of every call: no configuration of the host, no other Python, no source distributions."""
    has_authorities = any(Path(path).exists() for path in ("/etc/ssl/certs", "/etc/pki/tls"))
    return (*_OPTIONS, *(("--system-certs",) if has_authorities else ()), "--python", sys.executable)


def uv_environment(index: PackageIndex, home: str) -> dict[str, str]:
    """Return the whole environment of uv. The index is in it, because others can read arguments."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "UV_CACHE_DIR": f"{home}/cache",
        "UV_DEFAULT_INDEX": index.url,
        "UV_HTTP_TIMEOUT": "10",
        "UV_HTTP_RETRIES": "1",
        "UV_NO_PROGRESS": "1",
    }


class Resolver:
    """Resolves requirements for the service's own Python, `TIMEOUT_SECONDS` at most each."""

    def __init__(self, index: PackageIndex, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._index = index
        self._timeout_seconds = timeout_seconds
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def resolve(self, requirements: Sequence[str]) -> str:
        """Return the lock of requirements.

        Raise `InvalidInputError` that names the requirement if there is none, and `UnavailableError` if the index does
        not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds), self._turn:
                code, output, errors = await self._compile(requirements)
        except TimeoutError:
            raise UnavailableError(
                f"the package index did not answer within {self._timeout_seconds:g} s; try again, or ask the operator"
            ) from None
        if code != 0:
            raise self._error(requirements, self._index.hide(errors))
        try:
            return build_lock(output)
        except ValueError as error:
            raise InvalidInputError(_problem(requirements, f"cannot be locked: {error}")) from None

    async def _compile(self, requirements: Sequence[str]) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory(prefix="scheduler-packages-") as home:
            lock = Path(home) / "lock.txt"
            lock.write_text(_preference(), encoding="utf-8")
            arguments = (*_COMPILE, *uv_options(), "--output-file", str(lock))
            wanted = "".join(f"{each}\n" for each in requirements)
            code, errors = await _run(arguments, wanted.encode(), uv_environment(self._index, home))
            return code, lock.read_text(encoding="utf-8") if code == 0 else "", errors

    def _error(self, requirements: Sequence[str], errors: str) -> InvalidInputError | UnavailableError:
        reason = _reason_in(errors)
        if _UNSOLVABLE not in errors and any(sign in errors for sign in _UNREACHABLE):
            return UnavailableError(f"the package index does not answer: {reason}")
        return InvalidInputError(_problem(requirements, f"cannot be resolved: {reason}", reason))


async def _run(arguments: Sequence[str], stdin: bytes, environment: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        uv_program(),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=environment["HOME"],
        env=environment,
    )
    try:
        _, errors = await process.communicate(stdin)
    except BaseException:
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.wait())
        raise
    return process.returncode or 0, errors.decode(errors="replace")


def _preference() -> str:
    """Return the version of numpy that a lock should take if the requirements allow it."""
    try:
        return f"{_PREFERRED}=={metadata.version(_PREFERRED)}\n"
    except metadata.PackageNotFoundError:
        return ""


def _reason_in(errors: str) -> str:
    """Return uv's reason as one line: its causes if it names any, without its hints."""
    lines = [line.strip() for line in errors.partition("\nhint:")[0].splitlines() if line.strip()]
    causes = [line.removeprefix("cause: ") for line in lines if line.startswith("cause: ")]
    words = " ".join(causes or [line.removeprefix("error: ") for line in lines]) or "uv gives no reason"
    return words if len(words) <= _MAX_REASON_CHARACTERS else f"{words[:_MAX_REASON_CHARACTERS]}…"


def _problem(requirements: Sequence[str], message: str, reason: str = "") -> FieldProblem:
    """Return the problem of the requirement that the reason is about, or of all together."""
    words = {canonicalize_name(name) for name in _NAME.findall(reason)}
    guilty = [each for each in requirements if canonicalize_name(Requirement(each).name) in words]
    named = ", ".join(guilty or requirements)
    return FieldProblem(FIELD, f"{named} {message}", named)
