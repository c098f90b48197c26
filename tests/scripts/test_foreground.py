"""`make up` at a real terminal: Ctrl-C and other signals."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEADLINE_SECONDS = 30
ROOT = Path(__file__).parents[2]
FOREGROUND = f"{sys.executable} {ROOT}/scripts/foreground.py {sys.executable}"
SERVICE = """
import signal, sys
def stop(*_):
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    signal.pause()
"""


class Terminal:
    """A terminal with make in it."""

    def __init__(self, directory: Path, recipe: str) -> None:
        (directory / "service.py").write_text(SERVICE)
        (directory / "Makefile").write_text(f"up:\n\t@{recipe}\n")
        self._master, slave = pty.openpty()
        self.make = subprocess.Popen(
            ["make", "up"],
            cwd=directory,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (one system call)
        )
        os.close(slave)
        self.shown = b""

    def read_until(self, text: bytes) -> None:
        """Read what is shown until it holds `text`."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown:
            readable, _, _ = select.select([self._master], [], [], deadline - time.monotonic())
            assert readable, f"{text!r} was not shown, but {self.shown!r}"
            self.shown += os.read(self._master, 1024)  # an OSError when all who could write are gone

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def close(self) -> None:
        os.close(self._master)
        self.make.kill()
        self.make.wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, f"{FOREGROUND} service.py")
    yield terminal
    terminal.close()


def test_ctrl_c_drains_the_service_and_make_exits_with_0(terminal: Terminal) -> None:
    terminal.read_until(b"ready")
    terminal.press(b"\x03")
    terminal.read_until(b"drained")
    assert terminal.make.wait(DEADLINE_SECONDS) == 0


def test_signal_to_make_reaches_the_service(terminal: Terminal) -> None:
    terminal.read_until(b"ready")
    terminal.make.terminate()
    terminal.read_until(b"drained")
    terminal.make.wait(DEADLINE_SECONDS)


def test_make_reports_the_exit_code_of_the_service(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, f"{FOREGROUND} -c 'raise SystemExit(3)'")
    try:
        terminal.read_until(b"Error 3")
        assert terminal.make.wait(DEADLINE_SECONDS) == 2
    finally:
        terminal.close()


def test_service_runs_without_a_terminal() -> None:
    command = [sys.executable, str(ROOT / "scripts/foreground.py"), "echo", "hello"]
    shown = subprocess.run(
        command, capture_output=True, start_new_session=True, check=True, timeout=DEADLINE_SECONDS
    ).stdout
    assert shown == b"hello\n"
