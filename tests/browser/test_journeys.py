"""What people do with the web interface, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.conftest import PHONE, findings, log_in, visiting

pytestmark = pytest.mark.long
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
NEVER = "2099-01-01T00:00:00Z"


def add(service: Service, script: str, **changes: Any) -> int:
    payload = {"type": "shell_script", "script": script}
    definition = {"name": "a job", "schedule_expr": NEVER, "payload": payload, **changes}
    return int(service.call("POST", "jobs", definition)["id"])


def ended(service: Service, job_id: int) -> int:
    """Run a job and return the run when it has ended."""
    run_id = int(service.call("POST", f"jobs/{job_id}/run")["id"])
    wait_until(lambda: service.call("GET", f"runs/{run_id}")["finished_at"])
    return run_id


def test_deep_link_is_kept_by_the_login(browser: Browser, service: Service) -> None:
    with visiting(browser, service.url) as page:
        page.goto("/ui/runs?status=failed")
        page.get_by_role("button", name="Continue as developer").click()
        page.wait_for_url("**/ui/runs?status=failed")


def test_link_from_another_site_opens_the_page(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="linked")
    page.route("http://other.example/", lambda route: route.fulfill(
        content_type="text/html", body=f'<a href="{service.url}/ui/jobs/{job_id}">link</a>'
    ))  # fmt: skip
    page.goto("http://other.example/")
    page.get_by_role("link", name="link").click()
    expect(page.get_by_role("heading", name="linked")).to_be_visible()


def test_wrong_key_is_refused(browser: Browser, service: Service) -> None:
    # One only: the limit of wrong keys would keep the other journeys of this address out.
    with visiting(browser, service.url) as page:
        page.goto("/ui/login")
        page.get_by_text("or use a key").click()
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")


def test_revoked_key_ends_its_session_soon(browser: Browser, service: Service) -> None:
    key = service.call("POST", "keys", {"owner_id": "a", "scopes": ["read"]})
    with visiting(browser, service.url) as page:
        log_in_with(page, key["key"])
        service.client.delete(f"keys/{key['id']}")
        wait_until(lambda: page.goto("/ui/jobs") is not None and "/ui/login" in page.url)


def test_reader_has_no_buttons_that_change(browser: Browser, service: Service) -> None:
    key = service.call("POST", "keys", {"owner_id": "readers", "scopes": ["read"]})
    job_id = add(service, "true", owner_id="readers")
    with visiting(browser, service.url) as page:
        log_in_with(page, key["key"])
        page.goto(f"/ui/jobs/{job_id}")
        for name in ("Run now", "Pause", "Edit", "New job"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
            expect(page.get_by_role("link", name=name)).to_have_count(0)


def log_in_with(page: Page, key: str) -> None:
    page.goto("/ui/login")
    page.get_by_text("or use a key").click()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/ui/")


def test_job_is_run_with_arguments_and_followed_to_its_end(page: Page, service: Service) -> None:
    script = 'echo "args $SCHEDULER_ARGS"; sleep 1; printf "\\033[32mdone\\033[0m\\n"'
    job_id = add(service, script, name="followed")
    page.goto(f"/ui/jobs/{job_id}")
    page.keyboard.press("r")
    page.get_by_label("Arguments, as JSON").fill('{"day": 3}')
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/ui/runs/*")
    log = page.get_by_role("log")
    expect(log).to_contain_text('args {"day": 3}')
    expect(log.locator("span.c2")).to_have_text("done")
    expect(page.get_by_text("Success").first).to_be_visible()


def test_log_is_searched_linked_and_downloaded(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "seq 1 400; echo needle; seq 401 800"))
    page.goto(f"/ui/runs/{run_id}")
    page.get_by_label("Search the log").fill("needle")
    expect(page.locator("#L401")).to_have_class(re.compile("hit"))
    page.goto(f"/ui/runs/{run_id}#L120-L122")
    expect(page.locator("#L121")).to_have_class(re.compile("chosen"))
    with page.expect_download() as download:
        page.get_by_label("Download the log").click()
    assert download.value.path().read_text().count("\n") == 801


def test_forged_attempt_marker_stays_text(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "echo '--- attempt 9 ---'; echo '<li class=\"log-attempt\">Attempt 9</li>'"))
    page.goto(f"/ui/runs/{run_id}")
    expect(page.locator(".log-attempt")).to_have_text(["Attempt 1"])


def test_running_run_is_cancelled(page: Page, service: Service) -> None:
    job_id = add(service, "echo begun; sleep 60", name="long")
    run_id = service.call("POST", f"jobs/{job_id}/run")["id"]
    page.goto(f"/ui/runs/{run_id}")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled").first).to_be_visible()


def test_failed_run_is_tried_again(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "exit 3", name="failing"))
    page.goto(f"/ui/runs/{run_id}")
    expect(page.get_by_text("Exit code 3")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    page.wait_for_url(re.compile(r"/ui/runs/\d+$"))
    expect(page.get_by_role("link", name=f"Run {run_id}")).to_be_visible()


def test_filter_is_kept_by_reload_and_back(page: Page, service: Service) -> None:
    ended(service, add(service, "exit 5", name="fails today"))
    page.goto("/ui/runs")
    page.get_by_role("link", name="Failed today").click()
    page.reload()
    expect(page.get_by_role("link", name="Failed today")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="fails today").first.click()
    page.go_back()
    assert "status=failed" in page.url
    expect(page.locator("#rows")).to_contain_text("fails today")


def test_pause_is_undone(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to pause")
    page.goto(f"/ui/jobs/{job_id}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").filter(has_text="is paused")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert service.call("GET", f"jobs/{job_id}")["status"] == "active"


def test_job_is_deleted_only_with_its_name(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to delete")
    page.goto(f"/ui/jobs/{job_id}")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_label("Type the name").fill("to delete")
    page.get_by_role("button", name="Delete the job").click()
    page.wait_for_url("**/ui/jobs")
    expect(page.get_by_role("status").filter(has_text="was deleted")).to_be_visible()


def test_reason_of_a_pause_leads_to_its_remedy(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="held back")
    service.call("POST", f"jobs/{job_id}/pause", {"reason": "maintenance"})
    page.goto(f"/ui/jobs/{job_id}")
    why = page.locator("#why")
    expect(why).to_contain_text("maintenance")
    why.get_by_role("button", name="Resume").click()
    expect(page.locator("#why")).to_contain_text("Nothing holds the next run back")


def test_list_follows_changes_of_others(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="changed elsewhere")
    page.goto("/ui/jobs?q=changed+elsewhere")
    expect(page.locator("#live-badge")).to_have_text("Live")
    service.call("POST", f"jobs/{job_id}/pause")
    expect(page.locator(f"#job-{job_id}")).to_contain_text("Paused")


def test_rows_are_reached_by_keyboard(page: Page, service: Service) -> None:
    add(service, "true", name="reached by keys")
    page.goto("/ui/jobs?q=reached+by+keys")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="reached by keys")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/ui/runs")


def test_hostile_texts_run_nothing(page: Page, service: Service) -> None:
    job_id = add(
        service,
        f"cat <<'END'\n{HOSTILE}\nEND\nprintf '\\033]8;;javascript:alert(3)\\007x\\033]8;;\\007\\n'; exit 1",
        name=HOSTILE, description=HOSTILE, owner_id=HOSTILE, tags=[HOSTILE], args={HOSTILE: HOSTILE},
    )  # fmt: skip
    service.call("POST", f"jobs/{job_id}/pause", {"reason": HOSTILE})
    run_id = ended(service, job_id)
    paths = ("", "jobs", f"jobs/{job_id}", "runs", f"runs/{run_id}", f"jobs/{job_id}/run", f"jobs/{job_id}/delete")
    for path in (*paths, f"jobs/{job_id}/edit", "audit", "alerts"):
        page.goto(f"/ui/{path}")
        assert page.locator("img[src='x']").count() == 0, path


PAGES = ("", "jobs", "jobs/{job}", "runs", "runs/{run}", "jobs/new")
MORE_PAGES = (
    "alerts",
    "alerts/new",
    "keys",
    "keys/new",
    "secrets",
    "system",
    "calendars/de-holidays",
    "audit",
    "grants",
)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pages_are_accessible(browser: Browser, service: Service, look: str) -> None:
    run_id = ended(service, add(service, "echo hello; exit 2", name=f"looked at in {look}", tags=["tag"]))
    job_id = service.call("GET", f"runs/{run_id}")["job_id"]
    options: dict[str, Any] = {"color_scheme": "dark" if look == "dark" else "light"}
    if look == "phone":
        options |= {"viewport": PHONE, "has_touch": True}
    found: list[str] = []
    with visiting(browser, service.url, **options) as page:
        log_in(page)
        for path in (*PAGES, *(MORE_PAGES if look == "light" else ())):
            page.goto(f"/ui/{path.format(job=job_id, run=run_id)}")
            found += findings(page)
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [f"{path} is {width} px too wide"] if width > 0 else []
    assert found == []


def test_pages_work_without_scripts(browser: Browser, service: Service) -> None:
    job_id = add(service, "echo hello", name="without scripts")
    with visiting(browser, service.url, java_script_enabled=False) as page:
        log_in(page)
        page.goto(f"/ui/jobs/{job_id}")
        page.get_by_role("link", name="Run now").click()
        page.get_by_role("button", name="Run", exact=True).click()
        run_id = int(page.url.rpartition("/")[2])
        wait_until(lambda: service.call("GET", f"runs/{run_id}")["finished_at"])
        page.reload()
        expect(page.get_by_role("log")).to_contain_text("hello")
