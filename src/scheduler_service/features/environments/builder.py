"""Builds one environment: uv installs the wheels of a lock in a sandbox that reaches only the index.

Nothing of a package is executed. A wheel is an archive that uv unpacks (PEP 427), the option `--only-binary` excludes
everything else, and compiling a module does not run it. Wheels may contain compiled modules, which nobody could check:
they are removed, and our Python compiles the sources again, in a second sandbox without a network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scheduler_service.domain.environment_lock import EnvironmentFailedError
from scheduler_service.features.environments.cache import BuiltEnvironment, EnvironmentCache, TooLargeError
from scheduler_service.features.environments.index import PackageIndex
from scheduler_service.features.environments.lock_text import LockedPackage
from scheduler_service.features.environments.resolver import uv_environment, uv_options, uv_program
from scheduler_service.features.environments.tree import TreeError, compiled_caches, directories_in, measure_tree
from scheduler_service.sandbox.contract.access import Access, Destination
from scheduler_service.sandbox.contract.spec import Limits, Outcome, Program, Sandbox, SandboxError, Spec

BUILD_SECONDS = 600.0
_LIMITS = Limits(wall_seconds=BUILD_SECONDS, memory_mb=2048, cpu_seconds=600, processes=256, disk_mb=64, output_kb=256)
_INSTALL = ("pip", "install", "--require-hashes", "--no-deps", "--link-mode", "hardlink")
# Modules of tests are half of what large packages would have to compile, and runs import none of them.
_COMPILE = ("-I", "-m", "compileall", "-qq", "-f", "-x", r"/tests?/", "--invalidation-mode", "unchecked-hash")
_COMPILED = (0, 1)  # 1: some sources cannot be compiled
_MAX_COMPILERS = 4
_WATCH_SECONDS = 0.5

Say = Callable[[bytes], Awaitable[None]]
"""Receives the log of a build as it is written."""


@dataclass(frozen=True, slots=True)
class EnvironmentBuilder:
    """Builds environments into a cache. `certificates` are files of further authorities, which uv reads."""

    sandbox: Sandbox
    cache: EnvironmentCache
    index: PackageIndex
    certificates: tuple[str, ...] = ()

    async def build(self, environment_id: str, packages: tuple[LockedPackage, ...], say: Say) -> BuiltEnvironment:
        """Build an environment. Raise `EnvironmentFailedError` if it cannot be built. Call it as the only builder."""
        work = self.cache.building / "new"
        _prepare(work, packages)
        try:
            await self._install(work, say)
            await asyncio.to_thread(_prepare_to_compile, work / "packages")
            await self._compile(work / "packages", say)
            return await asyncio.to_thread(self.cache.add, environment_id, work / "packages")
        except TooLargeError:
            raise self._too_large() from None
        except TreeError as error:
            raise EnvironmentFailedError(f"a package contains what no package may have: {error}") from None
        except OSError as error:
            raise EnvironmentFailedError(f"the host failed: {error}") from None
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, work, ignore_errors=True))

    async def _install(self, work: Path, say: Say) -> None:
        target = ("--target", str(work / "packages"), "--requirements", str(work / "lock.txt"))
        program = Program((uv_program(), *_INSTALL, *uv_options(), *target))
        environment = uv_environment(self.index, str(work))
        access = await self._access()
        if self.certificates:
            environment["SSL_CERT_FILE"] = self.certificates[0]
        outcome, words = await self._run(Spec(program, _LIMITS, environment, access), work, say)
        if outcome.exit_code != 0:
            reason = outcome.message or _reason_in(words)
            raise EnvironmentFailedError(f"the packages cannot be installed: {reason}")

    async def _compile(self, packages: Path, say: Say) -> None:
        """Compile the sources. What cannot be compiled, such as code for another Python, is left as it is."""
        await say(b"Compiling\n")
        compilers = str(min(_MAX_COMPILERS, os.cpu_count() or 1))
        program = Program((sys.executable, *_COMPILE, "-j", compilers, str(packages)))
        access = Access(write=(str(self.cache.building),))
        outcome, _ = await self._run(Spec(program, _LIMITS, access=access), packages, say)
        if outcome.exit_code not in _COMPILED:
            await say(f"Not compiled: {outcome.message}\n".encode())

    async def _run(self, spec: Spec, watched: Path, say: Say) -> tuple[Outcome, str]:
        """Run a command, and end it if the directory grows beyond the cache. Return what it wrote, too."""
        words = bytearray()
        cancel = asyncio.Event()

        async def take(data: bytes) -> None:
            shown = self.index.hide(data.decode(errors="replace")).encode()
            words.extend(shown)
            await say(shown)

        watch = asyncio.create_task(self._watch(watched, cancel))
        try:
            outcome = await self.sandbox.run(spec, take, cancel)
        except SandboxError as error:
            raise EnvironmentFailedError(f"the sandbox failed: {error}") from None
        finally:
            watch.cancel()
        if cancel.is_set():
            raise self._too_large()
        return outcome, words.decode(errors="replace")

    async def _watch(self, directory: Path, cancel: asyncio.Event) -> None:
        while await asyncio.to_thread(measure_tree, directory) <= self.cache.max_bytes:  # noqa: ASYNC110 (files grow silently)
            await asyncio.sleep(_WATCH_SECONDS)
        cancel.set()

    async def _access(self) -> Access:
        addresses = {host: await _addresses(host) for host in {host for host, _ in self.index.places}}
        return Access(
            read=self.certificates,
            write=(str(self.cache.building),),
            destinations=tuple(
                Destination(address, port, port) for host, port in self.index.places for address in addresses[host]
            ),
            hosts=tuple((host, found[0]) for host, found in addresses.items() if not _is_address(host)),
        )

    def _too_large(self) -> EnvironmentFailedError:
        limit = self.cache.max_bytes >> 20
        return EnvironmentFailedError(f"the packages take more than {limit} MiB (SCHEDULER_PACKAGE_CACHE_MB)")


def _prepare(work: Path, packages: tuple[LockedPackage, ...]) -> None:
    work.mkdir(mode=0o755)
    if os.geteuid() == 0:  # the sandbox gives each run a user of its own; no other run sees this directory
        work.chmod(0o777)
    (work / "lock.txt").write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
    (work / "lock.txt").chmod(0o644)


def _prepare_to_compile(packages: Path) -> None:
    """Remove compiled modules of wheels, and let the user of the next run write where the first one has written."""
    packages.mkdir(exist_ok=True)  # a lock without packages makes none
    for path in compiled_caches(packages):
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if os.geteuid() == 0:
        for path in (packages, *directories_in(packages)):
            path.chmod(0o777)


async def _addresses(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EnvironmentFailedError(f"the host {host} of the package index has no address: {error}") from None
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason_in(words: str) -> str:
    """Return the errors of uv in one line."""
    lines = [line.strip() for line in words.splitlines()]
    first = next((number for number, line in enumerate(lines) if line.startswith("error:")), len(lines) - 1)
    return " ".join(lines[first:]).removeprefix("error: ")[:500] or "uv gives no reason"
