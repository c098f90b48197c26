"""What users, programs and workers write never runs in a page, and never breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import NEVER, ended

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


def objects(service: Service) -> dict[str, Any]:
    """Create objects with hostile texts wherever the API takes one."""
    payload = {"type": "shell_script", "script": SCRIPT}
    job = service.call("POST", "jobs", {
        "name": HOSTILE, "description": HOSTILE, "owner_id": HOSTILE, "tags": [HOSTILE], "args": {HOSTILE: HOSTILE},
        "env": {"WORD": HOSTILE}, "schedule_expr": NEVER, "payload": payload, "limits": {"output_kb": 64},
    })  # fmt: skip
    service.call("POST", f"jobs/{job['id']}/pause", {"reason": HOSTILE})
    service.call("PUT", "calendars/hostile", {"ical": calendar(), "dates": ["2026-12-24"]})
    service.call("POST", "keys", {"name": HOSTILE, "owner_id": HOSTILE, "scopes": ["read"]})
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = service.call("POST", "alerts", {"name": HOSTILE, "on": ["failure"], "job_id": job["id"], "channel": channel})
    runs = [ended(service, job["id"]) for _ in range(2)]
    return {"job": job["id"], "run": runs[1], "rule": rule["id"]}


def calendar() -> str:
    event = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:{HOSTILE}\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:a\r\n{event}END:VCALENDAR\r\n"


PATHS = (
    "", "jobs", "jobs/{job}", "jobs/{job}/edit", "jobs/{job}/clone", "jobs/{job}/versions", "jobs/{job}/versions/1",
    "jobs/{job}/versions/1/restore", "jobs/{job}/run",
    "jobs/{job}/delete", "jobs/{job}/backfill", "jobs/bulk?action=pause&ids={job}", "runs", "runs/{run}",
    "runs/{run}/compare", "ledger", "ledger?job={job}", "ledger/lanes", "simulate?job={job}", "workers", "alerts",
    "alerts/{rule}", "calendars", "calendars/hostile", "keys", "audit", "jump?q=img", "system",
    "jobs?q=%3Cimg+src%3Dx%3E&tag=%22%3E%3Cscript%3E", "runs?tag=%3Cimg+src%3Dx%3E", "ledger?zone=%3Cimg+src%3Dx%3E",
    "%3Cimg%20src=x%3E", "calendars/%3Cimg%20src=x%3E", "jobs/1%3Cimg%3E",
)  # fmt: skip


def test_hostile_texts_run_nothing(page: Page, service: Service) -> None:
    ids = objects(service)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for path in PATHS:
        page.goto(f"/ui/{path.format(**ids)}")
        assert page.locator("img[src='x'], svg[onload], script:not([src])").count() == 0, path
        assert page.locator("a[href^='javascript:']").count() == 0, path
        assert "</html>" in page.content(), path


def test_hostile_log_is_shown_as_its_text(page: Page, service: Service) -> None:
    ids = objects(service)
    page.goto(f"/ui/runs/{ids['run']}")
    log = page.get_by_role("log")
    expect(log).to_contain_text(HOSTILE)
    expect(log).to_contain_text("<b>moved</b>")
    expect(log).not_to_contain_text("javascript:")
    expect(page.get_by_role("link", name="<img src=x onerror=alert(7)>.html")).to_be_visible()
    expect(page.locator("pre", has_text="onerror=alert(8)").first).to_be_visible()
