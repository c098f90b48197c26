"""Commands that talk to a service: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from testkit.commands import PROGRAM, Service, shell, up
from testkit.tls import Authority, in_front_of
from testkit.waiting import DEADLINE_SECONDS

from scheduler_service.cli.devstack_servers import free_port
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

COMMANDS = ("up", "migrate", "next", "jobs", "runs")
SLOW = "import time; print('begun', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("service")) as running:
        yield running


def on_a_terminal(service: Service, *arguments: object, **variables: str) -> str:
    """Run a command with a terminal for its output, and return what the terminal receives."""
    ours, theirs = pty.openpty()
    environment = {**service.shell.environment, "TERM": "xterm", **variables}
    command = [PROGRAM, *map(str, arguments)]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        return _read_all(ours)


def _read_all(terminal: int) -> str:
    written = b""
    with suppress(OSError):  # what reading gives once the other end is closed
        while chunk := os.read(terminal, 65536):
            written += chunk
    os.close(terminal)
    return written.decode()


def test_help_lists_the_commands_and_the_exit_codes(service: Service) -> None:
    done = service.shell.run("--help")

    assert done.returncode == 0
    assert all(f" {command} " in done.stdout for command in COMMANDS)
    assert "Exit codes" in done.stdout


def test_next_needs_no_service(tmp_path: Path) -> None:
    done = shell(tmp_path).call("next", "30 12 * * *", "--timezone", "Europe/Berlin", "--count", "3")

    sentence, header, *instants = done.stdout.splitlines()
    assert sentence == "At 12:30 (Europe/Berlin)"
    assert header.split() == ["UTC", "Europe/Berlin"]
    assert len(instants) == 3
    assert all(re.search(r"1[01]:30:00Z +\w+ [\d-]+ 12:30:00\+0[12]00", line) for line in instants)


def test_next_prints_the_same_json_as_the_api(service: Service) -> None:
    schedule = {"schedule_expr": "30 2 * * *", "timezone": "Europe/Berlin", "count": 400}

    offline = service.shell.read("next", "30 2 * * *", "-z", "Europe/Berlin", "-n", 400)

    assert offline == service.call("POST", "schedules/preview", schedule)


def test_next_prints_utc_as_the_api_does(service: Service) -> None:
    offline = service.shell.read("next", "@daily", "-n", 1)

    assert offline == service.call("POST", "schedules/preview", {"schedule_expr": "@daily", "count": 1})
    assert offline["instants"][0]["local"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["61 * * * *"], "schedule_expr"),
        (["5m", "-z", "Mars/Olympus"], "timezone"),
        (["2020-01-01T00:00:00Z"], "schedule_expr"),
        (["\udcff"], "UTF-8"),
    ],
)
def test_next_names_the_wrong_argument(tmp_path: Path, arguments: list[str], named: str) -> None:
    done = shell(tmp_path).call("next", *arguments)

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert named in line


def test_job_is_created_from_options(service: Service) -> None:
    options = ["--timezone", "Europe/Berlin", "--tag", "a", "--tag", "b", "--env", "MODE=fast", "--timeout", 60]
    more = ["--retries", 5, "--paused", "--set", "limits.memory_mb=64", "--set", "description=nightly"]

    job = service.shell.read("jobs", "create", "--name", "n", "--schedule", "5m", "--shell", "df", *options, *more)

    assert job["payload"] == {"type": "shell_script", "script": "df"}
    assert (job["name"], job["schedule_expr"], job["timezone"]) == ("n", "5m", "Europe/Berlin")
    assert (job["tags"], job["env"], job["timeout_seconds"]) == (["a", "b"], {"MODE": "fast"}, 60)
    assert (job["retry_policy"]["max_retries"], job["enabled"]) == (5, False)
    assert (job["limits"]["memory_mb"], job["description"]) == (64, "nightly")


def test_job_is_created_with_files(service: Service, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,ü\n")
    (tmp_path / "image").write_bytes(b"\xff")
    options = ["--with-file", tmp_path / "data.csv", "--with-file", f"d/i.png={tmp_path / 'image'}"]

    job = service.shell.read("jobs", "create", "--name", "n", "--schedule", "5m", "--shell", "cat *", *options)

    assert job["files"] == {"data.csv": {"text": "a,ü\n"}, "d/i.png": {"base64": "/w=="}}


def test_program_gets_the_words_after_the_dashes(service: Service) -> None:
    base = ["jobs", "create", "--name", "n", "--schedule", "5m", "--json", "--program"]

    done = service.shell.run(*base, "--", "printf", "%s", "--name")

    assert json.loads(done.stdout)["payload"]["argv"] == ["printf", "%s", "--name"]


def test_options_override_a_definition_from_standard_input(service: Service) -> None:
    document = {"name": "n", "schedule_expr": "5m", "payload": {"type": "shell_script", "script": "df"}}

    command = ["jobs", "create", "--file", "-", "--name", "other", "--json"]
    job = json.loads(service.shell.run(*command, stdin=None, input=json.dumps(document)).stdout)

    assert (job["name"], job["payload"]["script"]) == ("other", "df")


def test_job_is_edited_paused_resumed_and_deleted(service: Service) -> None:
    job_id = service.add_job("print(1)")

    edited = service.shell.read("jobs", "edit", job_id, "schedule_expr=10m", "limits.memory_mb=64")
    paused = service.shell.read("jobs", "pause", job_id)
    resumed = service.shell.read("jobs", "resume", job_id)
    deleted = service.shell.call("jobs", "delete", job_id)
    shown = service.shell.call("jobs", "show", job_id)

    assert (edited["schedule_expr"], edited["limits"]["memory_mb"]) == ("10m", 64)
    assert (paused["status"], resumed["status"]) == ("paused", "active")
    assert (deleted.returncode, shown.returncode) == (0, 2)
    assert shown.stderr == f"scheduler: there is no job {job_id}\n"


def test_version_is_shown_and_restored(service: Service) -> None:
    job_id = service.add_job("print(1)")
    service.shell.read("jobs", "edit", job_id, "priority=7")

    listed = service.shell.call("jobs", "versions", job_id).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["VERSION", "2", "1"]
    assert "priority before: 5" in service.shell.call("jobs", "versions", job_id, 2).stdout
    restored = service.shell.call("jobs", "restore", job_id, 1).stdout
    assert restored == f"Restored version 1 of job {job_id}, as version 3.\n"


def test_backfill_lists_what_it_would_run(service: Service) -> None:
    job_id = service.add_job("print(1)")
    window = ("--from", "2026-01-14T00:00:00Z", "--to", "2026-01-14T23:59:59Z", "--dry-run")
    service.shell.read("jobs", "edit", job_id, "schedule_expr=0 6,18 * * *")

    lines = service.shell.call("jobs", "backfill", job_id, *window).stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [
        ["2026-01-14T06:00:00Z", "gap"],
        ["2026-01-14T18:00:00Z", "gap"],
    ]
    assert lines[-1] == "2 of 2 matching instants would be run."


def test_each_change_of_a_job_prints_one_line(service: Service) -> None:
    created = service.shell.call("jobs", "create", "--name", "tidy up", "--schedule", "@yearly", "--shell", "df").stdout
    job_id = int(created.split()[2])
    next_run = r", next run \d{4}-01-01T00:00:00Z\.\n"

    assert re.fullmatch(rf"Created job {job_id} \(tidy up\){next_run}", created)
    changed = service.shell.call("jobs", "edit", job_id, "name=tidy").stdout
    assert re.fullmatch(rf"Changed job {job_id} \(tidy\){next_run}", changed)
    assert service.shell.call("jobs", "pause", job_id).stdout == f"Paused job {job_id} (tidy).\n"
    assert re.fullmatch(
        rf"Resumed job {job_id} \(tidy\){next_run}", service.shell.call("jobs", "resume", job_id).stdout
    )
    assert service.shell.call("jobs", "delete", job_id).stdout == f"Deleted job {job_id}.\n"


@pytest.mark.parametrize(("answer", "code", "is_kept"), [("n", 1, True), ("\x04", 130, True), ("y", 0, False)])
def test_delete_asks_on_a_terminal(service: Service, answer: str, code: int, *, is_kept: bool) -> None:
    job_id = service.add_job("print(1)", name="precious")
    ours, theirs = pty.openpty()
    command = [PROGRAM, "jobs", "delete", str(job_id)]
    with subprocess.Popen(
        command, env={**service.shell.environment, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode() if answer.isalpha() else answer.encode())
        shown = _read_all(ours)

    assert f"Delete job {job_id} (precious)?" in shown
    assert process.returncode == code
    assert (service.shell.call("jobs", "show", job_id).returncode == 0) is is_kept


def test_delete_does_not_ask_when_yes_is_given(service: Service) -> None:
    job_id = service.add_job("print(1)")

    assert on_a_terminal(service, "jobs", "delete", job_id, "--yes") == f"Deleted job {job_id}.\r\n"


def test_run_wait_announces_the_next_attempt(service: Service) -> None:
    retry = {"max_retries": 1, "retry_delay": 1, "jitter": 0}
    job_id = service.add_job("raise SystemExit(3)", retry_policy=retry)

    done = service.shell.call("jobs", "run", job_id, "--wait")

    assert re.search(
        r"^Attempt 1 failed \(exit code 3\); the next one starts at .* UTC, in [01] s\.$", done.stderr, re.MULTILINE
    )
    assert done.returncode == 3


def test_lists_are_filtered(service: Service) -> None:
    job_id = service.add_job("print(1)", tags=["only"], owner_id="math", enabled=False)

    for options in (["--tag", "only"], ["--owner", "math"], ["--status", "paused", "--tag", "only"]):
        assert [job["id"] for job in service.shell.read("jobs", "list", *options)["jobs"]] == [job_id]


def test_page_reports_that_there_are_more(service: Service) -> None:
    service.add_job("print(1)", tags=["paged"])
    service.add_job("print(1)", tags=["paged"])

    done = service.shell.call("jobs", "list", "--tag", "paged", "--size", 1)

    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "page 1: 1 of 2; --page and --size show others\n"


def test_table_in_a_pipe_is_plain_and_uncut(service: Service) -> None:
    name = "a name that is longer than " + "any terminal is wide " * 8
    service.add_job("print(1)", name=name, tags=["wide"])

    done = service.shell.call("jobs", "list", "--tag", "wide")

    header, row = done.stdout.splitlines()
    assert header.split()[:3] == ["ID", "NAME", "STATUS"]
    assert name.strip() in row
    assert "\x1b" not in done.stdout


def lines_on_a_terminal(service: Service, *arguments: object) -> list[str]:
    return on_a_terminal(service, *arguments, COLUMNS="80", NO_COLOR="1", TERM="dumb").splitlines()


@pytest.mark.parametrize("noun", ["jobs", "runs"])
def test_table_fits_80_columns_with_one_line_per_row(service: Service, noun: str) -> None:
    long = {"name": "a very long name of a job " * 4, "schedule_expr": "0 0 1 1,2,3,4,5,6,7,8,9 MON-FRI"}
    job_id = service.add_job("print(1)", timezone="America/Argentina/Buenos_Aires", tags=["fits", "b" * 60], **long)
    service.shell.call("jobs", "run", job_id, "--wait")
    only = {"jobs": ("--tag", "fits"), "runs": ("--job", str(job_id))}[noun]
    instant = r"\d\d [A-Z][a-z]{2} \d\d:\d\d:\d\dZ"

    header, row = lines_on_a_terminal(service, noun, "list", *only)
    whole = lines_on_a_terminal(service, noun, "list", *only, "--wide")

    assert max(len(header), len(row)) <= 80
    assert row.split()[0].isdigit()
    assert re.search(instant, row)
    assert {"jobs": "b" * 60, "runs": "manual"}[noun] in whole[1]


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_table_on_a_terminal_escapes_control_sequences(service: Service, variables: dict[str, str]) -> None:
    service.add_job("print(1)", name="\x1b[2Jevil\x1b]0;title\x07 [red]x[/red]", tags=["evil"])

    shown = on_a_terminal(service, "jobs", "list", "--tag", "evil", COLUMNS="200", **variables)

    assert r"\x1b[2Jevil\x1b]0;title\x07 [red]x[/red]" in shown
    assert "\x1b[2J" not in shown
    assert ("\x1b[32m" in shown) is not bool(variables)


@pytest.mark.parametrize(
    ("code", "exit_code", "status"),
    [
        ("print('hi')", 0, "success"),
        ("raise SystemExit(7)", 7, "failed"),
        ("import os; os.kill(os.getpid(), 9)", 137, "failed"),
        ("import os; os.kill(os.getpid(), 15)", 143, "failed"),
    ],
)
def test_run_wait_exits_with_the_code_of_the_run(service: Service, code: str, exit_code: int, status: str) -> None:
    job_id = service.add_job(code, retry_policy={"max_retries": 0})

    done = service.shell.call("jobs", "run", job_id, "--wait")

    assert done.returncode == exit_code
    assert f": {status}" in done.stderr
    assert done.stdout == ("hi\n" if "hi" in code else "")


def test_run_wait_exits_with_124_after_a_timeout(service: Service) -> None:
    job_id = service.add_job(SLOW, timeout_seconds=1, retry_policy={"max_retries": 0})

    done = service.shell.call("jobs", "run", job_id, "--wait")

    assert done.returncode == 124
    assert "failed (timeout)" in done.stderr


def test_artifacts_are_listed_and_downloaded(service: Service, tmp_path: Path) -> None:
    code = "import os, pathlib as p; d = p.Path(os.environ['SCHEDULER_ARTIFACTS']); (d / 'a').mkdir(); "
    code += "(d / 'a' / 'ü b.txt').write_text('one'); (d / 'c').write_bytes(bytes(300_000))"
    run = service.shell.read("jobs", "run", service.add_job(code), "--wait")

    listed = service.shell.call("runs", "artifacts", run["id"]).stdout
    assert all(text in listed for text in ("a/ü b.txt", "300000", "text/plain"))
    one = service.shell.call("runs", "artifacts", run["id"], "--download", "a/ü b.txt", "--to", tmp_path / "one")
    assert (one.returncode, (tmp_path / "one" / "a" / "ü b.txt").read_text()) == (0, "one")
    assert not (tmp_path / "one" / "c").exists()
    service.shell.call("runs", "artifacts", run["id"], "--all", "--to", tmp_path / "all")
    assert (tmp_path / "all" / "c").stat().st_size == 300_000
    wrong = service.shell.call("runs", "artifacts", run["id"], "--download", "none")
    assert (wrong.returncode, "has no artifact 'none'" in wrong.stderr) == (2, True)


def test_run_wait_prints_the_run_as_json(service: Service) -> None:
    run = service.shell.read("jobs", "run", service.add_job("print('hi')"), "--wait")

    assert (run["status"], run["logs"]) == ("success", "hi\n")


def test_job_on_demand_is_created_and_listed(service: Service) -> None:
    service.shell.call("jobs", "create", "--name", "rebuild", "--on-demand", "--shell", "true")
    listed = service.shell.call("jobs", "list", "--query", "rebuild")

    assert "on demand" in listed.stdout
    assert service.shell.read("jobs", "list", "--query", "rebuild")["jobs"][0]["schedule_expr"] is None


def test_list_names_the_job_that_another_runs_after(service: Service) -> None:
    first = service.shell.read("jobs", "create", "--name", "upstream of all", "--on-demand", "--shell", "true")
    after = json.dumps([{"job": first["id"], "on": "success"}])
    service.shell.call(
        "jobs", "create", "--name", "follows", "--on-demand", "--shell", "true", "--set", f"after={after}"
    )

    assert "after upstream of all" in service.shell.call("jobs", "list", "--query", "follows").stdout


def test_run_takes_arguments_and_variables(service: Service) -> None:
    code = "import os; print(os.environ['SCHEDULER_ARGS'], os.environ['LEVEL'])"
    inputs = ("--arg", "day=1", "--arg", "name=Ada", "--env", "LEVEL=2", "--ignore-overlap")
    run = service.shell.read("jobs", "run", service.add_job(code), *inputs, "--wait")

    assert run["logs"] == '{"day": 1, "name": "Ada"} 2\n'


def test_log_is_followed_while_it_grows(service: Service) -> None:
    job_id = service.add_job(SLOW)
    with service.shell.start("jobs", "run", job_id, "--wait", stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        first = follower.stdout.readline()
        [run] = service.shell.read("runs", "list", "--job", job_id, "--status", "running")["runs"]
        service.shell.call("runs", "cancel", run["id"])

    assert first == "begun\n"
    assert follower.returncode == 130


def test_ctrl_c_stops_the_follower_and_not_the_run(service: Service) -> None:
    run_id = service.start_run(service.add_job(SLOW))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with service.shell.start("runs", "logs", run_id, "--follow", **pipes) as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        _, said = follower.communicate(timeout=DEADLINE_SECONDS)
    status = service.call("GET", f"runs/{run_id}")["status"]
    service.call("POST", f"runs/{run_id}/cancel")

    assert follower.returncode == 130
    assert said.splitlines()[-1].startswith(f"Stopped following; run {run_id} continues")
    assert status == "running"


def test_follower_continues_after_a_restart_of_the_service(tmp_path: Path) -> None:
    code = "import os, time; print('attempt', os.environ['SCHEDULER_ATTEMPT'], flush=True)\n"
    code += "if os.environ['SCHEDULER_ATTEMPT'] == '1': time.sleep(600)"
    settings = {"SCHEDULER_PORT": str(free_port()), "SCHEDULER_DRAIN_SECONDS": "0"}
    with up(tmp_path, **settings) as service:
        run_id = service.start_run(service.add_job(code))
        follower = service.shell.start("runs", "logs", run_id, "--follow", stdout=subprocess.PIPE)
        assert follower.stdout is not None
        first = follower.stdout.readline()
        service.stop()
    with follower, up(tmp_path, **settings):
        rest = follower.stdout.read()

    assert first == "attempt 1\n"
    assert rest.endswith("attempt 2\n")
    assert "attempt 1\n" not in rest
    assert follower.returncode == 0


def test_log_is_raw_in_a_pipe_and_cleaned_on_a_terminal(service: Service) -> None:
    job_id = service.add_job(r"import sys; sys.stdout.buffer.write(b'\x1b[31mred\x1b[0m\x07 \xc3\xa9\n')")
    run = service.shell.read("jobs", "run", job_id, "--wait")

    piped = service.shell.call("runs", "logs", run["id"]).stdout
    shown = on_a_terminal(service, "runs", "logs", run["id"])

    assert piped == "\x1b[31mred\x1b[0m\x07 é\n"
    assert shown == "red é\r\n"


def test_run_is_shown_with_its_attempts_and_its_log(service: Service) -> None:
    run = service.shell.read("jobs", "run", service.add_job("print('one\\ntwo')"), "--wait")

    done = service.shell.call("runs", "show", run["id"])

    assert re.search(r"^status: +success$", done.stdout, re.MULTILINE)
    assert re.search(r"^1 +success", done.stdout, re.MULTILINE)
    assert "logs: \n  one\n  two\n" in done.stdout


def test_running_run_is_asked_to_stop(service: Service) -> None:
    run_id = service.start_run(service.add_job(SLOW))

    done = service.shell.call("runs", "cancel", run_id)

    assert f"Run {run_id} of job" in done.stdout
    assert done.stdout.endswith("was asked to stop.\n")


def test_retry_of_a_successful_run_suggests_jobs_run(service: Service) -> None:
    run = service.shell.read("jobs", "run", service.add_job("print(1)"), "--wait")

    done = service.shell.call("runs", "retry", run["id"])

    assert done.returncode == 2
    assert f"`scheduler jobs run {run['job_id']}`" in done.stderr


def test_failed_run_is_retried_as_a_new_run(service: Service) -> None:
    job_id = service.add_job("raise SystemExit(1)", retry_policy={"max_retries": 0})
    service.shell.call("jobs", "run", job_id, "--wait")
    [failed] = service.shell.read("runs", "list", "--job", job_id, "--status", "failed")["runs"]

    retried = service.shell.read("runs", "retry", failed["id"])

    assert (retried["retry_of"], retried["job_id"]) == (failed["id"], job_id)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["jobs", "create", "--name", "n"], ["schedule_expr: ", "payload: "]),
        (["jobs", "show", "999999"], ["there is no job 999999"]),
        (["runs", "show", "999999"], ["there is no run 999999"]),
        (["runs", "logs", "999999", "-f"], ["there is no run 999999"]),
        (["runs", "cancel", "999999"], ["there is no run 999999"]),
        (["jobs", "list", "--status", "asleep"], ["status: "]),
        (["jobs", "list", "--api-key", "wrong"], ["the key "]),
        (["jobs", "list", "--api-key", "schlüssel"], ["API_KEY: "]),
        (["jobs", "list", "--url", "ftp://user:hidden@host"], ["--url: "]),
        (["jobs", "create", "--file", "nowhere.json"], ["nowhere.json: "]),
        (["jobs", "create", "--python", "1", "--shell", "2"], ["payload: "]),
    ],
)
def test_refusal_prints_one_line_per_problem(service: Service, arguments: list[str], lines: list[str]) -> None:
    done = service.shell.call(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert len(said) == len(lines)
    assert all(line.startswith(f"scheduler: {start}") for line, start in zip(said, lines, strict=True))
    assert "hidden" not in done.stderr


def test_refusal_names_field_value_and_remedy(service: Service) -> None:
    done = service.shell.call("jobs", "edit", service.add_job("print(1)"), "limits.memory_mb=3")

    assert done.stderr == "scheduler: limits.memory_mb: must be 16 or more (got 3)\n"


def test_missing_service_is_reported_with_how_to_start_it(tmp_path: Path) -> None:
    done = shell(tmp_path, SCHEDULER_URL=f"http://user:hidden@127.0.0.1:{free_port()}").call("jobs", "list")

    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert "scheduler up" in line
    assert "hidden" not in line


def test_service_behind_tls_needs_a_trusted_certificate(service: Service, authority: Authority) -> None:
    trust = {"SSL_CERT_FILE": str(authority.certificate)}
    with in_front_of(service.url, authority.vouch_for("localhost")) as url:
        trusting = shell(service.directory, SCHEDULER_URL=url, **trust)
        run = trusting.read("jobs", "run", service.add_job("print('hello')"), "--wait")
        unknown = shell(service.directory, SCHEDULER_URL=url).call("jobs", "list")
    with in_front_of(service.url, authority.vouch_for("elsewhere.example")) as url:
        of_another = shell(service.directory, SCHEDULER_URL=url, **trust).call("jobs", "list")

    assert run["status"] == "success"
    for done, why in ((unknown, "unable to get local issuer certificate"), (of_another, "Hostname mismatch")):
        assert done.returncode == 3
        [line] = done.stderr.splitlines()
        assert why in line
        assert ("SSL_CERT_FILE" in line) == (done is unknown)


def test_unreadable_certificate_is_reported_in_one_line(tmp_path: Path) -> None:
    named = {"SCHEDULER_URL": "https://127.0.0.1:9", "SSL_CERT_FILE": str(tmp_path / "none.pem")}
    done = shell(tmp_path, **named).call("jobs", "list")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"scheduler: SSL_CERT_FILE: '{tmp_path / 'none.pem'}' holds no certificates: No such file")


def test_https_to_a_service_without_tls_is_reported(service: Service) -> None:
    url = service.url.replace("http://", "https://")
    done = shell(service.directory, SCHEDULER_URL=url).call("jobs", "list")

    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert (
        line == f"scheduler: no TLS connection to {url}: WRONG_VERSION_NUMBER; if the server has no TLS, write http://"
    )


def test_proxy_is_not_used_for_the_loopback(service: Service) -> None:
    proxy = {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}"}
    done = shell(service.directory, **service.shell.environment, **proxy).call("jobs", "list")

    assert done.returncode == 0


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("status", "kind", "body", "words"),
    [
        ("200 OK", "text/html", b"hi", "is not a Scheduler Service (status 200, text/html)"),
        ("200 OK", "application/json", b"[]", "is not a Scheduler Service"),
        ("200 OK", "application/json", b"null", "is not a Scheduler Service"),
        ("200 OK", "application/json", b'{"items": []}', "the answer has no field 'jobs'"),
        ("204 No Content", "application/json", b"", "is not a Scheduler Service"),
        ("400 Bad Request", "application/json", b'["no"]', "is not a Scheduler Service"),
        ("400 Bad Request", "application/json", b"{}", "the answer has no field 'detail'"),
    ],
)
def test_answer_of_another_server_is_reported_in_one_line(
    tmp_path: Path, status: str, kind: str, body: bytes, words: str
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_answer_once, args=(server, head.encode() + body), daemon=True).start()
        done = shell(tmp_path, SCHEDULER_URL=f"http://127.0.0.1:{server.getsockname()[1]}").call("jobs", "list")

    assert done.returncode == 3
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("variable", ["SCHEDULER_PORT", "SCHEDULER_HOST"])
def test_exported_key_is_not_sent_to_an_address_from_a_file(tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = {"SCHEDULER_HOST": "127.0.0.1", "SCHEDULER_PORT": str(server.getsockname()[1])}
        (tmp_path / ".env").write_text(f"{variable}={address.pop(variable)}\n")
        done = shell(tmp_path, API_KEY="an-exported-secret-key", **address).call("jobs", "list")
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()

    assert done.returncode == 2
    assert done.stderr.startswith(f"scheduler: {variable}: only .env names this address")


def test_key_from_a_file_is_sent_to_the_address_in_that_file(service: Service, tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]
    (tmp_path / ".env").write_text(f"SCHEDULER_PORT={port}\nAPI_KEY={DEVELOPMENT_API_KEY}\n")

    assert shell(tmp_path, API_KEY=DEVELOPMENT_API_KEY).call("jobs", "list").returncode == 0


def test_closed_pipe_of_a_log_is_no_error(service: Service) -> None:
    run = service.shell.read("jobs", "run", service.add_job("print('x' * 1_000_000)"), "--wait")

    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} runs logs {run['id']} | head -c 1"],
        env=service.shell.environment,
        capture_output=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == (b"x", b"")


@pytest.mark.parametrize("arguments", [("next", "5m", "-n", "1000"), ("next", "5m", "-n", "1000", "--json")])
def test_full_disk_is_reported_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = shell(tmp_path).run(*arguments, stdout=full)

    assert done.returncode == 1
    assert done.stderr == "scheduler: cannot write: No space left on device\n"


@pytest.mark.parametrize("option", ["", "--json"])
def test_closed_pipe_of_next_is_no_error(tmp_path: Path, option: str) -> None:
    command = f"{PROGRAM} next 5m -n 1000 {option} | head -1"
    environment = shell(tmp_path).environment

    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
