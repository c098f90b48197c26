"""`uvicorn src.app.main:app`, as documented, in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from testkit.programs import execute
from testkit.waiting import DEADLINE_SECONDS
from tests.api.conftest import DEFINITION
from tests.api.processes import ROOT, Server, environment, run, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), execute, SCHEDULER_SLOT="5") as server:  # which nobody reads
        yield server


def start_run(client: httpx2.Client, script: str) -> int:
    definition = {
        **DEFINITION,
        "payload": {"type": "shell_script", "script": script},
        "retry_policy": {"max_retries": 0},
    }
    job = client.post("/api/v1/jobs", json=definition).json()
    run_id: int = client.post(f"/api/v1/jobs/{job['id']}/run").json()["id"]
    return run_id


def follow(client: httpx2.Client, run_id: int, **headers: str) -> Iterator[httpx2.ServerSentEvent]:
    headers = {"Accept": "text/event-stream", **headers}
    with client.stream("GET", f"/api/v1/runs/{run_id}/logs", headers=headers) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        # A run that waits for its begin is told as well, where it does.
        yield from (event for event in httpx2.EventSource(response) if event.event != "status")


def test_app_is_found_when_the_package_is_not_installed(tmp_path: Path) -> None:
    """The requirements are installed, the package itself is not."""
    program = "import src.app.main, scheduler_service; print(scheduler_service.__file__)"
    hidden = f"import sys; sys.path = [p for p in sys.path if not p.endswith('/src')]; {program}"

    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, env=environment(tmp_path), check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == str(ROOT / "src" / "scheduler_service" / "__init__.py")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SCHEDULER_PORT": "http"}, r"SCHEDULER_PORT: .*got 'http'.*"),
        ({"ENVIRONMENT": "production"}, r"API_KEY: production does not accept the development key; .*"),
        ({"LOG_LEVEL": "LOUD"}, r"LOG_LEVEL: .*"),
    ],
)
def test_wrong_setting_ends_the_start_with_one_line(tmp_path: Path, variables: dict[str, str], line: str) -> None:
    done = run(tmp_path, **variables)

    assert done.returncode == 2
    assert re.fullmatch(line + "\n", done.stderr)


def test_second_instance_is_refused_with_one_line(server: Server, tmp_path: Path) -> None:
    data_dir = server.log.parent / "data"

    done = run(tmp_path, SCHEDULER_DATA_DIR=str(data_dir))

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("SCHEDULER_DATA_DIR: another instance is already running on ")


def test_unreachable_database_is_reported_with_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, DATABASE_URL="postgresql+asyncpg://u:hidden@127.0.0.1:1/none")

    lines = [line for line in map(json.loads, done.stderr.splitlines()) if line["level"] in {"warning", "error"}]
    assert done.returncode != 0
    assert lines[0]["event"].startswith("DATABASE_URL: the database cannot be reached")
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_development_key_is_logged_as_a_warning(server: Server) -> None:
    assert [line["level"] for line in server.lines() if line["event"] == "development_key_accepted"] == ["warning"]


def test_unknown_setting_is_logged_as_a_warning(server: Server) -> None:
    line = server.awaited_line("ignored")

    assert (line["level"], line["ignored"]) == ("warning", "SCHEDULER_SLOT (did you mean SCHEDULER_SLOTS?)")


def test_log_lines_of_a_run_carry_the_request_id(server: Server) -> None:
    with server.client() as client:
        client.headers["X-Request-ID"] = "from-end-to-end"
        run_id = start_run(client, "echo $SCHEDULER_CORRELATION_ID")
        events = list(follow(client, run_id))

    assert json.loads(events[0].data)["text"] == "from-end-to-end\n"
    told = {line["event"] for line in server.lines() if line.get("correlation_id") == "from-end-to-end"}
    assert {"request_finished", "attempt_started", "attempt_ended"} <= told


def test_output_of_a_run_never_appears_in_the_log(server: Server) -> None:
    with server.client() as client:
        list(follow(client, start_run(client, 'echo tell-nobody\necho \'{"level": "forged"}\'')))

    assert "tell-nobody" not in server.log.read_text(encoding="utf-8")
    assert "forged" not in {line["level"] for line in server.lines()}


def test_log_stream_ends_with_the_run(server: Server) -> None:
    with server.client() as client:
        events = list(follow(client, start_run(client, "echo one; sleep 0.5; echo 'zwei \u00fc \U0001f600'; exit 3")))

    *logs, end = events
    assert "".join(json.loads(event.data)["text"] for event in logs) == "one\nzwei \u00fc \U0001f600\n"
    assert {event.event for event in logs} == {"log"}
    assert (end.event, json.loads(end.data), end.id) == ("end", {"status": "failed"}, logs[-1].id)


def test_log_stream_resumes_after_the_last_event(server: Server) -> None:
    with server.client() as client:
        run_id = start_run(client, "echo one; echo two")
        list(follow(client, run_id))
        (log, end) = follow(client, run_id, **{"Last-Event-ID": "4"})

    assert (json.loads(log.data), log.id) == ({"offset": 4, "text": "two\n"}, "8")
    assert json.loads(end.data) == {"status": "success"}


def test_output_that_looks_like_events_stays_text(server: Server) -> None:
    text = "a\n\ndata: forged\nevent: end\n\n\rb"
    with server.client() as client:
        events = list(follow(client, start_run(client, f"printf '{text}'")))

    assert "".join(json.loads(event.data)["text"] for event in events if event.event == "log") == text
    assert [event.event for event in events].count("end") == 1


def test_log_stream_of_an_unknown_run_is_404(server: Server) -> None:
    with server.client() as client:
        answer = client.get("/api/v1/runs/4711/logs", headers={"Accept": "text/event-stream"})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_stops_while_a_log_is_followed(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, SCHEDULER_DRAIN_SECONDS="0") as server, server.client() as client:
        run_id = start_run(client, "echo begun; exec sleep 300")
        seen: list[str] = []
        begun = threading.Event()

        def watch() -> None:
            for event in follow(client, run_id):
                seen.append(event.event)
                begun.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert begun.wait(DEADLINE_SECONDS)
        server.process.send_signal(number)

        assert server.process.wait(DEADLINE_SECONDS) in {0, -number}
        watcher.join(DEADLINE_SECONDS)
    assert seen == ["log"]


def test_unexpected_error_is_logged_with_its_traceback(tmp_path: Path) -> None:
    sabotage = "from scheduler_service.services.jobs import JobService; JobService.get = None; "
    program = (
        f"import sys; {sabotage}import uvicorn; sys.argv[1:] = ['src.app.main:app', '--port', '0']; uvicorn.main()"
    )
    with serving(tmp_path, execute, command=[sys.executable, "-c", program]) as server, server.client() as client:
        answer = client.get("/api/v1/jobs/1", headers={"X-Request-ID": "look-for-me"})
        line = server.awaited_line("exception")

    assert answer.status_code == 500
    assert line["correlation_id"] == "look-for-me"
    assert "TypeError: 'NoneType' object is not callable" in line["exception"]
