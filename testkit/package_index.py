"""A package index on loopback, with wheels that are made by hand."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD = "pa55-of-the-index"  # noqa: S105 (of the tests)


@dataclass
class IndexServer:
    """An index. `files` are its distributions by file name, `requested` the paths that clients have asked for.

    `files_at` is another address for the links to files.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)
    port: int = 0
    authorization: str | None = None
    files_at: str = ""
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Answer no request as long as the block runs."""
        self.answers.clear()
        try:
            yield
        finally:
            self.answers.set()

    @property
    def url(self) -> str:
        """Return the address for `SCHEDULER_PACKAGE_INDEX_URL`."""
        user = f"ann:{PASSWORD}@" if self.authorization else ""
        return f"http://{user}127.0.0.1:{self.port}/simple"

    def require_password(self) -> None:
        """Refuse clients without the name and password that `url` has."""
        self.authorization = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()

    def add(
        self,
        name: str,
        version: str = "1.0",
        code: str = "",
        requires: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
    ) -> str:
        """Add a wheel with the module `name`, and return the name of its file. `files` are further members."""
        module = name.replace("-", "_")
        members = {f"{module}.py": f"VERSION = {version!r}\n{code}", **(files or {})}
        file_name = f"{module}-{version}-py3-none-any.whl"
        self.put(file_name, build_wheel(name, version, members, requires))
        return file_name

    def put(self, file_name: str, data: bytes) -> None:
        """Serve a file, and its true hash."""
        self.files[file_name] = data
        self.hashes[file_name] = hashlib.sha256(data).hexdigest()

    def listing(self, project: str) -> str | None:
        """Return the page of a project, or None if there is none."""
        links = [
            f'<a href="{self.files_at}/files/{name}#sha256={self.hashes[name]}">{name}</a>'
            for name in self.files
            if name.rsplit("-")[0].replace("_", "-") == project
        ]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>" if links else None


def build_wheel(name: str, version: str, members: Mapping[str, str], requires: Sequence[str] = ()) -> bytes:
    """Return a wheel with these members, its metadata and its record."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    requirements = "".join(f"Requires-Dist: {each}\n" for each in requires)
    whole = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in whole.items())
    whole[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in whole.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return data.getvalue()


@contextmanager
def package_index() -> Iterator[IndexServer]:
    """Serve an index, which is empty at first, on loopback."""
    index = IndexServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(index))
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _handler_of(index: IndexServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Serves `/simple/PROJECT/` and `/files/NAME`."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

        def _answer(self, *, with_body: bool) -> None:
            index.requested.append(self.path)
            index.answers.wait()
            kind, (folder, _, name) = "text/html", self.path.strip("/").partition("/")
            body: bytes | None = None
            if index.authorization and self.headers.get("Authorization") != index.authorization:
                self.send_error(401)
                return
            if folder == "files":
                kind, body = "application/octet-stream", index.files.get(name)
            elif (listing := index.listing(name)) is not None:
                body = listing.encode()
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    return Handler
