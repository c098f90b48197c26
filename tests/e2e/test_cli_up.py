"""`scheduler up`: how it starts, what it prints, and how it stops."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from testkit.commands import Service, shell, up
from testkit.waiting import DEADLINE_SECONDS, wait_until

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

SLOW = "import time; print('begun', flush=True); time.sleep(60)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service, shared by the tests that leave it running."""
    with up(tmp_path_factory.mktemp("service")) as running:
        yield running


def test_banner_shows_the_address_and_the_key(service: Service) -> None:
    assert f"{service.url}/api/v1" in service.output
    assert f"{service.url}/docs" in service.output
    assert f"X-API-Key: {DEVELOPMENT_API_KEY}" in service.output


def test_start_on_a_terminal_is_a_few_lines(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    variables = {"SCHEDULER_PORT": "0", "SCHEDULER_DATA_DIR": str(tmp_path / "data")}
    with shell(tmp_path, **variables).start("up", stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        printed = ""
        try:
            while "runs list" not in printed:
                printed += os.read(ours, 4096).decode()
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)
            os.close(ours)

    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    assert lines[0] == "Scheduler Service is running. Press Ctrl-C to stop it."
    assert re.fullmatch(r"Open +http://127\.0\.0\.1:\d+/ui/", lines[1])
    assert len(lines) <= 10
    assert "Runs     API, dispatcher and a worker with 4 slots in this process, with the data in " in printed
    assert DEVELOPMENT_API_KEY in printed
    assert "\x1b" not in printed  # no line of the log, which is in colours


def test_curl_command_of_the_banner_works(service: Service) -> None:
    [line] = re.findall(r"curl .*?}'$", service.output, re.DOTALL | re.MULTILINE)

    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)

    assert json.loads(done.stdout)["name"] == "hello"


def test_own_key_is_not_shown(tmp_path: Path) -> None:
    with up(tmp_path, API_KEY="a-key-of-my-own") as service:
        service.add_job("print(1)")
        service.stop()

    assert "a-key-of-my-own" not in service.output + service.log
    assert "X-API-Key: $API_KEY" in service.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drains_and_the_exit_code_is_0(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path) as service:
        code = service.stop(number)

    assert code == 0
    assert "Draining" in service.output
    assert [json.loads(line)["event"] for line in service.log.splitlines()]


def test_signal_drains_when_nobody_reads_the_output(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    environment = {"SCHEDULER_PORT": "0", "SCHEDULER_DATA_DIR": str(tmp_path / "data"), "SCHEDULER_SANDBOX": "none"}
    with shell(tmp_path, **environment).start("up", stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as output:
            assert any("Press Ctrl-C to stop it" in line for line in output)
        process.terminate()
        try:
            _, log = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()

    assert process.returncode == 0
    assert "BrokenPipeError" not in log


def test_running_run_may_end_during_the_drain(tmp_path: Path) -> None:
    code = "import time; print('begun', flush=True); time.sleep(2); print('ended')"
    with up(tmp_path, SCHEDULER_SANDBOX="auto", SCHEDULER_DRAIN_SECONDS="60") as service:
        run_id = service.start_run(service.add_job(code))
        # As a terminal does on Ctrl-C: every process of the group gets it, not only the first.
        os.killpg(service.process.pid, signal.SIGINT)
        service.process.wait(DEADLINE_SECONDS)
    with up(tmp_path) as service:
        run = service.call("GET", f"runs/{run_id}")

    assert (run["status"], run["logs"], run["attempt"]) == ("success", "begun\nended\n", 1)


def test_log_follower_does_not_delay_the_stop(tmp_path: Path) -> None:
    with up(tmp_path, SCHEDULER_DRAIN_SECONDS="0") as service:
        run_id = service.start_run(service.add_job(SLOW))
        headers = {"X-API-Key": DEVELOPMENT_API_KEY, "Accept": "text/event-stream"}
        with httpx2.stream("GET", f"{service.url}/api/v1/runs/{run_id}/logs", headers=headers) as stream:
            lines = stream.iter_lines()
            next(lines)
            code = service.stop()

    assert code == 0
    assert "graceful shutdown exceeded" not in service.log


def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    with up(tmp_path, SCHEDULER_SANDBOX="auto", SCHEDULER_DRAIN_SECONDS="86400") as service:
        service.start_run(service.add_job(SLOW))
        service.process.send_signal(signal.SIGINT)
        wait_until(lambda: "Draining" in service.output)
        code = service.stop()

    assert code == 130
    assert "Stopped without waiting" in service.output


def test_run_is_executed_again_after_a_kill(tmp_path: Path) -> None:
    with up(tmp_path, SCHEDULER_SANDBOX="auto") as service:
        code = "import os; print('attempt', os.environ['SCHEDULER_ATTEMPT'], flush=True)\n"
        code += "if os.environ['SCHEDULER_ATTEMPT'] == '1': import time; time.sleep(600)"
        run_id = service.start_run(service.add_job(code))
        service.stop(signal.SIGKILL)
    with up(tmp_path) as service:
        done = service.shell.run("runs", "logs", run_id, "--follow")
        run = service.call("GET", f"runs/{run_id}")

    assert done.stdout.endswith("attempt 2\n")
    assert (run["status"], run["attempt"]) == ("success", 2)


def test_second_instance_on_the_same_data_is_refused(service: Service) -> None:
    other = shell(service.directory, SCHEDULER_PORT="0", SCHEDULER_DATA_DIR=str(service.directory / "data"))

    done = other.run("up")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("scheduler: SCHEDULER_DATA_DIR: another instance")
    assert "Traceback" not in done.stderr


def test_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = shell(tmp_path, SCHEDULER_PORT=str(port)).run("up")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"scheduler: SCHEDULER_PORT: {port} is in use on 127.0.0.1; stop the other program or choose another port"
    )


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SCHEDULER_PORT": "http"}, "SCHEDULER_PORT"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"ENVIRONMENT": "production"}, "API_KEY"),
        ({"SCHEDULER_HOST": "192.0.2.1"}, "SCHEDULER_HOST"),
        ({"SCHEDULER_HOST": "no.such.host.invalid", "API_KEY": "k" * 32}, "SCHEDULER_HOST"),
        ({"DATABASE_URL": "mysql://user:hidden@host/db"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite+aiosqlite:///:memory:"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite+aiosqlite:////nowhere/x.db"}, "DATABASE_URL"),
        ({"SCHEDULER_DATA_DIR": "/proc/data"}, "SCHEDULER_DATA_DIR"),
        (
            {"SCHEDULER_SANDBOX": "strict", "SCHEDULER_PYTHON_ENVS": '{"x": {"python": "/bin/true"}}'},
            "SCHEDULER_SANDBOX",
        ),
    ],
)
def test_wrong_setting_is_named_in_one_line(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    done = shell(tmp_path, **{"SCHEDULER_PORT": "0", **variables}).call("up")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"scheduler: {named}: ")
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr


def test_unusable_lock_file_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data" / "lock").mkdir(parents=True)

    done = shell(tmp_path, SCHEDULER_PORT="0").call("up")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("scheduler: SCHEDULER_DATA_DIR: cannot write")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_file_that_is_no_database_is_reported_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scheduler.db").write_text("a letter, and no database at all\n" * 100)

    done = shell(tmp_path, SCHEDULER_PORT="0").call(command)

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("scheduler: SCHEDULER_DATA_DIR: ")
    assert "scheduler.db' cannot be used: file is not a database" in done.stderr
    assert "Traceback" not in done.stderr


def test_unreachable_database_is_reported_with_a_remedy(tmp_path: Path) -> None:
    done = shell(tmp_path, SCHEDULER_PORT="0", DATABASE_URL="postgresql://u:hidden@127.0.0.1:1/none").call("up")

    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert line.startswith("scheduler: DATABASE_URL: ")
    assert "remove DATABASE_URL and REDIS_URL" in line
    assert "hidden" not in done.stderr


def test_copied_env_example_is_reported_with_a_remedy(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / ".env.example", tmp_path / ".env")

    done = shell(tmp_path).call("up")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "scheduler up --distributed" in line
    assert "remove DATABASE_URL and REDIS_URL" in line


def test_env_file_that_is_not_utf_8_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"API_KEY=schl\xfcssel\n")

    done = shell(tmp_path).call("jobs", "list")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("scheduler: .env: ")
    assert "UTF-8" in line


def test_migrate_warns_of_unknown_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SCHEDULER_PROT=8080\n", encoding="utf-8")

    done = shell(tmp_path).call("migrate")

    assert done.returncode == 0
    assert "unknown settings are ignored: SCHEDULER_PROT (did you mean SCHEDULER_PORT?)" in done.stderr


def test_migrate_prints_both_revisions(tmp_path: Path) -> None:
    here = shell(tmp_path)

    first, second = here.call("migrate"), here.call("migrate")

    assert "from no tables to revision" in first.stdout
    assert "up to date" in second.stdout


def test_migrate_is_refused_while_a_service_runs(service: Service) -> None:
    done = shell(service.directory, SCHEDULER_DATA_DIR=str(service.directory / "data")).call("migrate")

    assert done.returncode == 2
    assert "another instance" in done.stderr
