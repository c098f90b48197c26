"""`scheduler doctor` reports what this host can enforce, and its exit code says whether that suffices."""

from __future__ import annotations

from pathlib import Path

from testkit.commands import shell
from tests.sandbox import settings

from scheduler_service.sandbox.kernel import seccomp
from scheduler_service.sandbox.kernel.syscalls import Prctl, prctl


def test_doctor_exits_with_0_at_the_required_level(tmp_path: Path) -> None:
    done = shell(tmp_path, SCHEDULER_SANDBOX_REQUIRED="none").run("doctor")
    assert done.returncode == 0, done.stderr
    assert "required is none: sufficient" in done.stdout
    assert done.stdout.count("\n") > 5


def test_doctor_json_agrees_with_its_checks(tmp_path: Path) -> None:
    report = shell(tmp_path, SCHEDULER_SANDBOX_REQUIRED="none").read("doctor")
    broken = {level for promise in report["promises"] if not promise["held"] for level in promise["levels"]}
    assert report["level"] == next(level for level in ("strict", "standard", "none") if level not in broken)
    assert all(promise["why"] and promise["remedy"] for promise in report["promises"] if not promise["held"])


def test_doctor_exits_with_1_below_the_required_level(tmp_path: Path) -> None:
    """Docker's default profile allows no namespaces, and so no `strict`."""
    done = shell(tmp_path, SCHEDULER_SANDBOX_REQUIRED="strict").run("doctor", preexec_fn=_enter_docker_profile)
    assert done.returncode == 1, done.stderr
    assert "NOT SUFFICIENT" in done.stdout
    assert "remedy: " in done.stdout


def test_doctor_reports_an_unknown_level_in_one_line(tmp_path: Path) -> None:
    done = shell(tmp_path, SCHEDULER_SANDBOX_REQUIRED="stric").run("doctor")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "SCHEDULER_SANDBOX_REQUIRED" in done.stderr


def _enter_docker_profile() -> None:
    prctl(Prctl.SET_NO_NEW_PRIVS, 1)
    seccomp.Filter(settings.docker_filter()).enforce()
