"""Which settings are accepted, and the errors for others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler_service.config.loading import load_settings, load_settings_without_key
from scheduler_service.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SCHEDULER_") or name in {
            "API_KEY",
            "API_KEY_FILE",
            "ENVIRONMENT",
            "LOG_FORMAT",
            "LOG_LEVEL",
        }:
            monkeypatch.delenv(name)


@pytest.mark.parametrize("key", ["é", "a b", "a\tb", "a\x7fb", "a\nb"])
def test_key_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("API_KEY", key)

    with pytest.raises(ConfigurationError, match="API_KEY: only printable ASCII characters without spaces"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(("key", "accepted"), [("x" * 15, False), ("x" * 16, True)])
def test_production_needs_a_key_of_16_characters(monkeypatch: pytest.MonkeyPatch, key: str, *, accepted: bool) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("API_KEY", key)

    if accepted:
        assert load_settings(_env_file=None).api_key.get_secret_value() == key
    else:
        with pytest.raises(ConfigurationError, match="API_KEY: production needs 16 characters or more"):
            load_settings(_env_file=None)


def test_development_accepts_a_short_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "x")

    assert load_settings(_env_file=None).api_key.get_secret_value() == "x"


@pytest.mark.parametrize("level", ["info", "Info", "INFO"])
def test_log_level_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)

    assert load_settings(_env_file=None).log_level == "INFO"


@pytest.mark.parametrize("url", ["hush", "ftp://hush/", "https://", "https://hush:99999/", "http://[hush/"])
def test_error_for_a_wrong_heartbeat_url_hides_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SCHEDULER_HEARTBEAT_URL", url)

    with pytest.raises(ConfigurationError, match=r"^SCHEDULER_HEARTBEAT_URL: ") as refused:
        load_settings(_env_file=None)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("heartbeat", "dead"), [("1", "1.9"), ("10", "10")])
def test_worker_dead_seconds_must_be_two_heartbeats_or_more(
    monkeypatch: pytest.MonkeyPatch, heartbeat: str, dead: str
) -> None:
    monkeypatch.setenv("SCHEDULER_HEARTBEAT_SECONDS", heartbeat)
    monkeypatch.setenv("SCHEDULER_WORKER_DEAD_SECONDS", dead)

    with pytest.raises(ConfigurationError, match=r"^SCHEDULER_WORKER_DEAD_SECONDS: .* less than 2 heartbeats"):
        load_settings(_env_file=None)


@pytest.mark.parametrize("line", ["BROKEN LINE", 'SCHEDULER_PORT="18249'])
def test_error_for_an_invalid_env_line_has_its_number_only(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# a remark\n\nSCHEDULER_HOST=localhost\n{line}\n")

    with pytest.raises(ConfigurationError) as refused:
        load_settings(_env_file=file)
    assert str(refused.value) == ".env: line 4 is not a setting; write NAME=value and close every quote"


def test_wrong_log_level_is_shown_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "foo")

    with pytest.raises(ConfigurationError, match=r"LOG_LEVEL: .*got 'foo'"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{bad", r"^SCHEDULER_PYTHON_ENVS: not JSON \(Expecting property name.*\); write {\"science\": {"),
        ("[1]", r"^SCHEDULER_PYTHON_ENVS: not a JSON object; write {\"science\": {"),
        ('{"x": {}}', r"^SCHEDULER_PYTHON_ENVS: x.python: Field required"),
        ('{"x": {"python": "/tmp"}}', r"^SCHEDULER_PYTHON_ENVS: x.python: '/tmp' is not an executable file"),
        ('{"x": {"python": "/none"}}', r"^SCHEDULER_PYTHON_ENVS: x.python: '/none' is not an executable file"),
    ],
)
def test_error_for_wrong_environments_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, written: str, message: str
) -> None:
    monkeypatch.setenv("SCHEDULER_PYTHON_ENVS", written)

    with pytest.raises(ConfigurationError, match=message):
        load_settings(_env_file=None)


def test_python_environments_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_PYTHON_ENVS", '{"x": {"python": "/bin/true", "preload": []}}')

    assert load_settings(_env_file=None).python_envs["x"].preload == ()


@pytest.mark.parametrize(("is_terminal", "log_format"), [(True, "console"), (False, "json")])
def test_log_format_depends_on_the_terminal_when_not_set(
    monkeypatch: pytest.MonkeyPatch, log_format: str, *, is_terminal: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)

    assert load_settings(_env_file=None).log_format == log_format


@pytest.mark.parametrize("number", ["inf", "nan", "1e400", "-1"])
@pytest.mark.parametrize(
    "variable",
    [
        "SCHEDULER_WORKER_DEAD_SECONDS", "SCHEDULER_MAX_TIMEOUT_SECONDS", "SCHEDULER_HEARTBEAT_SECONDS",
        "SCHEDULER_TICK_SECONDS", "SCHEDULER_DRAIN_SECONDS", "SCHEDULER_EVENT_RETENTION_HOURS",
        "SCHEDULER_HEARTBEAT_URL_SECONDS", "SCHEDULER_RETENTION_DAYS", "SCHEDULER_MAX_MEMORY_MB",
    ],
)  # fmt: skip
def test_number_is_refused_when_it_is_not_finite(monkeypatch: pytest.MonkeyPatch, variable: str, number: str) -> None:
    monkeypatch.setenv(variable, number)

    with pytest.raises(ConfigurationError, match=rf"^{variable}: .*got '{number}'"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none/alive", "the directory '.*/none' does not exist; create it"), ("", "is a directory; name a file")],
)
def test_alive_file_is_refused_when_it_cannot_be_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, message: str
) -> None:
    monkeypatch.setenv("SCHEDULER_ALIVE_FILE", str(tmp_path / name))

    with pytest.raises(ConfigurationError, match=rf"^SCHEDULER_ALIVE_FILE: .*{message}"):
        load_settings(_env_file=None)


def test_process_without_an_api_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker run IMAGE scheduler doctor` needs no key, although the image listens on every address."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SCHEDULER_HOST", "0.0.0.0")  # noqa: S104

    with pytest.raises(ConfigurationError, match="API_KEY"):
        load_settings(_env_file=None)
    assert load_settings_without_key(_env_file=None).environment == "production"
