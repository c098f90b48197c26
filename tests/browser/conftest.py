"""A real service and a real Chromium, shared by all journeys of a process.

Every page is watched: a message in the console, an error of a script or a violation of the content security policy
fails the journey, and so does a finding of axe.

A test with the mark `journey` visits both settings. The others, about what a browser does with a page, visit the
embedded one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from testkit.commands import Service
from tests.browser.actions import log_in
from tests.browser.installations import Host, distributed, embedded

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
TIMEOUT_MS = 20_000
# What browsers say of an answer that a journey provokes; the journey itself checks the answer.
_EXPECTED = "Failed to load resource: the server responded with a status of 4"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the settings that a test visits."""
    settings = ["embedded"]
    if metafunc.definition.get_closest_marker("journey"):
        settings.append("distributed")
    if "service" in metafunc.fixturenames:
        metafunc.parametrize("service", settings, indirect=True, scope="package")
    if "host" in metafunc.fixturenames:
        metafunc.parametrize("host", settings, indirect=True, scope="module")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the program. Without it, skip the test, or fail if CHROMIUM_REQUIRED is set."""
    found = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium")
    if not found:
        message = "no chromium; .ci/run provides it, or install Debian's package, or set TEST_CHROMIUM"
        if os.environ.get("CHROMIUM_REQUIRED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def installed(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Run an installation of the setting that the parameter of a fixture names."""
    directory = request.getfixturevalue("tmp_path_factory").mktemp(request.param)
    if request.param == "embedded":
        running = embedded(directory)
    else:
        running = distributed(directory, request.getfixturevalue("postgres_server"))
    with running as host:
        yield host


@pytest.fixture(scope="package")
def service(chromium: str, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service that goes on; journeys of a process share it."""
    with installed(request) as host:
        yield host.service


@pytest.fixture(scope="module")
def host(chromium: str, request: pytest.FixtureRequest) -> Iterator[Host]:
    """Processes to kill, which no other module uses."""
    with installed(request) as host:
        yield host


# Playwright keeps an event loop in this thread while it is open, so that tests of other packages could have none: it is
# closed behind the journeys.
@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


Visit = Callable[..., Page]


class Watch:
    """Collects what a browser complains of, except what begins with one of the expected texts."""

    def __init__(self, *expected: str) -> None:
        self.complaints: list[str] = []
        self._expected = (_EXPECTED, *expected)

    def on_console(self, message: ConsoleMessage) -> None:
        """Note a message unless it is about an answer that the journey provokes."""
        if message.type in {"error", "warning"} and not message.text.startswith(self._expected):
            self.complaints.append(f"{message.type}: {message.text}")

    def watch(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.on("console", self.on_console)
        context.on("weberror", lambda error: self.complaints.append(f"script: {error.error}"))


@contextmanager
def visiting(browser: Browser, url: str, *expected: str, **options: Any) -> Iterator[Page]:
    """Provide a page of a fresh, watched browser. Fail at the end if it complained of anything but what is expected."""
    watch = Watch(*expected)
    settings = {"viewport": DESK, "timezone_id": "Europe/Berlin", "locale": "en-GB", "base_url": url, **options}
    context = browser.new_context(**settings)
    context.set_default_timeout(TIMEOUT_MS)
    watch.watch(context)
    try:
        yield context.new_page()
        assert watch.complaints == []
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """A page that is logged in as the developer."""
    with visiting(browser, service.url) as page:
        log_in(page)
        yield page
