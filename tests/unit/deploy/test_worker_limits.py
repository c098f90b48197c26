"""All runs of a shipped worker together fit into its memory, disk and processes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scheduler_service.config.settings import Settings
from scheduler_service.sandbox.confinement.limits import INTERPRETER_MB

ROOT = Path(__file__).parents[3]
SERVICE_MB, SERVICE_PROCESSES = 512, 128
SLOTS = Settings.model_fields["slots"].default


def megabytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([gm])i?", size.lower()).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit == "g" else 1)


def default_of(value: str) -> int:
    """Return the number of `${NAME:-number}`, or the number itself."""
    return int(re.fullmatch(r"(?:\$\{\w+:-)?(\d+)\}?", value)[1])  # type: ignore[index]


@pytest.fixture(scope="module")
def worker() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return dict(compose["services"]["worker"])


def test_memory_of_all_runs_fits_the_worker_of_compose(worker: dict[str, Any]) -> None:
    run_mb = default_of(worker["environment"]["SCHEDULER_MAX_MEMORY_MB"]) + INTERPRETER_MB
    data_mb = megabytes(re.search(r"size=(\w+)", worker["tmpfs"][1])[1])  # type: ignore[index]
    assert SLOTS * run_mb + SERVICE_MB + data_mb <= megabytes(worker["mem_limit"])


def test_files_of_all_runs_fit_the_worker_of_compose(worker: dict[str, Any]) -> None:
    disk_mb = default_of(worker["environment"]["SCHEDULER_MAX_DISK_MB"])
    assert SLOTS * disk_mb <= megabytes(re.search(r"size=(\w+)", worker["tmpfs"][1])[1])  # type: ignore[index]


def test_processes_of_all_runs_fit_the_worker_of_compose(worker: dict[str, Any]) -> None:
    processes = default_of(worker["environment"]["SCHEDULER_MAX_PROCESSES"])
    assert SLOTS * processes + SERVICE_PROCESSES <= worker["pids_limit"]


def test_runs_fit_the_worker_of_kubernetes() -> None:
    settings = next(yaml.safe_load_all((ROOT / "deploy/kubernetes/settings.yaml").read_text()))["data"]
    pod = next(yaml.safe_load_all((ROOT / "deploy/kubernetes/worker.yaml").read_text()))["spec"]["template"]["spec"]
    slots = int(settings["SCHEDULER_SLOTS"])
    run_mb = int(settings["SCHEDULER_MAX_MEMORY_MB"]) + INTERPRETER_MB
    data_mb = next(megabytes(v["emptyDir"]["sizeLimit"]) for v in pod["volumes"] if v["name"] == "data")
    assert slots * run_mb + SERVICE_MB <= megabytes(pod["containers"][0]["resources"]["limits"]["memory"])
    assert slots * int(settings["SCHEDULER_MAX_DISK_MB"]) <= data_mb


def test_worker_pods_have_their_own_user_namespace() -> None:
    worker = next(yaml.safe_load_all((ROOT / "deploy/kubernetes/worker.yaml").read_text()))
    assert worker["spec"]["template"]["spec"]["hostUsers"] is False
