"""How soon a page shows what was committed, and what it does when events may be missing."""

from __future__ import annotations

import statistics
from datetime import datetime
from itertools import pairwise

from playwright.sync_api import Page, Route, expect
from testkit.commands import Service
from tests.browser.actions import add

from scheduler_service.services.event_feed import LOOK_SECONDS
from scheduler_service.web.pages.live import SIGNAL_SECONDS

CHANGES = 5
# For the browser itself: it fetches the page and replaces the row, on a machine that may be busy.
SLACK_SECONDS = 2.0
# Notes when the row of a job first shows each name. The browser and the service are on one machine, with one clock.
NOTE = """row => {
  window.seenAt = {};
  const note = () => { window.seenAt[document.querySelector(`${row} .row-name`).textContent] ??= Date.now() / 1000; };
  new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
ASKED = (
    "performance.getEntriesByType('resource').filter(e => e.name.includes('seen+soon')).map(e => e.startTime / 1000)"
)


def test_commit_is_seen_within_a_look_and_a_signal(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="seen soon")
    page.goto("/ui/jobs?q=seen+soon")
    expect(page.locator("#live-badge")).to_have_attribute("data-state", "live")
    page.evaluate(NOTE, f"#job-{job_id}")
    committed: dict[str, float] = {}
    for number in range(CHANGES):  # each follows the signal of the one before at once: the longest wait
        changed = service.call("PATCH", f"jobs/{job_id}", {"name": f"seen soon {number}"})
        committed[changed["name"]] = datetime.fromisoformat(changed["updated_at"]).timestamp()
        expect(page.locator(f"#job-{job_id} .row-name")).to_have_text(changed["name"])

    seen: dict[str, float] = page.evaluate("window.seenAt")
    waits = [seen[name] - at for name, at in committed.items()]
    print("seconds from the commit to the page:", [round(wait, 3) for wait in waits])  # noqa: T201 (a figure, for -rP)
    assert statistics.median(waits) < LOOK_SECONDS + SIGNAL_SECONDS + SLACK_SECONDS
    asked: list[float] = page.evaluate(ASKED)
    assert min(later - earlier for earlier, later in pairwise(asked)) > SIGNAL_SECONDS / 2


def test_page_loads_its_parts_again_after_a_gap(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="behind a gap")

    def show_an_old_name(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(">behind a gap<", ">an old name<"))

    page.route("**/ui/jobs?q=behind+a+gap", show_an_old_name, times=1)
    # The page says that it was made in 1970, when nobody read events. No event concerns it.
    page.route("**/ui/live?*", lambda route: route.continue_(url=f"{service.url}/ui/live?about=jobs:0&since=0"))
    page.goto("/ui/jobs?q=behind+a+gap")
    expect(page.locator(f"#job-{job_id} .row-name")).to_have_text("behind a gap")
