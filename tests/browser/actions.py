"""What several journeys do: log in, add a job, wait for the end of a run, look for what axe finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from playwright.sync_api import Page
from testkit.commands import Service
from testkit.waiting import wait_until

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
NEVER = "2099-01-01T00:00:00Z"


def log_in(page: Page) -> None:
    page.goto("/ui/login")
    page.get_by_role("button", name="Continue as developer").click()
    page.wait_for_url("**/ui/")


def log_in_with(page: Page, key: str) -> None:
    page.goto("/ui/login")
    page.get_by_text("or use a key").click()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/ui/")


def add(service: Service, script: str, **changes: Any) -> int:
    payload = {"type": "shell_script", "script": script}
    definition = {"name": "a job", "schedule_expr": NEVER, "payload": payload, **changes}
    return int(service.call("POST", "jobs", definition)["id"])


def ended(service: Service, job_id: int) -> int:
    """Run a job and return the run when it has ended."""
    run_id = int(service.call("POST", f"jobs/{job_id}/run")["id"])
    wait_until(lambda: service.call("GET", f"runs/{run_id}")["finished_at"])
    return run_id


def findings(page: Page, options: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """Return what axe finds on a page."""
    page.evaluate(AXE)
    found: Any = page.evaluate("options => axe.run({resultTypes: ['violations'], ...options})", dict(options))
    return [f"{page.url}: {rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]


def create_key(service: Service, owner_id: str, *scopes: str) -> dict[str, Any]:
    key: dict[str, Any] = service.call("POST", "keys", {"owner_id": owner_id, "scopes": scopes})
    return key
