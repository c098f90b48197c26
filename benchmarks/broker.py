"""What the socket broker costs a job: connections that the supervisor checks and makes, against those of the job alone.

Both sides alternate, and reach a server on the loopback, where a connection takes the least time of all.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

from benchmarks.shared.reports import Report, machine_facts, options
from benchmarks.shared.sandbox_levels import run_at_level

from scheduler_service.sandbox import Access, Destination, Level, PythonCode, Spec, ZygoteSandbox
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.layers import Layer

CONNECTIONS = 1000
CONNECT = """
import socket, time
began = time.perf_counter()
for _ in range({count}):
    with socket.create_connection(("127.0.0.1", {port})) as sock:
        {use}
print((time.perf_counter() - began) / {count} * 1e6)
"""
USES = {"connections alone": "pass", "connections with a request": "sock.sendall(b'request'); sock.recv(9)"}


def serve() -> int:
    """Answer each request on the loopback. Return the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)

    def answer() -> None:
        while True:
            with listener.accept()[0] as connection:
                if connection.recv(9):
                    connection.sendall(b"response")

    threading.Thread(target=answer, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


async def connect(sandbox: ZygoteSandbox, code: str, port: int) -> float:
    """Return the microseconds that a run needs for each connection."""
    output = bytearray()

    async def collect(chunk: bytes) -> None:
        output.extend(chunk)

    access = Access(destinations=(Destination("127.0.0.1/32", port, port),))
    outcome = await sandbox.run(Spec(PythonCode(code), access=access), collect, asyncio.Event())
    if outcome.exit_code != 0:
        raise SystemExit(f"the run failed: {outcome}, {output.decode()}")
    return float(output)


async def measure(level: Level, rounds: int, base: Path) -> Report:
    """Alternate runs with and without the broker."""
    environments = [PythonEnvironment(preload=())]
    brokered = ZygoteSandbox(level, base / "brokered", 1, environments)
    free = ZygoteSandbox(level, base / "free", 1, environments, without=frozenset({Layer.SOCKET_BROKER}))
    await asyncio.gather(brokered.start(), free.start())
    report, port = Report({"level": level.value, "rounds": rounds} | machine_facts()), serve()
    for group, use in USES.items():
        code = CONNECT.format(count=CONNECTIONS, port=port, use=use)
        pairs = [(await connect(brokered, code, port), await connect(free, code, port)) for _ in range(rounds)]
        report.add(group, "with the broker", "µs", [ours for ours, _ in pairs])
        report.add(group, "without it", "µs", [theirs for _, theirs in pairs])
        report.add(group, "ratio", "", [ours / theirs for ours, theirs in pairs], at_most=2)
    await asyncio.gather(brokered.stop(), free.stop())
    return report


def main() -> None:
    """Print a table and write a report."""
    run_at_level(options(__doc__, "broker"), measure, rounds=15)


if __name__ == "__main__":
    main()
