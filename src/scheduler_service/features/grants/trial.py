"""Trial runs of grants: each reads the paths of a grant, writes to them, and connects to its hosts and sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_service.features.grants.held import HeldGrants
from scheduler_service.sandbox.contract.access import PUBLIC, Access
from scheduler_service.sandbox.contract.spec import Limits, PythonCode, Sandbox, SandboxError, Spec

_SECONDS = 30.0
_LIMITS = Limits(wall_seconds=_SECONDS, memory_mb=128, cpu_seconds=20, processes=16, disk_mb=16, output_kb=256)
# Prints one line of JSON for each part: what it is, and why it does not work.
_PROGRAM = """
import json, os, socket, sys, tempfile
parts = json.loads(os.environ["PARTS"])

def read(path):
    os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()

def write(path):
    if os.path.isdir(path):
        handle, name = tempfile.mkstemp(prefix=".scheduler-doctor-", dir=path)
        os.close(handle)
        os.unlink(name)
    else:
        open(path, "ab").close()

def connect(host, port):
    socket.create_connection((host, port), 3).close()

def reach(path):
    socket.socket(socket.AF_UNIX).connect(path)

for kind, *rest in parts:
    try:
        {"read": read, "write": write, "connect": connect, "socket": reach}[kind](*rest)
        why = ""
    except Exception as error:
        why = str(error) or type(error).__name__
    print(json.dumps([" ".join(map(str, (kind, *rest))), why]))
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a grant opens, such as `write /backup`. `why` says why it fails; "" if it works."""

    grant: str
    what: str
    why: str = ""


async def try_grants(sandbox: Sandbox, held: HeldGrants) -> list[Part]:
    """Try each part of each grant by a run in the started `sandbox`, and return what works here."""
    missing = [
        Part(name, f"path {path}", "No such file or directory: create it and restart the worker")
        for name, paths in held.missing.items()
        for path in paths
    ]
    tried = [part for name in held.names for part in await _try_grant(sandbox, name, await held.access([name]))]
    return [*missing, *tried]


async def _try_grant(sandbox: Sandbox, name: str, access: Access) -> list[Part]:
    output = bytearray()

    async def collect(data: bytes) -> None:
        output.extend(data)

    spec = Spec(PythonCode(_PROGRAM), _LIMITS, {"PARTS": json.dumps(_parts(access))}, access)
    try:
        outcome = await sandbox.run(spec, collect, asyncio.Event())
    except SandboxError as error:
        return [Part(name, "a run", str(error))]
    if outcome.message or outcome.exit_code:
        return [Part(name, "a run", outcome.message or output.decode(errors="replace").strip())]
    lines = [json.loads(line) for line in output.decode().splitlines()]
    return [Part(name, what, why) for what, why in lines]


def _parts(access: Access) -> list[Sequence[object]]:
    """Return what can be tried. A whole network, or the public internet, has no address that must answer."""
    single = [each for each in access.destinations if each.network != PUBLIC and _is_host(each.network)]
    return [
        *(("read", path) for path in access.read),
        *(("write", path) for path in access.write),
        *(("socket", path) for path in access.sockets),
        *(("connect", each.network.partition("/")[0], each.first_port) for each in single),
    ]


def _is_host(network: str) -> bool:
    return network.endswith(("/32", "/128")) or "/" not in network
