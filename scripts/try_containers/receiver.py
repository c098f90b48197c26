"""Receive alerts in a container, and print each request as a line, `PATH RUN_ID`. The argument is the port."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    """Takes everything."""

    def do_POST(self) -> None:
        """Print the run that an alert is about."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sys.stdout.write(f"{self.path} {json.loads(body).get('run_id')}\n")
        self._answer()

    def do_GET(self) -> None:
        """Print a heartbeat."""
        sys.stdout.write(f"{self.path} -\n")
        self._answer()

    def log_message(self, *_: object) -> None:
        """Print nothing more."""

    def _answer(self) -> None:
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
