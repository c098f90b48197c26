"""The entry of the program: one request, its log lines, its result, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from scheduler_service.payloads.http_program.connection import Steps
from scheduler_service.payloads.http_program.exchange import Request, Response, exchange
from scheduler_service.payloads.http_program.expectations import check
from scheduler_service.payloads.http_program.failure import RequestFailedError
from scheduler_service.payloads.http_program.report import HIDDEN, result_of
from scheduler_service.payloads.http_program.target import Target

RESULT_VARIABLE = "SCHEDULER_RESULT"
_OF_THE_RUN = {"X-Scheduler-Run-Id": "SCHEDULER_RUN_ID", "X-Scheduler-Attempt": "SCHEDULER_ATTEMPT"}


class _TimeUpError(BaseException):
    """The timer has fired. No handler of errors may take it for one of the connection."""


def main(parameters: Mapping[str, Any]) -> None:
    """Make the request and exit: with 0 if the response is as expected, else with 1 and the reason in the last line."""
    steps = Steps(print)
    signal.signal(signal.SIGALRM, _end)
    try:
        _request_and_check(parameters, steps)
    except RequestFailedError as error:
        reason = str(error)
    except _TimeUpError:
        reason = f"the request took longer than {parameters['timeout_seconds']:g} s; it ended while {steps.current}"
    else:
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    steps.say(f"failed: {reason}")
    sys.exit(1)


def _request_and_check(parameters: Mapping[str, Any], steps: Steps) -> None:
    ends_at = time.monotonic() + parameters["timeout_seconds"]
    signal.setitimer(signal.ITIMER_REAL, parameters["timeout_seconds"])
    request, follows = _request(parameters), parameters["follow_redirects"]
    response = exchange(request, steps, lambda: ends_at - time.monotonic(), follow_redirects=follows)
    signal.setitimer(signal.ITIMER_REAL, 0)
    _report(response, steps)
    check(response, parameters["expect"])


def _end(_: int, __: FrameType | None) -> None:
    raise _TimeUpError


def _request(parameters: Mapping[str, Any]) -> Request:
    own = {name: os.environ[variable] for name, variable in _OF_THE_RUN.items() if variable in os.environ}
    chosen = {name.lower() for name in parameters["headers"]}
    defaults = {"User-Agent": parameters["user_agent"], "Accept": "*/*"}
    own |= {name: value for name, value in defaults.items() if name.lower() not in chosen}
    has_type = parameters["content_type"] is None or "content-type" in chosen
    about_body = {} if has_type else {"Content-Type": parameters["content_type"]}
    body = parameters["body"]
    return Request(
        method=parameters["method"],
        target=Target.parse(parameters["url"]),
        headers={**about_body, **parameters["headers"]},
        own_headers=own,
        body=None if body is None else body.encode(),
    )


def _report(response: Response, steps: Steps) -> None:
    """Print the response, and write it to the file of the run's result, if there is one."""
    result = result_of(response, steps.timing)
    for name, value in result["headers"].items():
        if value != HIDDEN:
            steps.say(f"{name}: {value}")
    if result["body_encoding"] == "text" and result["body"]:
        steps.say(f"\n{result['body']}")
    if path := os.environ.get(RESULT_VARIABLE):
        Path(path).write_text(json.dumps(result), encoding="utf-8")
