"""Prints a run's log, either as stored or while it grows.

Theory of operation. `_events` reads the run's event stream and reconnects after a break at the last offset. The
follower therefore prints every byte once, unless the service stays away for longer than `RECONNECT_SECONDS`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from httpx2 import ServerSentEvent
from rich.console import Console
from rich.status import Status

from scheduler_service.console import render
from scheduler_service.console.client import Client
from scheduler_service.console.exit_codes import ExitCode, UnreachableError
from scheduler_service.telemetry.terminal_text import plain

# A restarted service continues or repeats the run. The follower waits this long for the service to return.
RECONNECT_SECONDS = 15.0
RETRY_SECONDS = 0.5
LARGEST_EXIT_CODE = 255
# Shells add this to the signal number of a killed program (POSIX, Shell, 2.8.2: more than 128).
SIGNALLED = 128


def copy_log(client: Client, run_id: int) -> None:
    """Print the stored log."""
    for piece in client.read(f"runs/{run_id}/logs"):
        _write(piece)


def follow_log(client: Client, run_id: int) -> None:
    """Print the log until the run ends. Ctrl-C ends only the following."""
    client.get(f"runs/{run_id}")  # reports a wrong id or address at once; only later failures are retried
    with _interruptible(run_id), _spinner(f"Waiting for output of run {run_id}") as spinner:
        for event in _events(client, run_id):
            spinner.stop()
            if event.event == "log":
                _write(json.loads(event.data)["text"].encode())
            else:
                render.note(waiting_line(client.get(f"runs/{run_id}")))


def wait_for(client: Client, run_id: int, *, as_json: bool) -> int:
    """Follow a run to its end, print how it ended, and return the exit code for it."""
    if as_json:
        with _interruptible(run_id):
            for _ in _events(client, run_id):
                pass
    else:
        follow_log(client, run_id)
    run = client.get(f"runs/{run_id}")
    if as_json:
        render.show_json(run)
    else:
        render.note(ending_line(run))
    return exit_code_of(run)


def exit_code_of(run: dict[str, Any]) -> int:
    """Return the exit code of the run's program, or the code that a shell or timeout(1) would return."""
    match run:
        case {"status": "success"}:
            return ExitCode.SUCCESS
        case {"status": "cancelled"}:
            return ExitCode.INTERRUPTED
        case {"reason": "timeout"}:
            return ExitCode.TIMED_OUT
        case {"exit_code": int(code)} if 0 < code <= LARGEST_EXIT_CODE:
            return code
        case {"signal": int(number)}:
            return SIGNALLED + number
        case _:
            return ExitCode.FAILED


def ending_line(run: dict[str, Any]) -> str:
    """Return in one line how a run ended."""
    reason = f" ({_reason(run)})" if run["reason"] else ""
    line = f"Run {run['id']}: {run['status']}{reason}, after {render.seconds(run['duration_seconds'])}."
    return f"{line} {run['message']}" if run["message"] else line


def waiting_line(run: dict[str, Any], now: datetime | None = None) -> str:
    """Return in one line what a run waits for."""
    if run["status"] != "retrying":
        return f"Run {run['id']} is {run['status']}."
    attempt, at = run["attempts"][-1], datetime.fromisoformat(run["available_at"])
    left = max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
    failed = f"Attempt {attempt['attempt']} failed ({_reason(attempt)})"
    return f"{failed}; the next one starts at {at:%H:%M:%S} UTC, in {left:.0f} s."


def _reason(run: dict[str, Any]) -> str:
    match run:
        case {"reason": "exit_code", "exit_code": int(code)}:
            return f"exit code {code}"
        case {"reason": "signal", "signal": int(number)}:
            return f"signal {number}, {_signal_name(number)}"
        case _:
            return str(run["reason"])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _events(client: Client, run_id: int) -> Iterator[ServerSentEvent]:
    """Yield the events `log` and `status` of a run until its end, across reconnections.

    Raise `UnreachableError` if the service stays away for longer than `RECONNECT_SECONDS`.
    """
    offset, lost_at = 0, None
    while True:
        try:
            for event in client.follow(f"runs/{run_id}/logs", offset=offset):
                if event.event == "end":
                    return
                yield event
                offset = int(event.id)
            lost_at = None
        except UnreachableError:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > RECONNECT_SECONDS:
                raise
        time.sleep(RETRY_SECONDS)


def _write(piece: bytes) -> None:
    """Write to standard output: unchanged to a file or pipe, only printable text to a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(plain(piece.decode("utf-8", "replace")))
        sys.stdout.flush()
    else:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@contextmanager
def _interruptible(run_id: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\n")  # the terminal has printed ^C at the cursor
        render.note(
            f"Stopped following; run {run_id} continues. To follow again: scheduler runs logs {run_id} --follow"
        )
        raise


@contextmanager
def _spinner(text: str) -> Iterator[Status]:
    """Show a spinner on standard error until the block ends or `stop` is called, if that is a terminal."""
    console = Console(stderr=True)
    with Status(text, console=console) as status:
        yield status
