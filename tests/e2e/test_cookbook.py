"""The recipes of the cookbook, each run as it stands: only its paths and ports are those of the test."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from testkit.commands import Service, up
from testkit.programs import execute
from testkit.servers import PostgresServer
from testkit.waiting import wait_until

from scheduler_service.cli import devstack_servers

pytestmark = pytest.mark.long

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
ENDED = {"success", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One section: its grants in TOML, its jobs, and its alert rules."""

    grants: str
    jobs: tuple[str, ...]
    alerts: tuple[str, ...]


def read_recipes() -> dict[str, Recipe]:
    """Return the recipes of the cookbook by their titles."""
    recipes = {}
    for section in re.split(r"^## ", COOKBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        found: dict[str, list[str]] = {"toml": [], "json": [], "json alert": []}
        for kind, text in re.findall(r"^```([a-z ]+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            found[kind].append(text)
        recipes[title] = Recipe("\n".join(found["toml"]), tuple(found["json"]), tuple(found["json alert"]))
    return recipes


RECIPES = read_recipes()


class Shop(BaseHTTPRequestHandler):
    """Whatever the recipes call over HTTP."""

    paged: list[dict[str, Any]]

    def do_GET(self) -> None:
        page = "<h1>News</h1><h2>First</h2><p>…</p><h2>Second</h2>" if self.path == "/news" else "ok"
        self._answer(page, 200 if self.path in {"/news", "/health"} and not self.server.is_down else 503)  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/pager":
            self.server.paged.append(json.loads(body))  # type: ignore[attr-defined]
        self._answer('{"state": "closed"}', 200)

    def _answer(self, text: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class MailBox:
    """Keeps the mails that come in."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the hook's name)
        self.mails.append(envelope.content.decode())
        return "250 ok"


@dataclass
class Kitchen:
    """What the recipes reach: directories, servers, and the service that runs them."""

    srv: Path
    service: Service
    shop: ThreadingHTTPServer
    box: MailBox
    replaced: dict[str, str] = field(default_factory=dict)

    def read(self, text: str) -> dict[str, Any]:
        """Return a document of the cookbook, with the paths and ports of this test."""
        document: dict[str, Any] = json.loads(replace_all(text, self.replaced))
        return document

    def create(self, document: dict[str, Any]) -> int:
        job: dict[str, Any] = self.service.call("POST", "jobs", document)
        assert job["warnings"] == []
        number: int = job["id"]
        return number

    def run(self, job_id: int) -> dict[str, Any]:
        """Run a job, wait for the end of the run, and return it."""
        run_id = self.service.call("POST", f"jobs/{job_id}/run")["id"]
        return self.ended(run_id)

    def ended(self, run_id: int) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run: dict[str, Any] = self.service.call("GET", f"runs/{run_id}")
            return run if run["status"] in ENDED else None

        run: dict[str, Any] = wait_until(look, deadline_seconds=120)
        return run

    def cook(self, title: str) -> dict[str, Any]:
        """Create the only job of a recipe, run it, check that it succeeded, and return the run."""
        (text,) = RECIPES[title].jobs
        run = self.run(self.create(self.read(text)))
        assert run["status"] == "success", run
        return run


def replace_all(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


@contextmanager
def shop_serving() -> Iterator[ThreadingHTTPServer]:
    shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    shop.paged, shop.is_down = [], False  # type: ignore[attr-defined]
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    yield shop
    shop.shutdown()
    shop.server_close()


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Kitchen]:
    directory = tmp_path_factory.mktemp("cookbook")
    srv = directory / "srv"
    for name in ("data", "backup", "mirror", "scratch"):
        (srv / name).mkdir(parents=True)
        (srv / name).chmod(0o777)
    (srv / "data" / "customers.csv").write_text("name\nAda\n")
    database = urlsplit(postgres_server.url)
    box = MailBox()
    mail = Controller(box, "127.0.0.1", free_port())
    mail.start()
    with shop_serving() as shop:
        api_port = free_port()
        replaced = {
            "/srv": str(srv),
            "127.0.0.1:8080": f"127.0.0.1:{shop.server_port}",
            "127.0.0.1:5432": f"127.0.0.1:{database.port}",
            '"PGPORT": "5432"': f'"PGPORT": "{database.port}"',
            "127.0.0.1:8000": f"127.0.0.1:{api_port}",
            "127.0.0.1:25": f"127.0.0.1:{mail.port}",
            "'127.0.0.1', 25,": f"'127.0.0.1', {mail.port},",
        }
        grants = directory / "grants.toml"
        grants.write_text(replace_all("\n".join(recipe.grants for recipe in RECIPES.values()), replaced))
        settings = {
            "SCHEDULER_SANDBOX": "auto",
            "SCHEDULER_GRANTS_FILE": str(grants),
            "SCHEDULER_PORT": str(api_port),
            "SCHEDULER_ALERT_REACH": "loopback",
        }
        with up(directory, execute, **settings) as service:
            yield Kitchen(srv, service, shop, box, replaced)
    mail.stop()


def test_every_recipe_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [title for title in RECIPES if f'"{title}"' not in source] == []


def test_directory_is_backed_up(kitchen: Kitchen) -> None:
    kitchen.cook("Back up a directory every night")
    (archive,) = kitchen.srv.glob("backup/data-*.tar.gz")
    assert archive.stat().st_size > 0


def test_database_is_dumped_and_old_dumps_go(kitchen: Kitchen, postgres_server: PostgresServer) -> None:
    old = kitchen.srv / "backup" / "warehouse-2020-01-01.dump"
    old.write_text("old")
    os.utime(old, (0, 0))
    (text,) = RECIPES["Back up PostgreSQL and keep seven days"].jobs
    job = kitchen.read(text)
    program = devstack_servers.installed_postgres() / "bin" / "pg_dump"
    job["payload"]["script"] = job["payload"]["script"].replace("pg_dump ", f"{program} ")
    with postgres_server.lent() as url:
        parts = urlsplit(url)
        job["env"] |= {"PGUSER": parts.username, "PGPASSWORD": parts.password, "PGDATABASE": parts.path[1:]}
        run = kitchen.run(kitchen.create(job))
    assert run["status"] == "success", run
    (dump,) = kitchen.srv.glob("backup/warehouse-*.dump")
    assert dump.read_bytes().startswith(b"PGDMP")


def test_report_has_a_result_and_a_plot(kitchen: Kitchen) -> None:
    run = kitchen.cook("Report on a CSV file with pandas, with a plot")
    assert run["result"] == {"total": 60, "best": "Feb"}
    (artifact,) = kitchen.service.call("GET", f"runs/{run['id']}/artifacts")["artifacts"]
    assert artifact["name"] == "sales.png"
    image = kitchen.service.client.get(f"runs/{run['id']}/artifacts/sales.png").content
    assert image.startswith(b"\x89PNG")


@pytest.mark.skipif(shutil.which("rsync") is None, reason="this machine has no rsync")
def test_directory_is_mirrored(kitchen: Kitchen) -> None:
    (kitchen.srv / "mirror" / "gone").write_text("")
    kitchen.cook("Copy changes between two directories with rsync")
    assert [path.name for path in (kitchen.srv / "mirror").iterdir()] == ["customers.csv"]


def test_webhook_is_called_and_its_answer_checked(kitchen: Kitchen) -> None:
    run = kitchen.cook("Call a webhook and check its answer")
    assert run["result"]["status"] == 200


def test_outage_and_recovery_are_told(kitchen: Kitchen) -> None:
    recipe = RECIPES["Check a service and alert people"]
    (rule,) = recipe.alerts
    job = kitchen.create({**kitchen.read(recipe.jobs[0]), "schedule_expr": "@yearly"})
    kitchen.service.call("POST", "alerts", {**kitchen.read(rule), "job_id": job})
    ends = []
    for is_down in (True, False):
        kitchen.shop.is_down = is_down  # type: ignore[attr-defined]
        ends.append(kitchen.run(job)["status"])
        count = len(ends)
        wait_until(lambda count=count: len(kitchen.shop.paged) == count)  # type: ignore[attr-defined, misc]
    assert ends == ["failed", "success"]
    assert [alert["kind"] for alert in kitchen.shop.paged] == ["failure", "recovery"]  # type: ignore[attr-defined]


def test_headlines_are_read(kitchen: Kitchen) -> None:
    run = kitchen.cook("Read a page with requests and Beautiful Soup")
    assert run["result"] == ["First", "Second"]


def test_run_continues_where_the_last_one_stopped(kitchen: Kitchen) -> None:
    (text,) = RECIPES["Continue where the last run stopped"].jobs
    job = kitchen.create(kitchen.read(text))
    assert [kitchen.run(job)["logs"] for _ in range(2)] == ["rows 1 to 10\n", "rows 11 to 20\n"]


def test_result_is_handed_to_the_next_job(kitchen: Kitchen) -> None:
    send, compute = RECIPES["Hand a result to the next job"].jobs
    key = kitchen.service.call("POST", "keys", {"owner_id": "ops", "scopes": ["run"]})["key"]
    sender = kitchen.create({**kitchen.read(send), "owner_id": "ops"})
    document = kitchen.read(compute)
    document["env"] |= {"NEXT_JOB": str(sender), "API_KEY_OF_JOB": key}
    run = kitchen.run(kitchen.create(document))
    assert (run["status"], run["logs"]) == ("success", "202\n")
    (sent,) = kitchen.service.call("GET", f"jobs/{sender}/runs")["runs"]
    assert kitchen.ended(sent["id"])["logs"] == "total is 45\n"


def test_old_files_are_deleted(kitchen: Kitchen) -> None:
    scratch = kitchen.srv / "scratch"
    (scratch / "empty").mkdir()
    (scratch / "new.txt").write_text("")
    (scratch / "old.txt").write_text("")
    now = time.time()
    os.utime(scratch / "old.txt", (now, now - 40 * 86_400))
    kitchen.cook("Delete old files")
    assert [path.name for path in scratch.iterdir()] == ["new.txt"]


def test_mail_is_sent(kitchen: Kitchen) -> None:
    run = kitchen.cook("Send mail through a local server")
    assert run["logs"] == "sent\n"
    assert "Subject: Good morning" in kitchen.box.mails[0]
