"""Limits on connections, whatever clients do. The tests write to sockets what no client library would send."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from testkit.programs import execute
from testkit.waiting import DEADLINE_SECONDS, wait_until
from tests.api.bad_inputs.framing import FRAMING
from tests.api.processes import Server, serving

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.http import connection_limits

KEY = f"X-API-Key: {DEVELOPMENT_API_KEY}\r\n"
HEAD = "Host: localhost\r\n"
# Bounds that a test can pass in no time; the rest is as it is.
MAX_CONNECTIONS = 40
BOUNDS = {"SLOW_READER_SECONDS": 0.2}
SETTINGS = {
    "SCHEDULER_HEAD_SECONDS": "1",
    "SCHEDULER_BODY_SECONDS": "1",
    "SCHEDULER_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
}
PROGRAM = (
    "import sys; from scheduler_service.http import connection_limits, connections; "
    + "; ".join(f"connection_limits.{name} = {value}" for name, value in BOUNDS.items())
    + "; import uvicorn; sys.argv[1:] = ['src.app.main:app', '--port', '0']; uvicorn.main()"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = [sys.executable, "-c", PROGRAM]
    with serving(tmp_path_factory.mktemp("server"), execute, command=command, **SETTINGS) as server:
        yield server


def connect(server: Server) -> socket.socket:
    _, _, port = server.url.rpartition(":")
    return socket.create_connection(("127.0.0.1", int(port)), DEADLINE_SECONDS)


def received(connection: socket.socket) -> bytes:
    """Return everything that comes until the end."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def asked(server: Server, text: str | bytes) -> tuple[int, bytes]:
    """Send bytes as they are, and return the status and all that was answered until the end of the connection."""
    with closing(connect(server)) as connection:
        connection.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        answer = received(connection)
    return int(answer.split(b" ")[1]), answer


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    found: dict[str, Any] = json.loads(body)
    return found


def sent_until_refused(connection: socket.socket, piece: bytes, most: int) -> int:
    """Send a piece again and again until an answer is there; return how much was taken."""
    connection.settimeout(0)
    taken = 0
    while taken < most:
        try:
            taken += connection.send(piece)
        except BlockingIOError:
            pass
        except OSError:
            break
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            continue
    connection.settimeout(DEADLINE_SECONDS)
    return taken


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", "X-Header: abcdefghijklmnopqrstuvwxyz\r\n"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", "x" * 1000),
        ("GET /", "x" * 1000),
        ("", "X" * 1000),
    ],
    ids=["lines", "one header", "address", "method"],
)
def test_head_is_refused_when_it_is_too_long(server: Server, begin: str, piece: str) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(begin.encode())
        sent_until_refused(connection, piece.encode(), most=40_000_000)
        answer = received(connection)

    status = int(answer.split(b" ")[1])
    assert status in {400, 431}
    assert problem(answer)["status"] == status


def test_head_is_refused_when_it_has_too_many_headers(server: Server) -> None:
    status, answer = asked(server, "GET /health HTTP/1.1\r\n" + HEAD + "a:\r\n" * 300 + "\r\n")

    assert (status, problem(answer)["detail"]) == (431, "a request may have 200 headers at most")


def test_head_of_the_usual_size_is_accepted(server: Server) -> None:
    long = f"Cookie: {'x' * 30_000}\r\n"

    status, _ = asked(server, f"GET /health/live HTTP/1.1\r\n{HEAD}{long}Connection: close\r\n\r\n")

    assert status == 200


@pytest.mark.parametrize(
    "begin",
    [
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: local",
        f"POST /api/v1/jobs HTTP/1.1\r\n{HEAD}{KEY}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{",
    ],
    ids=["line", "header", "body"],
)
def test_request_that_does_not_end_is_answered_in_time(server: Server, begin: str) -> None:
    status, answer = asked(server, begin)

    assert (status, problem(answer)["title"]) == (408, "Request Timeout")


def test_silent_connection_is_closed(server: Server) -> None:
    with closing(connect(server)) as connection:
        assert connection.recv(1) == b""


def test_connections_are_served_when_200_others_are_idle(server: Server) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(connect(server))) for _ in range(200)]
        statuses = [asked(server, f"GET /health/live HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")[0] for _ in range(5)]
        assert idle

    assert statuses == [200] * 5


def test_connections_with_a_response_in_progress_are_kept(server: Server) -> None:
    begin = f"GET /api/v1/events HTTP/1.1\r\n{HEAD}{KEY}\r\n"
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS - 1):
            busy = stack.enter_context(closing(connect(server)))
            busy.sendall(begin.encode())
            assert busy.recv(12) == b"HTTP/1.1 200"
        stack.enter_context(closing(connect(server)))  # what waits makes room for the next
        status, _ = asked(server, f"GET /health/live HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
        assert status == 200
        last = stack.enter_context(closing(connect(server)))
        last.sendall(begin.encode())
        assert last.recv(12) == b"HTTP/1.1 200"
        with closing(connect(server)) as refused:
            assert received(refused).startswith(b"HTTP/1.1 503 ")


def test_client_that_never_reads_is_disconnected(server: Server) -> None:
    """The answer is larger than the buffers of the kernel."""
    with server.client() as client:
        script = "head -c 30000000 /dev/zero | tr '\\0' x"
        limits = {"output_kb": 40_000}
        payload = {"type": "shell_script", "script": script}
        definition = {"name": "x", "schedule_expr": "2099-01-01T00:00:00Z", "payload": payload, "limits": limits}
        job = client.post("/api/v1/jobs", json=definition).raise_for_status().json()
        run = client.post(f"/api/v1/jobs/{job['id']}/run").raise_for_status().json()
        path = f"/api/v1/runs/{run['id']}/logs"
        with client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
            for _ in answer.iter_raw():
                pass  # until the run has ended
        with closing(socket.socket()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(DEADLINE_SECONDS)
            connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            connection.sendall(f"GET {path} HTTP/1.1\r\n{HEAD}{KEY}\r\n".encode())
            wait_until(lambda: len([line for line in server.lines() if line.get("path") == path]) > 1)
            total = len(received_or_cut(connection))
    assert total < 30_000_000


def received_or_cut(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("declares", [True, False], ids=["length", "chunked"])
def test_client_that_sends_a_too_long_body_reads_the_413(server: Server, *, declares: bool) -> None:
    """The client sends everything before it reads, and closes the connection."""
    body = b"x" * 8_000_000
    data: Any = body if declares else iter([body])
    headers = {"X-API-Key": DEVELOPMENT_API_KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/api/v1/jobs", data, headers)  # noqa: S310 (of our own)

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=DEADLINE_SECONDS)  # noqa: S310

    with closing(refused.value) as answer:
        assert answer.code == 413


def test_refused_body_is_read_up_to_a_limit(server: Server) -> None:
    head = f"POST /api/v1/jobs HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\nContent-Length: 900000000\r\n\r\n"
    with closing(connect(server)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 401"
        taken = sent_until_cut(connection, 900_000_000)
    assert taken < 2 * connection_limits.MAX_LINGER_BYTES


def sent_until_cut(connection: socket.socket, most: int) -> int:
    taken = 0
    try:
        while taken < most:
            taken += connection.send(b"x" * 65536)
    except OSError:
        pass
    return taken


def test_trailer_cannot_replace_a_header(server: Server) -> None:
    head = f"GET /api/v1/jobs HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    status, _ = asked(server, f"{head}0\r\n{KEY}\r\n")

    assert status == 401


@pytest.mark.parametrize("flood", ["trailer", "extension"])
def test_trailer_and_chunk_extension_are_limited(server: Server, flood: str) -> None:
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\n{HEAD}{KEY}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    begin = "0\r\nX-Long: " if flood == "trailer" else "1;x="
    with closing(connect(server)) as connection:
        connection.sendall(f"{head}{begin}".encode())
        taken = sent_until_refused(connection, b"x" * 1000, most=100_000_000)
        answer = received_or_cut(connection)

    assert answer[:13] in {b"HTTP/1.1 431 ", b"HTTP/1.1 400 "}
    assert taken < 100_000_000


def test_body_in_small_chunks_is_accepted(server: Server) -> None:
    head = f"POST /api/v1/schedules/preview HTTP/1.1\r\n{HEAD}{KEY}Content-Type: application/json\r\n"
    body = json.dumps({"schedule_expr": "5m", "timezone": "UTC"})
    padded = body + " " * 20_000
    chunks = "".join(f"1\r\n{letter}\r\n" for letter in padded)

    status, _ = asked(server, f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunks}0\r\n\r\n")

    assert status == 200


def test_pipelined_requests_are_all_answered(server: Server) -> None:
    one = f"GET /health/live HTTP/1.1\r\n{HEAD}\r\n"
    last = f"GET /health/live HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n"

    _, answer = asked(server, one * 5 + last)

    assert answer.count(b"HTTP/1.1 200") == 6


def test_connection_is_closed_after_too_many_pipelined_requests(server: Server) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(f"GET /api/v1/events HTTP/1.1\r\n{HEAD}{KEY}\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(f"GET /health/live HTTP/1.1\r\n{HEAD}\r\n".encode() * 100)
        assert b"HTTP/1.1" not in received_or_cut(connection)


def test_connection_limit_leaves_descriptors_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "open_files", lambda: 1024)
    assert connection_limits.max_connections() == 1024 - connection_limits.RESERVED_FILES
    monkeypatch.setattr(connection_limits, "open_files", lambda: 65_536)
    assert connection_limits.max_connections() == connection_limits.LIMITS.max_connections


@pytest.mark.parametrize(
    "head",
    ["GET /health/live HTTP/1.0\r\n", "GET /health/live HTTP/1.1\r\nHost: [::1]:8000\r\n"],
    ids=["no host in HTTP/1.0", "host with a port"],
)
def test_valid_request_is_accepted(server: Server, head: str) -> None:
    assert asked(server, f"{head}Connection: close\r\n\r\n")[0] == 200


def test_request_is_checked_by_the_rules_of_http(server: Server) -> None:
    wrong = {}
    for name, (text, expected) in FRAMING.items():
        end = "" if "\r\n\r\n" in text else "Connection: close\r\n\r\n"
        chunks = "0\r\n\r\n" if end and "chunked" in text else ""
        status, answer = asked(server, text + end + chunks)
        if status != expected or problem(answer)["status"] != status:
            wrong[name] = f"{status}, not {expected}"
    assert wrong == {}
    assert asked(server, f"GET /health/live HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")[0] == 200


def test_head_request_for_an_endless_stream_is_answered(server: Server) -> None:
    status, answer = asked(server, f"HEAD /api/v1/events HTTP/1.1\r\n{HEAD}{KEY}Connection: close\r\n\r\n")

    assert status == 200
    assert b"content-type: text/event-stream" in answer
    assert answer.endswith(b"\r\n\r\n")
