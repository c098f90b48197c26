"""What users, programs and workers write never runs in a page, and never breaks it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import NEVER, ended
from tests.browser.test_accessibility import EVERY

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}"
pytestmark = pytest.mark.long

# Links, titles and images of terminals, a cursor that moves, sequences that the end of a line cuts, and text that turns
# the direction of writing.
SEQUENCES = (
    r"\033]8;;javascript:alert(3)\033\\link\033]8;;\007",
    r"\033]0;<script>alert(4)</script>\007title",
    r"\033]1337;File=inline=1:PHN2Zz4=\007image",
    r"\033[2J\033[9999;9999H<b>moved</b>",
    r"\033[38;2;1;2;3;4;5;<svg onload=alert(5)>mcolour",
    r"\033]8;;javascript:alert(6)",
    r"\342\200\256<i>turned</i>",
)
SCRIPT = "\n".join((
    f"cat <<'END'\n{HOSTILE}\nEND",
    *(f"printf '{sequence}\\n'" for sequence in SEQUENCES),
    'cd "$SCHEDULER_ARTIFACTS"; echo 1 > "<img src=x onerror=alert(7)>.html"',
    "printf '{\"<img src=x>\": \"</script><img src=x onerror=alert(8)>\"}' > \"$SCHEDULER_RESULT\"; exit 1",
))  # fmt: skip


ERROR = "<img src=x onerror=alert(9)>"
WORKER = "<img src=x onerror=alert(10)>"


def objects(service: Service) -> dict[str, Any]:
    """Create objects with hostile texts wherever the API takes one."""
    payload = {"type": "shell_script", "script": SCRIPT}
    job = service.call("POST", "jobs", {
        "name": HOSTILE, "description": HOSTILE, "owner_id": HOSTILE, "tags": [HOSTILE], "args": {HOSTILE: HOSTILE},
        "env": {"WORD": HOSTILE}, "schedule_expr": NEVER, "payload": payload, "limits": {"output_kb": 64},
    })  # fmt: skip
    service.call("POST", f"jobs/{job['id']}/pause", {"reason": HOSTILE})
    service.call("PUT", "calendars/hostile", {"ical": calendar(), "dates": ["2026-12-24"]})
    key = service.call("POST", "keys", {"name": HOSTILE, "owner_id": HOSTILE, "scopes": ["read"]})
    service.call("PUT", f"owners/{quote(HOSTILE, safe='')}/quotas", {"jobs": 1000})
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = service.call("POST", "alerts", {"name": HOSTILE, "on": ["failure"], "job_id": job["id"], "channel": channel})
    runs = [ended(service, job["id"]) for _ in range(2)]
    errors = [
        ended(service, service.call("POST", "jobs", {"name": "e", "schedule_expr": NEVER, "payload": payload})["id"])
        for payload in (
            {"type": "program", "argv": [ERROR]},
            {"type": "python_code", "code": f"raise ValueError({ERROR!r})"},
        )
    ]
    return {
        "job": job["id"], "run": runs[1], "rule": rule["id"], "key": key["id"], "missing": errors[0],
        "raised": errors[1], "worker": quote(WORKER), "hour": datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z"),
    }  # fmt: skip


@contextmanager
def hostile_worker(service: Service) -> Iterator[None]:
    """Enter a worker into the database, as one would whose machine has such a name."""
    kept = "pid, state, slots, busy, beats, started_at, seen_at, sandbox_level, grants"
    file = service.directory / "data/scheduler.db"
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as database:
        database.execute(
            f"INSERT INTO workers (id, host, tags, unfit_reason, monitor_name, {kept})"  # noqa: S608
            f" SELECT ?, ?, ?, ?, ?, {kept} FROM workers LIMIT 1",
            (WORKER, HOSTILE, json.dumps([HOSTILE]), HOSTILE, HOSTILE),
        )
        yield
        database.execute("DELETE FROM workers WHERE id = ?", (WORKER,))


def calendar() -> str:
    event = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{HOSTILE}\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:a\r\n{event}END:VCALENDAR\r\n"


PATHS = (
    *EVERY, "runs/{missing}", "runs/{raised}", "runs?status=failed", "alerts/{rule}", "alerts/{rule}/delete",
    "calendars/hostile", "calendars/hostile/delete", "keys/{key}/revoke", "workers/{worker}/drain", "jump?q=img",
    "jobs?q=%3Cimg+src%3Dx%3E&tag=%22%3E%3Cscript%3E", "runs?tag=%3Cimg+src%3Dx%3E", "ledger?zone=%3Cimg+src%3Dx%3E",
    "%3Cimg%20src=x%3E", "calendars/%3Cimg%20src=x%3E", "jobs/1%3Cimg%3E",
)  # fmt: skip


def test_hostile_texts_run_nothing(page: Page, service: Service) -> None:
    ids = objects(service)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    with hostile_worker(service):
        for path in PATHS:
            page.goto(f"/ui/{path.format(**ids)}")
            assert page.locator("img[src='x'], svg[onload], script:not([src])").count() == 0, path
            assert page.locator("a[href^='javascript:']").count() == 0, path
            assert "</html>" in page.content(), path
        for path, text in (("workers", WORKER), ("runs/{missing}", ERROR), ("runs/{raised}", ERROR)):
            page.goto(f"/ui/{path.format(**ids)}")
            expect(page.locator("main")).to_contain_text(text)


def test_hostile_log_is_shown_as_its_text(page: Page, service: Service) -> None:
    ids = objects(service)
    page.goto(f"/ui/runs/{ids['run']}")
    log = page.get_by_role("log")
    expect(log).to_contain_text(HOSTILE)
    expect(log).to_contain_text("<b>moved</b>")
    expect(log).not_to_contain_text("javascript:")
    expect(page.get_by_role("link", name="<img src=x onerror=alert(7)>.html")).to_be_visible()
    expect(page.locator("pre", has_text="onerror=alert(8)").first).to_be_visible()
