"""A server on the loopback with one path for each kind of answer."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    """Answers `/status/N`, `/to/URL`, `/echo`, `/bytes/N`, `/json` and `/binary`; others never or wrongly."""

    def answer(self) -> None:
        _, kind, *rest = self.path.partition("?")[0].split("/", 2)
        {
            "status": lambda: self.send(int(rest[0]), b""),
            "to": lambda: self.send(int(rest[0][:3]), b"", Location=rest[0][4:]),
            "echo": self.echo,
            "bytes": lambda: self.send(200, b"x" * int(rest[0])),
            "json": lambda: self.send(200, b'{"state": "complete", "items": [{"id": 7, "ok": true}]}'),
            "binary": lambda: self.send(200, b"\0\xff\xfe"),
            "secrets": lambda: self.send(200, b"", **{"Set-Cookie": "id=hush", "X-Api-Key": "hush", "X-Plain": "told"}),
            "cut": lambda: self.send(200, b"half", **{"Content-Length": "8"}),
            "hang": self.server.stopping.wait,  # type: ignore[attr-defined]
            "drip": self.drip,
            "close": lambda: None,
            "nonsense": lambda: self.wfile.write(b"220 mail.example ESMTP\r\n"),
        }[kind]()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815 (names that the library calls)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        self.send(200, json.dumps(told).encode())

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.stopping.wait(0.05):  # type: ignore[attr-defined]
            self.wfile.write(b".")
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run the server, with TLS if there is a context for it. Yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.stopping = threading.Event()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that has gone is no news
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.stopping.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()
