"""One zygote as the service keeps it: started again when it has died, with supervisors ready for the next runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from scheduler_service.sandbox.accounting.process_stats import count_tasks_of_user
from scheduler_service.sandbox.confinement.workdir import is_left, remove_directory
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.protocol import (
    SWEEP,
    SupervisorRequest,
    ZygoteSetup,
    pack,
    pack_supervisor_request,
)
from scheduler_service.sandbox.contract.spec import SandboxError
from scheduler_service.sandbox.kernel.identity import UidPool, User, sees_all_tasks
from scheduler_service.sandbox.supervisor_client import SupervisorClient
from scheduler_service.sandbox.zygote_interpreter import ZygoteInterpreter, start_zygote


class ZygoteProcess:
    """One zygote and the supervisors that wait for orders. Restarts the zygote after its death.

    One supervisor waits always. More are forked when more runs begin at once, and of those that stay, `standby` are
    kept: memory is spent on as many as were needed.
    """

    def __init__(self, python: Path, setup: ZygoteSetup, uids: UidPool | None, standby: int) -> None:
        self._python = python
        self._setup = setup
        self._uids = uids
        self._standby = standby
        self._ready: deque[SupervisorClient] = deque()
        self._zygote: ZygoteInterpreter | None = None
        self._starting = asyncio.Lock()
        self._replacements: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process id of the zygote; None while there is none."""
        return self._zygote.pid if self._zygote else None

    async def start(self, mountpoint: str, cgroups: str) -> None:
        """Start the zygote if it is not running. Raise `SandboxError` if it cannot start.

        At `strict` it mounts the root of its jobs on `mountpoint`, an empty directory. Each run gets a cgroup in the
        directory `cgroups`, unless that is empty.
        """
        self._setup = replace(self._setup, mountpoint=mountpoint, cgroups=cgroups)
        await self._living_zygote()

    async def take_supervisor(self, user: User | None = None) -> SupervisorClient:
        """Return a supervisor that waits for an order, for a job of its own user or of `user`, the user of grants.

        Raise `SandboxError` if there can be none.
        """
        zygote = await self._living_zygote()
        while user is None and self._ready:
            if not (supervisor := self._ready.popleft()).is_unusable:
                return supervisor
            await self.dismiss(supervisor)
        try:
            return self._request_supervisor(zygote, user)
        except OSError as error:
            raise SandboxError(f"no run can be started: {error}") from error

    async def dismiss(self, supervisor: SupervisorClient) -> None:
        """End a supervisor, wait until it is gone, and free its user id."""
        await supervisor.dismiss()
        self._release(supervisor.user)

    def replace(self, supervisor: SupervisorClient, directory: Path | None) -> None:
        """Use a supervisor that has reported again. One that does not stay is replaced in the background.

        It may still be removing `directory`.
        """
        if self._can_go_on(supervisor):
            with suppress(OSError):
                supervisor.begin_next()
                self._ready.append(supervisor)
                return
        replacement = asyncio.create_task(self._replace(supervisor, directory))
        self._replacements.add(replacement)
        replacement.add_done_callback(self._replacements.discard)

    def _can_go_on(self, supervisor: SupervisorClient) -> bool:
        """Return whether it is worth keeping. One for the user of grants is not: each needs its own count of tasks."""
        is_ours = self._zygote is not None and supervisor.zygote is self._zygote.control
        is_usual = supervisor.user != self._setup.granted_user
        return supervisor.stays and is_ours and is_usual and len(self._ready) < self._standby

    async def _replace(self, supervisor: SupervisorClient, directory: Path | None) -> None:
        """Request the next supervisor when this one is gone, not before: a run needs the processor more."""
        await self.dismiss(supervisor)
        if directory is not None and is_left(directory):  # the supervisor was killed, or was told to stop
            with suppress(OSError):
                await asyncio.to_thread(remove_directory, directory)
        if self._zygote is not None and self._zygote.is_alive():
            self._refill(self._zygote)

    async def sweep(self) -> None:
        """Wait until the processes that a dead supervisor left behind are dead too."""
        async with self._starting:
            if self._zygote is not None and self._zygote.is_alive():
                await self._zygote.ask(SWEEP)

    async def stop(self) -> None:
        """End the zygote and all its supervisors; idempotent."""
        async with self._starting:
            await self._discard()

    async def _living_zygote(self) -> ZygoteInterpreter:
        async with self._starting:
            if self._zygote is None or not self._zygote.is_alive():
                await self._discard()
                self._zygote = await self._start()
                self._refill(self._zygote)
            return self._zygote

    async def _start(self) -> ZygoteInterpreter:
        try:
            zygote = await asyncio.to_thread(start_zygote, self._python, self._setup.packages)
        except OSError as error:
            raise SandboxError(f"the interpreter {self._python} cannot be started: {error}") from error
        try:
            await zygote.ask(pack(self._setup))
            if Layer.PID_NAMESPACE in self._setup.layers:
                zygote.find_successor()
        except BaseException:
            await asyncio.shield(_end(zygote))
            raise
        return zygote

    def _refill(self, zygote: ZygoteInterpreter) -> None:
        with suppress(OSError):  # the next run will find out
            if not self._ready:
                self._ready.append(self._request_supervisor(zygote))

    def _request_supervisor(self, zygote: ZygoteInterpreter, user: User | None = None) -> SupervisorClient:
        (channel, supervisors), (orders, jobs) = socket.socketpair(), socket.socketpair()
        for sock in (channel, orders):
            sock.setblocking(False)  # noqa: FBT003
        request = self._request(user)
        with supervisors, jobs:
            try:
                message = pack_supervisor_request(request)
                socket.send_fds(zygote.control, [message], [supervisors.fileno(), jobs.fileno()])
            except OSError:
                self._release(User(request.uid, request.gid))
                raise
        return SupervisorClient(channel, orders, User(request.uid, request.gid), zygote.control)

    def _request(self, user: User | None) -> SupervisorRequest:
        if user is not None:
            # At least one: other runs may start at any time, so the count is never the run's own.
            tasks = max(1, count_tasks_of_user(user.uid)) if sees_all_tasks() else None
            return SupervisorRequest(*user, tasks)
        own = User(os.getuid(), os.getgid()) if self._uids is None else self._uids.take()
        return SupervisorRequest(*own)

    def _release(self, user: User) -> None:
        if self._uids is not None and user != self._setup.granted_user:
            self._uids.give_back(user.uid)

    async def _discard(self) -> None:
        if self._zygote is None:
            return
        zygote, self._zygote = self._zygote, None
        zygote.control.close()  # before the supervisors are dismissed: the zygote then kills what they cannot
        ready, self._ready = list(self._ready), deque()
        await asyncio.gather(*self._replacements, *(self.dismiss(supervisor) for supervisor in ready))
        await asyncio.to_thread(zygote.end)


async def _end(zygote: ZygoteInterpreter) -> None:
    zygote.control.close()
    await asyncio.to_thread(zygote.end)
