"""Runs the corpus in one setting at one level, and writes down what came of each entry.

Started by the tests as `python campaign.py <level> <results> <parts>`, in a process that has already entered its
setting (see settings.py), with secrets in its environment. Each part is done in new surroundings, with a sandbox of its
own: in JSON, a list of [<layers to leave out>, <only these entries, or all if none>].
"""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import platform
import resource
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import yaml

from scheduler_service.features.grants.destinations import parse_destination
from scheduler_service.sandbox.contract.access import PUBLIC, Access, Destination
from scheduler_service.sandbox.contract.collected import Collected
from scheduler_service.sandbox.contract.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.contract.spec import (
    Command,
    Level,
    Limits,
    Program,
    PythonCode,
    Sandbox,
    SandboxError,
    Script,
    Spec,
)
from scheduler_service.sandbox.kernel import syscall_table
from scheduler_service.sandbox.kernel.syscalls import MACHINES, machine
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

CORPUS = Path(__file__).parent / "corpus"
EARLIER_SECRET = secrets.token_hex(16)
SLOTS = 4
ALLOWED_HOST = "127.0.0.42"
FILES_TO_CHANGE = 20
CREDENTIALS = struct.Struct("=iII")  # struct ucred
PEER_SECONDS = 0.5
SURVIVOR_SECONDS = 2.0
OUTPUT_WAIT_SECONDS = 1.0
MORE_CALLS = {
    "rt_sigqueueinfo": (129, 138),
    "mlock": (149, 228),
    "tgkill": (234, 131),
    "clone": (56, 220),
    "mmap": (9, 222),
    "sendto": (44, 206),
    "sendmmsg": (307, 269),
    "ioprio_set": (251, 30),
}
PRELUDE = """import ctypes, os, resource, signal, socket, time
def call_number(number, *arguments):
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *given)
    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def call(name, *arguments): return call_number(NUMBERS[name], *arguments)
call.x86 = {x86}
NUMBERS = {numbers}
"""


def load_corpus() -> list[dict[str, Any]]:
    """Return all entries, attacks first."""
    return [
        {"file": name} | entry
        for name in ("attacks", "sockets", "grants", "artifacts", "uses", "socket_uses")
        for entry in yaml.load((CORPUS / f"{name}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    ]


class Surroundings:
    """What is planted around the sandbox: things to steal, to break, to reach and to leave behind."""

    def __init__(self, secret: str) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="campaign-", dir="/tmp"))
        self.base.chmod(0o711)
        self.secret = secret
        self.secret_file = self.base / "secret.env"
        for name in ("secret.env", "secret.env.spare"):
            (self.base / name).write_text(f"API_KEY={secret}\n")
            (self.base / name).chmod(0o600)
        self.outside = self.base / "outside"
        self.outside.mkdir()
        self.outside.chmod(0o777)
        for name in ("victim", "victim2", "victim3"):
            (self.outside / name).write_text("VICTIM")
            (self.outside / name).chmod(0o666)
        self.segment = Path("/dev/shm", f"segment-{secrets.token_hex(4)}")  # noqa: S108
        self.segment.write_text(secret)
        self.segment.chmod(0o666)
        self.grants = self._make_grants()
        self.before = self._look_outside()
        self.victim = subprocess.Popen(["sleep", "1000"])
        self.received: list[str] = []
        self.peers: set[int] = set()
        self._listen()

    def _make_grants(self) -> Path:
        """Make what entries are granted, beside what none is: `in` to read, `out` to write, a file and a link to it."""
        grants = self.base / "grants"
        for name in ("in/deep", "in/open", "out/daemon", "beside", "nest/room/inner"):
            (grants / name).mkdir(parents=True)
        for name in ("in/open", "out", "out/daemon", "nest", "nest/room", "nest/room/inner"):
            (grants / name).chmod(0o777)
        victims = [f"in/{number}" for number in range(FILES_TO_CHANGE)]
        for name in ("in/a.txt", "in/deep/b.txt", "in/anybody", "out/old.txt", "file.txt", *victims):
            (grants / name).write_text("GRANTED")
        for name in ("in/anybody", "out/old.txt"):
            (grants / name).chmod(0o666)
        (grants / "beside" / "secret").write_text(self.secret)
        (grants / "in" / "link").symlink_to(grants / "beside" / "secret")
        (grants / "out" / "link").symlink_to(grants / "beside")
        os.link(grants / "beside" / "secret", grants / "beside" / "same-secret")
        return grants

    @property
    def granted(self) -> list[str]:
        """All paths that entries may be granted."""
        names = ("in", "in/open", "out", "out/daemon", "file.txt", "nest", "nest/room/inner")
        return [*(str(self.grants / name) for name in names), f"{self.unix_path}.granted", f"{self.unix_path}.swapped"]

    def swap(self) -> None:
        """Put links in the place of what is granted, as a job with another grant could do while the sandbox runs."""
        (self.grants / "nest" / "room").rename(self.grants / "nest" / "moved")
        (self.grants / "nest" / "room").symlink_to("/run")
        Path(f"{self.unix_path}.swapped").unlink()
        Path(f"{self.unix_path}.swapped").symlink_to(self.unix_path)

    def install_python(self) -> Path:
        """Make a Python of the service's own, with the service's own files among it, as in /opt; return its program."""
        prefix = self.base / "opt"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
        (prefix / "app" / "data").mkdir(parents=True)
        for name in ("app/.env", "app/.env.old", "app/scheduler.db", "app/data/key", "named-by-file", ".pgpass"):
            (prefix / name).write_text(self.secret)
            (prefix / name).chmod(0o644)  # also to users of jobs
        (prefix / "app" / "tool").write_text("TOOL")
        (prefix / "app" / "link").symlink_to(prefix / "app" / "data")
        (prefix / "lib" / "secret").symlink_to(prefix / "named-by-file")
        return prefix / "bin" / "python"

    @property
    def private(self) -> list[str]:
        """What the service says that no job may read."""
        prefix = self.base / "opt"
        return [str(prefix / name) for name in ("app/.env*", "app/scheduler.db*", "app/data", "named-by-file", ".*")]

    def add_private(self) -> None:
        """Make what SQLite makes while the service runs."""
        for name in ("app/scheduler.db-wal", "app/.env.new") if (self.base / "opt").exists() else ():
            (self.base / "opt" / name).write_text(self.secret)

    def _listen(self) -> None:
        self.tcp = self._serve(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0))  # noqa: S104 (reachable anyhow)
        self.udp = self._serve(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0))  # noqa: S104
        self.unix_path = str(self.base / "socket")
        self._serve(socket.AF_UNIX, socket.SOCK_STREAM, self.unix_path)
        self._serve(socket.AF_UNIX, socket.SOCK_DGRAM, f"{self.unix_path}.datagram")
        self._serve_granted(f"{self.unix_path}.granted")
        self._serve(socket.AF_UNIX, socket.SOCK_STREAM, f"{self.unix_path}.swapped")
        for place in ("in", "out/daemon"):
            self._serve(socket.AF_UNIX, socket.SOCK_STREAM, str(self.grants / place / "socket"))
            (self.grants / place / "socket").chmod(0o777)
        for name in ("socket", "socket.datagram", "socket.granted"):
            (self.base / name).chmod(0o777)
        self.abstract = f"campaign-{secrets.token_hex(4)}"
        self._serve(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}")
        self._serve(socket.AF_UNIX, socket.SOCK_SEQPACKET, f"{self.unix_path}.packets")
        (self.base / "socket.packets").chmod(0o777)
        self.http = http.server.ThreadingHTTPServer((ALLOWED_HOST, 0), _Hello)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self._serve(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", self.http.server_port))
        self._echo((ALLOWED_HOST, self.http.server_port))

    def _echo(self, address: tuple[str, int]) -> None:
        """Answer datagrams, but have a stranger send one first."""
        friend, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        friend.bind(address)

        def answer() -> None:
            while True:
                text, sender = friend.recvfrom(100)
                stranger.sendto(b"STRANGER", sender)
                friend.sendto(text, sender)

        threading.Thread(target=answer, daemon=True).start()

    def _serve_granted(self, path: str) -> None:
        """Accept connections, and note the users that the kernel says are on the other side."""
        listener = socket.socket(socket.AF_UNIX)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.bind(path)
        listener.listen()

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
                    self.peers.add(CREDENTIALS.unpack(peer)[1])
                    connection.settimeout(PEER_SECONDS)
                    text, control, _, _ = connection.recvmsg(9, 999)
                    self.peers.update(CREDENTIALS.unpack(content)[1] for _, _, content in control if text)

        threading.Thread(target=accept, daemon=True).start()

    def _serve(self, family: int, kind: int, address: Any, *, note: bool = True) -> int:
        """Accept connections and datagrams, and `note` them as what should not have arrived."""
        listener = socket.socket(family, kind)
        listener.bind(address)
        if kind != socket.SOCK_DGRAM:
            listener.listen()
        name = str(address)

        def accept() -> None:
            while True:
                if kind != socket.SOCK_DGRAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(100)
                if note:
                    self.received.append(name)

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1] if family == socket.AF_INET else 0

    def _look_outside(self) -> list[Any]:
        return [
            (path.name, path.read_text(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in sorted(self.outside.iterdir())
            if path.is_file()
        ] + [
            self.outside.stat().st_mode,
            self.secret_file.read_text(),
            self.secret_file.stat().st_mode,
            self.segment.read_text() if self.segment.exists() else None,
        ]

    def look(self) -> dict[str, bool]:
        """Return what is still as it should be."""
        pid = self.victim.pid
        return {
            "outside-intact": self._look_outside() == self.before and len(list(self.outside.iterdir())) == 3,
            "victim-alive": self.victim.poll() is None,
            "victim-unchanged": os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
            and len(os.sched_getaffinity(pid)) == len(os.sched_getaffinity(0))
            and resource.prlimit(pid, resource.RLIMIT_NOFILE) == resource.getrlimit(resource.RLIMIT_NOFILE),
            "nothing-received": not self.received,
            "peers-are-jobs": 0 not in self.peers,
            "service-alive": True,
        }

    def names(self) -> dict[str, object]:
        """What the texts of the corpus may name."""
        return {
            "secret": self.secret,
            "secret_xored": bytes(byte ^ 90 for byte in EARLIER_SECRET.encode()).hex(),
            "secret_file": self.secret_file,
            "outside": self.outside,
            "grants": self.grants,
            "root": self.base / "runs",
            "service_pid": os.getpid(),
            "service_group": os.getpgid(0),
            "victim_pid": self.victim.pid,
            "tcp_port": self.tcp,
            "udp_port": self.udp,
            "http_port": self.http.server_port,
            "unix_path": self.unix_path,
            "abstract": self.abstract,
            "package": Path(syscall_table.__file__).parents[1],
            "python": sys.executable,
            "prefix": sys.base_prefix,
            "segment": self.segment.name,
            "opt": self.base / "opt",
            "long_name": "n" * 100_000,
            "long_text": "t" * 600_000,
        }

    def remove(self) -> None:
        """Take everything away."""
        self.victim.kill()
        self.victim.wait()
        self.http.shutdown()
        self.segment.unlink(missing_ok=True)
        shutil.rmtree(self.base, ignore_errors=True)


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the test server")

    def log_message(self, *_: object) -> None:
        pass


class Campaign:
    """Runs entries and collects results."""

    def __init__(self, sandbox: Sandbox, surroundings: Surroundings, *, may_chmod: bool, wall_seconds: float) -> None:
        self._sandbox = sandbox
        self._wall_seconds = wall_seconds
        self._surroundings = surroundings
        self._names = surroundings.names() | {"may_chmod": may_chmod}
        self._slots = asyncio.Semaphore(SLOTS)

    async def run(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        """Run all entries, those that could starve others one by one, and look around afterwards."""
        await self._sandbox.start()
        self._surroundings.add_private()
        self._surroundings.swap()
        await self._run_one({"id": "earlier", "python": f"kept = {EARLIER_SECRET!r}", "env": {"KEPT": EARLIER_SECRET}})
        together = [entry for entry in entries if not _wants_to_be_alone(entry)]
        results = dict(await asyncio.gather(*map(self._run_one, together)))
        for entry in entries:
            if _wants_to_be_alone(entry):
                results.update([await self._run_one(entry)])
        around = self._surroundings.look()
        await self._sandbox.stop()
        around["directory-removed"] = not list((self._surroundings.base / "runs").iterdir())
        return {
            "entries": results,
            "around": around,
            "names": {name: str(value) for name, value in self._names.items()},
        }

    async def _run_one(self, entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        marker = f"m{secrets.token_hex(8)}"
        output = bytearray()

        async def collect(chunk: bytes) -> None:
            output.extend(chunk)

        spec = self._spec(entry, marker)
        async with self._slots:
            began = time.monotonic()
            try:
                outcome = await self._sandbox.run(spec, collect, asyncio.Event())
            except SandboxError as error:
                return entry["id"], {"error": str(error)}
            return entry["id"], {
                "seconds": time.monotonic() - began,
                "end": outcome.end,
                "exit_code": outcome.exit_code,
                "signal": outcome.signal,
                "message": outcome.message,
                "output": output.decode(errors="replace"),
                "collected": await asyncio.to_thread(_read_collected, outcome.collected),
                "checks": {
                    name: await asyncio.to_thread(check, marker)
                    for name, check in _CHECKS.items()
                    if name in entry.get("checks", ())
                },
            }

    def _spec(self, entry: dict[str, Any], marker: str) -> Spec:
        names = self._names | {"marker": marker, "ipc_key": _ipc_key(marker)}
        asked = {"network": entry.get("network", False), "wall_seconds": self._wall_seconds} | entry.get("limits", {})
        asked["wall_seconds"] = min(asked["wall_seconds"], self._wall_seconds)
        access = _access(entry.get("access", {}), names)
        files = {name: text.format_map(names).encode() for name, text in entry.get("files", {}).items()}
        env = {"MARKER": marker} | entry.get("env", {})
        collects = entry.get("file") == "artifacts"
        return Spec(_command(entry, names), Limits(**asked), env, access, files, collects)


def _read_collected(collected: Collected | None) -> dict[str, Any]:
    """Return what a run left, and release it."""
    if collected is None:
        return {}
    with closing(collected):
        contents = {file.name: b"".join(collected.read(file)) for file in collected.artifacts}
        sizes = {file.name: file.size for file in collected.artifacts}
    return {
        "artifacts": {name: data[:100].decode(errors="replace") for name, data in contents.items()},
        "sizes": sizes,
        "whole": [name for name, data in contents.items() if len(data) == sizes[name]],
        "result": (collected.result or b"")[:100].decode(errors="replace"),
        "left_out": "; ".join(collected.problems),
    }


def _access(fields: dict[str, Any], names: dict[str, object]) -> Access:
    """Read what an entry is granted, as a grant writes it."""
    paths = {key: tuple(text.format_map(names) for text in fields.get(key, ())) for key in ("read", "write", "sockets")}
    reached = [parse_destination(text.format_map(names)) for text in fields.get("connect", ())]
    destinations = tuple(each.at(each.host) for each in reached)
    return Access(**paths, destinations=destinations, hosts=tuple(map(tuple, fields.get("hosts", ()))))


def _command(entry: dict[str, Any], names: dict[str, object]) -> Command:
    if "argv" in entry:
        stdin = entry.get("stdin", "").encode() or b"x" * entry.get("stdin_size", 0)
        return Program(tuple(word.format_map(names) for word in entry["argv"]), stdin)
    if "script" in entry:
        return Script(entry["script"].format_map(names))
    if "try" in entry:
        attempt = entry["try"].format_map(names)
        held = "except BaseException as error: print('HELD', type(error).__name__, error)"
        code = f"{_prelude()}try:\n    exec({attempt!r})\n{held}\nelse: print('BREACH')\n"
    else:
        program = entry["python"].format_map(names)
        code = (_prelude() if "call" in program else "") + program
    return PythonCode(code, entry.get("environment", "default"))


def _prelude() -> str:
    processor = MACHINES.index(machine())
    tables = [table for name, table in vars(syscall_table).items() if name.isupper() and isinstance(table, dict)]
    numbers = {
        name: pair[processor]
        for table in (*tables, MORE_CALLS)
        for name, pair in table.items()
        if isinstance(pair, tuple)
    }
    return PRELUDE.format(x86=platform.machine() == "x86_64", numbers=numbers)


def _wants_to_be_alone(entry: dict[str, Any]) -> bool:
    return str(entry["id"]).startswith(("fork-bomb", "many-", "interpreter-poisoned", "state-of"))


def _no_survivors(marker: str) -> bool:
    deadline = time.monotonic() + SURVIVOR_SECONDS
    while _processes_with(marker):
        if time.monotonic() > deadline:
            for pid in _processes_with(marker):
                os.kill(pid, signal.SIGKILL)
            return False
        time.sleep(0.02)
    return True


def _processes_with(marker: str) -> list[int]:
    found = []
    for name in map(str, os.listdir("/proc")):  # noqa: PTH208
        with suppress(OSError):
            if name.isdigit() and marker in Path(f"/proc/{name}/environ").read_text(errors="replace"):
                found.append(int(name))
    return found


def _nothing_in_tmp(marker: str) -> bool:
    return not any(Path(place, marker).exists() for place in ("/tmp", "/var/tmp"))  # noqa: S108


def _nothing_in_shm(marker: str) -> bool:
    left = Path("/dev/shm", marker)  # noqa: S108
    was_left = left.exists()
    left.unlink(missing_ok=True)
    return not was_left


def _no_ipc(marker: str) -> bool:
    key = str(_ipc_key(marker))
    left = any(key in Path(f"/proc/sysvipc/{kind}").read_text().split() for kind in ("shm", "sem", "msg"))
    if left:
        subprocess.run(["ipcrm", "-M", key, "-S", key, "-Q", key], check=False, capture_output=True)
    return not left


def _ipc_key(marker: str) -> int:
    return int(marker[1:8], 16) + 1


_CHECKS = {
    "no-survivors": _no_survivors,
    "nothing-in-tmp": _nothing_in_tmp,
    "nothing-in-shm": _nothing_in_shm,
    "no-ipc": _no_ipc,
}


def main() -> None:
    """Run what the arguments say."""
    level, results, parts = Level(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    corpus = load_corpus()
    found = [_campaign(level, corpus, frozenset(map(Layer, without)), only) for without, only in parts]
    results.write_text(json.dumps(found))


def _campaign(level: Level, corpus: list[dict[str, Any]], without: frozenset[Layer], only: list[str]) -> dict[str, Any]:
    surroundings = Surroundings(os.environ["API_KEY"])
    root = surroundings.base / "runs"
    entries = [entry for entry in corpus if not only or entry["id"] in only]
    # Libraries are worth warming up for the whole corpus alone.
    environments = [PythonEnvironment(preload=()) if only else DEFAULT_ENVIRONMENT]
    if any("environment" in entry for entry in entries):
        environments.append(PythonEnvironment("own", surroundings.install_python(), ()))
    port = surroundings.http.server_port
    sandbox: Sandbox = SubprocessSandbox(root, 0.3, environments, OUTPUT_WAIT_SECONDS)
    if level is not Level.NONE:
        sandbox = ZygoteSandbox(
            level,
            root,
            SLOTS,
            environments,
            0.3,
            [Destination(host, port, port) for host in (PUBLIC, ALLOWED_HOST)],
            without,
            output_wait_seconds=OUTPUT_WAIT_SECONDS,
            private=surroundings.private,
            granted=surroundings.granted,
        )
    wall = 1.0 if level is Level.NONE else 20.0
    if without:
        wall = 3.0  # long enough for what a layer would have stopped, and what goes on longer has gone wrong
    may_chmod = level is not Level.STANDARD or os.geteuid() == 0
    try:
        return asyncio.run(Campaign(sandbox, surroundings, may_chmod=may_chmod, wall_seconds=wall).run(entries))
    finally:
        surroundings.remove()


if __name__ == "__main__":
    main()
