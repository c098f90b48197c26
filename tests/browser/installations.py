"""Installations to visit: one process with SQLite, or PostgreSQL, Valkey, an API, a beat and a Celery worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx2
from testkit import servers
from testkit.cluster import Cluster, cluster_on
from testkit.commands import Service, shell, up
from testkit.servers import PostgresServer
from testkit.waiting import wait_until

from scheduler_service.cli.devstack_servers import free_port
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

SLOTS = "4"
WORKER = ("celery", "-A", "src.app.celery_app", "worker", "-c", SLOTS, "--without-mingle", "--without-gossip")


class Host:
    """Processes that are killed and started again, at the same address and with the same data."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Service]]) -> None:
        """Start them: `begin` starts them, and kills them at the end of its block."""
        self._begin = begin
        self._stack = ExitStack()
        self.service = self.start()

    def start(self) -> Service:
        """Start the processes, and wait until the API answers."""
        self.service = self._stack.enter_context(self._begin())
        return self.service

    def kill(self) -> None:
        """Kill the processes; servers and data stay."""
        self._stack.close()


@contextmanager
def embedded(directory: Path) -> Iterator[Host]:
    """Run `scheduler up` until the end of the block."""
    port = str(free_port())
    host = Host(lambda: up(directory, SCHEDULER_PORT=port, SCHEDULER_SLOTS=SLOTS))
    try:
        yield host
    finally:
        host.kill()


@contextmanager
def distributed(directory: Path, postgres_server: PostgresServer) -> Iterator[Host]:
    """Run each documented process until the end of the block, with a database and a Valkey of their own."""
    port = free_port()
    with (
        postgres_server.lent() as database_url,
        servers.valkey() as redis_url,
        cluster_on(database_url, f"{redis_url}/0", directory) as cluster,
    ):
        yield Host(lambda: _processes(cluster, port))


@contextmanager
def _processes(cluster: Cluster, port: int) -> Iterator[Service]:
    api = cluster.start("uvicorn", "src.app.main:app", "--port", str(port))
    wait_until(lambda: "startup complete" in api.log)  # and with it the migration, for which the others would wait
    beat, worker = cluster.start("celery", "-A", "src.app.celery_app", "beat"), cluster.start(*WORKER)
    wait_until(lambda: "dispatcher_started" in beat.log and " ready." in worker.log)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(base_url=f"{url}/api/v1/", headers={"X-API-Key": DEVELOPMENT_API_KEY}) as client:
            yield Service(api.process, cluster.directory, shell(cluster.directory, SCHEDULER_URL=url), url, client)
    finally:
        cluster.end()
