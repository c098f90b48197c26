"""Takes the screenshots of the README and of the docs, in light and dark: `make screenshots`.

It stores a week of history, starts a service of its own with it, lets jobs of several kinds work for a while, and opens
their pages in Chromium, which TEST_CHROMIUM or the PATH provides.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import httpx2
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from scripts.screenshot_history import remember_a_week
from testkit.commands import up

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

IMAGES = Path(__file__).parent.parent / "docs" / "images"
Theme = Literal["light", "dark"]
WORK_SECONDS = 40
SETTLE_MS = 1500
SHAPE: ViewportSize = {"width": 1280, "height": 820}


def _shell(script: str, **changes: Any) -> dict[str, Any]:
    return {"payload": {"type": "shell_script", "script": script}, **changes}


_COLOURS = r"""
printf '\033[1mchecking 3 hosts\033[0m\n'
for host in db web cache; do printf '\033[32mok\033[0m    %s\n' $host; sleep 0.2; done
printf '\033[31merror\033[0m cache answers slowly: 2.1 s\n'
exit 3
"""
_JOBS: Mapping[str, dict[str, Any]] = {
    "billing export": _shell("echo exported 412 invoices", schedule_expr="5s", tags=["prod"]),
    "crm sync": _shell("sleep 9; echo synced", schedule_expr="4s", tags=["prod"]),
    "host check": _shell(_COLOURS, schedule_expr="10s", tags=["ops"]),
    "nightly archive": _shell("echo archived", schedule_expr="30 2 * * *", timezone="Europe/Berlin"),
    "monthly report": _shell("echo sent", schedule_expr="0 7 1 * *", enabled=False),
}


def main() -> int:
    """Take all screenshots, and return the exit code."""
    chromium = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("no chromium; install Debian's package, or set TEST_CHROMIUM", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory, "data")
        data.mkdir(mode=0o700)
        asyncio.run(remember_a_week(data))
        with up(Path(directory), SCHEDULER_SLOTS="4", SCHEDULER_SANDBOX="auto") as service:
            ids = _create(service.url)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for theme in get_args(Theme):
                    _take(browser, service.url, theme, ids)
                browser.close()
    return 0


def _create(url: str) -> dict[str, int]:
    """Create the jobs, and let them work. Return their ids and that of a failed run."""
    headers = {"X-API-Key": DEVELOPMENT_API_KEY}
    with httpx2.Client(base_url=f"{url}/api/v1", headers=headers) as client:
        ids = {name: int(client.post("/jobs", json={"name": name, **job}).json()["id"]) for name, job in _JOBS.items()}
        print(f"{len(ids)} jobs work for {WORK_SECONDS} s", flush=True)
        time.sleep(WORK_SECONDS)
        failed = client.get("/runs", params={"status": "failed", "size": 1}).json()["runs"]
        return {**ids, "failed run": failed[0]["id"]}


def _take(browser: Browser, url: str, theme: Theme, ids: Mapping[str, int]) -> None:
    context = browser.new_context(
        viewport=SHAPE, color_scheme=theme, timezone_id="Europe/Berlin", locale="en-GB", base_url=url
    )
    page = context.new_page()
    page.goto("/ui/login")
    page.get_by_role("button", name="Continue as developer").click()
    page.wait_for_url("**/ui/")
    pages = {
        "home": "/ui/",
        "jobs": "/ui/jobs",
        "job": f"/ui/jobs/{ids['crm sync']}",
        "run": f"/ui/runs/{ids['failed run']}",
        "ledger": "/ui/ledger?zone=Europe/Berlin",
        "lanes": "/ui/ledger/lanes",
        "editor": f"/ui/jobs/{ids['nightly archive']}/edit",
    }
    for name, path in pages.items():
        page.goto(path)
        if name == "editor":
            page.fill("[name='/schedule_expr']", "30 1,2 * * *")
        _shoot(page, IMAGES / f"{name}-{theme}.png")
    context.close()


def _shoot(page: Page, path: Path) -> None:
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path)
    print(path.relative_to(IMAGES.parent.parent), flush=True)


if __name__ == "__main__":
    sys.exit(main())
