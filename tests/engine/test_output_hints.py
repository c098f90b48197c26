"""Hints about failures, from outputs as programs wrote them."""

from __future__ import annotations

import pytest

from scheduler_service.engine.output_hints import explain_output
from scheduler_service.sandbox import Level

UNSEEN = "a run does not see {} unless a grant opens it, even if it exists on the host; see docs/grants.md"
UNUSABLE = "a run may not use {} unless a grant opens it; see docs/grants.md"
READ_ONLY = "a run may not write to {} unless a grant with write opens it; see docs/grants.md"
OFFLINE = "the job has no network: set limits.network to true, or name a grant whose connect covers the server; "

ABSENT = {
    "bash: cd: /data: No such file or directory": "/data",
    "/job/job: line 2: /data/x.sh: No such file or directory": "/data/x.sh",
    "dash: 1: cannot create /data/x: Directory nonexistent": "/data/x",
    "tar (child): /backup/a.tgz: Cannot open: No such file or directory\n"
    "tar (child): Error is not recoverable: exiting now\n"
    "tar: Child returned status 2\ntar: Error is not recoverable: exiting now": "/backup/a.tgz",
    "ls: cannot access '/data': No such file or directory": "/data",
    "head: cannot open '/data/x' for reading: No such file or directory": "/data/x",
    "find: \u2018/data\u2019: No such file or directory": "/data",
    "fatal: cannot change to '/srv/x': No such file or directory": "/srv/x",
    "Traceback (most recent call last):\n"
    '  File "/job/job.py", line 1, in <module>\n'
    "FileNotFoundError: [Errno 2] No such file or directory: '/data/a'": "/data/a",
    "/usr/bin/python3: can't open file '/opt/x.py': [Errno 2] No such file or directory": "/opt/x.py",
    'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: No such file or directory\n'
    "\tIs the server running locally and accepting connections on that socket?": "/run/postgresql/.s.PGSQL.5432",
}
OF_THE_NETWORK = [
    "curl: (6) Could not resolve host: example.com",
    "curl: (7) Failed to connect to 10.0.0.5 port 80 after 0 ms: Couldn't connect to server",
    "fatal: unable to access 'https://example.com/x/': Could not resolve host: example.com",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    "OSError: [Errno 101] Network is unreachable",
    'psql: error: could not translate host name "db.example" to address: Name or service not known',
    'psql: error: connection to server at "127.0.0.1", port 5432 failed: Connection refused',
    "Error: getaddrinfo EAI_AGAIN example.com",
]


@pytest.mark.parametrize("output", ABSENT)
def test_absent_path_is_named_where_runs_do_not_see_the_host(output: str) -> None:
    assert explain_output(f"{output}\n", Level.STRICT, has_network=False) == UNSEEN.format(ABSENT[output])
    assert explain_output(output, Level.STANDARD, has_network=True) is None


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ("tar (child): /backup/a.tgz: Cannot open: Permission denied", "/backup/a.tgz"),
        ("/job/job: line 1: /backup/x: Permission denied", "/backup/x"),
        ("PermissionError: [Errno 13] Permission denied: '/srv/data'", "/srv/data"),
        ("fatal: could not create work tree dir '/srv/x': Permission denied", "/srv/x"),
    ],
)
def test_closed_path_is_named_at_each_level_that_confines(output: str, path: str) -> None:
    for level in (Level.STRICT, Level.STANDARD):
        assert explain_output(output, level, has_network=False) == UNUSABLE.format(path)
    assert explain_output(output, Level.NONE, has_network=False) is None


def test_path_that_cannot_be_written_is_named() -> None:
    output = "touch: cannot touch '/etc/x': Read-only file system"
    assert explain_output(output, Level.STRICT, has_network=False) == READ_ONLY.format("/etc/x")


@pytest.mark.parametrize("output", OF_THE_NETWORK)
def test_missing_network_is_named_if_the_run_had_none(output: str) -> None:
    for level in (Level.STRICT, Level.STANDARD):
        assert (explain_output(output, level, has_network=False) or "").startswith(OFFLINE)
        assert explain_output(output, level, has_network=True) is None
    assert explain_output(output, Level.NONE, has_network=False) is None


@pytest.mark.parametrize("level", Level)
def test_missing_module_is_named_at_each_level(level: Level) -> None:
    output = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'pandas.io'\n"
    hint = explain_output(output, level, has_network=True) or ""
    assert hint.startswith("the module pandas.io is not installed for this job: name its package in payload.requirem")


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Traceback (most recent call last):\nValueError: wrong",
        "cat: notes.txt: No such file or directory",
        "bash: line 1: ./x.sh: Permission denied",
        "cat: /job/notes.txt: No such file or directory",
        "cat: /tmp/notes.txt: No such file or directory",
        "bash: line 1: /usr/bin/nonsense: No such file or directory",
    ],
)
def test_other_failures_have_no_hint(output: str) -> None:
    assert explain_output(output, Level.STRICT, has_network=False) is None


def test_only_the_end_of_the_output_counts() -> None:
    early = "cat: /data/a: No such file or directory\n"
    assert explain_output(early + "line\n" * 39, Level.STRICT, has_network=False) is not None
    assert explain_output(early + "line\n" * 40, Level.STRICT, has_network=False) is None


def test_last_matching_line_counts() -> None:
    output = "cat: /data/a: No such file or directory\ncat: /data/b: No such file or directory\n"
    assert explain_output(output, Level.STRICT, has_network=False) == UNSEEN.format("/data/b")
