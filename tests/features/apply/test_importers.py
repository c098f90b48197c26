"""What importers make of the definitions of other schedulers, and what they say about it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.features.apply import vixie_cron

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.imported import Imported, Options
from scheduler_service.features.apply.importers.registry import IMPORTERS
from scheduler_service.services.job_definition import JobDefinition

CRONTABS = Path(__file__).parents[2] / "unit" / "domain" / "crontabs.txt"
YEAR, DAYS = date(2027, 1, 1), 365
# Days on which every instant is compared; on all others, their number is.
SAMPLED = range(0, DAYS, 61)


def imported(kind: str, text: str, **options: Any) -> Imported:
    found = IMPORTERS[kind].imported(text, "file", Options(**options))
    for document in found.documents:
        JobDefinition.model_validate(document)
    return found


def only(found: Imported) -> dict[str, Any]:
    (document,) = found.documents
    return document


def notes_of(found: Imported) -> str:
    return "\n".join(f"{note.about}: {note.text}" for note in found.notes)


def crontabs() -> dict[str, str]:
    """Return real crontabs by their names."""
    found: dict[str, str] = {}
    for section in CRONTABS.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, text = section.partition("\n")
        found[name] = text
    return found


class TestCrontab:
    """Crontabs of distributions and projects, and each thing that has no counterpart."""

    def test_real_crontabs_are_many(self) -> None:
        assert len(crontabs()) >= 28

    @pytest.mark.parametrize("name", crontabs())
    def test_real_crontab_fires_as_vixie_cron_does(self, name: str) -> None:
        found = imported("crontab", crontabs()[name])
        lines = [line for line in crontabs()[name].splitlines() if line[:1] != "#" and "=" not in line.split()[0]]
        assert len(found.documents) == len(lines)
        for line, document in zip(lines, found.documents, strict=True):
            schedule = line.split()[0] if line.startswith("@") else " ".join(line.split()[:5])
            if schedule == "@reboot":
                assert document["schedule_expr"] is None
            else:
                self.compare(document["schedule_expr"], vixie_cron.parse(schedule))

    def compare(self, expr: str, entry: vixie_cron.Entry) -> None:
        schedule = parse(expr, timezone="UTC", dst=DstPolicy(), anchor_at=datetime(2027, 1, 1, tzinfo=UTC))
        per_day = len(entry.times())
        for number in range(DAYS):
            on = YEAR + timedelta(days=number)
            end = datetime(on.year, on.month, on.day, 23, 59, 59, tzinfo=UTC)
            start = end - timedelta(days=1)
            assert schedule.count_between(start, end) == per_day * entry.fires_on(on), (expr, on)
            if number in SAMPLED or (per_day == 1 and entry.fires_on(on)):
                theirs = [at.replace(tzinfo=UTC) for at in entry.instants(on, 1)]
                assert list(schedule.between(start, end)) == theirs, (expr, on)

    def test_users_are_guessed_and_told(self) -> None:
        with_users = imported("crontab", "17 * * * * root run-parts /etc/cron.hourly\n")
        without = imported("crontab", "17 * * * * root run-parts\n", has_user_field=False)
        assert only(with_users)["payload"]["script"] == "#!/bin/sh\nrun-parts /etc/cron.hourly\n"
        assert only(without)["payload"]["script"] == "#!/bin/sh\nroot run-parts\n"
        assert "--no-user-field reads it the other way" in notes_of(with_users)
        assert "line 1: ran as root; runs have no access to this user's files" in notes_of(with_users)

    def test_percent_signs_become_standard_input(self) -> None:
        script = only(imported("crontab", r"0 1 * * * mail -s \%d me%Hello%World"))["payload"]["script"]
        assert script == "#!/bin/sh\nexec <<'END_OF_INPUT'\nHello\nWorld\nEND_OF_INPUT\nmail -s %d me\n"

    def test_settings_apply_to_the_lines_below(self) -> None:
        text = 'A=1\n1 1 * * * one\nSHELL=/bin/bash\nA = "two words"\nCRON_TZ=Asia/Tokyo\nMAILTO=me\n2 2 * * * two\n'
        found = imported("crontab", text, timezone="Europe/Berlin")
        first, second = found.documents
        assert (first["env"], first["timezone"]) == ({"A": "1"}, "Europe/Berlin")
        assert (second["env"], second["timezone"]) == ({"A": "two words"}, "Asia/Tokyo")
        assert second["payload"]["script"].startswith("#!/bin/bash\n")
        assert "line 6: MAILTO=me: no mail is sent" in notes_of(found)

    def test_runs_are_parallel_and_never_late_as_in_cron(self) -> None:
        document = only(imported("crontab", "* * * * * x"))
        assert (document["overlap_policy"], document["misfire_policy"]) == ("allow", "skip")

    def test_reboot_and_random_minutes_are_told(self) -> None:
        found = imported("crontab", "@reboot up\n0~30 4 * * * shaken\n")
        assert [document["schedule_expr"] for document in found.documents] == [None, "0 4 * * *"]
        assert found.documents[1]["jitter_seconds"] == 1800
        assert "@reboot has no counterpart" in notes_of(found)
        assert "was random once for all runs" in notes_of(found)

    def test_line_that_cannot_be_read_here_is_told_and_left_out(self) -> None:
        found = imported("crontab", "0 0 * * 5-1 wrong\n0 0 * * 1 right\n")
        assert len(found.documents) == 1
        assert "line 1: not imported: " in notes_of(found)

    def test_keys_differ(self) -> None:
        found = imported("crontab", "1 1 * * * /usr/bin/x a\n2 2 * * * /usr/bin/x a\n")
        assert [document["external_key"] for document in found.documents] == ["file-x-a", "file-x-a-2"]


CELERY = """
from celery.schedules import crontab, solar, schedule
app.conf.timezone = "Europe/Berlin"
app.conf.beat_schedule = {
    "morning": {"task": "t.a", "schedule": crontab("*/30", 7, day_of_week="monday-friday"), "args": (1, "x")},
    "often": {"task": "t.b", "schedule": timedelta(minutes=2 * 5), "options": {"queue": "q", "expires": 60}},
    "number": {"task": "t.c", "schedule": 30.0, "kwargs": {"a": [1]}},
    "first": {"task": "t.d", "schedule": crontab(0, 4, "mon", "1-7")},
    "sun": {"task": "t.e", "schedule": solar("sunset", 48.1, 11.5)},
    "both": {"task": "t.f", "schedule": crontab(0, 4, "mon", "13")},
    "short": {"task": "t.g", "schedule": 0.5},
    "computed": {"task": "t.h", "schedule": make()},
    "relative": {"task": "t.i", "schedule": schedule(timedelta(hours=1)), "relative": True, "args": [secret]},
}
"""


def test_celery_schedules_are_read_without_executing_them() -> None:
    found = imported("celery", CELERY, app="shop")
    jobs = {document["name"]: document for document in found.documents}
    assert {name: job["schedule_expr"] for name, job in jobs.items()} == {
        "morning": "*/30 7 * * mon-fri",
        "often": "600s",
        "number": "30s",
        "first": "0 4 * * mon#1",
        "sun": None,
        "relative": "3600s",
    }
    assert jobs["morning"]["timezone"] == "Europe/Berlin"
    assert jobs["morning"]["payload"]["argv"] == ["celery", "--app", "shop", "call", "t.a", "--args", '[1, "x"]']
    assert jobs["often"]["payload"]["argv"][-4:] == ["--queue", "q", "--expires", "60"]
    told = notes_of(found)
    for text in (
        "both: not imported: its crontab(…) needs a day and a weekday at once",
        "short: not imported: the interval 0.5 s",
        "computed: not imported: its schedule is no crontab(…)",
        "sun: solar(…) has no counterpart",
        "relative: relative is not imported",
        "relative: args are no plain values",
        "often: the interval counts from the creation of the job",
    ):
        assert text in told


KUBERNETES = """
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: report, namespace: shop}
  spec:
    schedule: "0 3 */2 * 1"
    timeZone: Europe/Berlin
    concurrencyPolicy: Forbid
    startingDeadlineSeconds: 600
    suspend: true
    failedJobsHistoryLimit: 3
    jobTemplate:
      spec:
        backoffLimit: 2
        activeDeadlineSeconds: 900
        template:
          spec:
            restartPolicy: OnFailure
            serviceAccountName: x
            containers:
            - name: main
              image: shop:1
              command: [report, --all]
              args: [$(DAY)]
              env:
              - {name: A, value: "1"}
              - {name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}
              - {name: C, valueFrom: {configMapKeyRef: {name: c, key: k}}}
              resources: {limits: {memory: 256Mi, cpu: 500m}}
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: image-only}
  spec: {schedule: "@every 1h", jobTemplate: {spec: {template: {spec: {containers: [{image: x}]}}}}}
- {kind: Service, metadata: {name: web}}
"""


def test_cron_jobs_of_kubernetes_keep_their_policies() -> None:
    found = imported("kubernetes", KUBERNETES)
    job = only(found)
    assert job == {
        "name": "shop/report",
        "external_key": "shop/report",
        "schedule_expr": "0 3 1-31/2 * 1",  # either day, as in Go's library
        "timezone": "Europe/Berlin",
        "payload": {"type": "program", "argv": ["report", "--all", "$(DAY)"]},
        "overlap_policy": "skip",
        "misfire_policy": "skip",
        "misfire_grace_seconds": 600,
        "enabled": False,
        "retry_policy": {"max_retries": 2, "retry_delay": 10, "backoff_factor": 2.0, "max_delay": 360, "jitter": 0},
        "timeout_seconds": 900,
        "env": {"A": "1"},
        "secrets": {"P": "db-password"},
        "limits": {"memory_mb": 256},
    }
    told = notes_of(found)
    for text in (
        "shop/report: the image shop:1 is not used",
        "shop/report: the variable C is not imported",
        "shop/report: failedJobsHistoryLimit is not imported",
        "shop/report: serviceAccountName is not imported",
        "shop/report: cpu is not imported",
        "shop/report: $(NAME) in the command is not replaced here",
        "image-only: not imported: the command is in the image",
        "web: the kind Service is not imported",
    ):
        assert text in told


CRONICLE = {
    "rows": [
        {
            "id": "e1", "title": "Disk", "plugin": "shellplug", "enabled": 0, "params": {"script": "df", "annotate": 1},
            "timing": {"minutes": [5, 35], "hours": [3], "weekdays": [1, 5]}, "timezone": "America/New_York",
            "max_children": 1, "catch_up": 1, "retries": 2, "retry_delay": 30, "timeout": 60, "chain": "e2",
        },
        {"id": "e2", "title": "Ping", "plugin": "urlplug", "params": {"url": "http://x/"}, "timing": {}},
        {"id": "e3", "title": "Both", "plugin": "shellplug", "timing": {"days": [1], "weekdays": [1]}},
        {"id": "e4", "title": "By hand", "plugin": "shellplug", "params": {"script": "#!/bin/sh\nx"}, "timing": False},
        {"id": "e5", "title": "Other", "plugin": "testplug", "timing": {"minutes": [0]}},
    ]
}  # fmt: skip


@pytest.mark.parametrize("is_export", [False, True])
def test_events_of_cronicle_keep_their_timing(is_export: bool) -> None:
    text = json.dumps(CRONICLE)
    if is_export:
        lines = [f"global/schedule/0 - {json.dumps({'type': 'list_page', 'items': CRONICLE['rows']})}"]
        text = "\n".join(["# Cronicle Data Export v1.0", *lines, "users/admin - {}"])
    found = imported("cronicle", text)
    disk, ping, by_hand = found.documents
    assert (disk["schedule_expr"], disk["timezone"], disk["enabled"]) == ("5,35 3 * * 1,5", "America/New_York", False)
    assert (disk["overlap_policy"], disk["misfire_policy"], disk["timeout_seconds"]) == ("queue", "fire_all", 60)
    assert disk["retry_policy"] == {"max_retries": 2, "retry_delay": 30, "backoff_factor": 1, "jitter": 0}
    assert (ping["schedule_expr"], ping["payload"]["url"]) == ("* * * * *", "http://x/")
    assert by_hand["schedule_expr"] is None
    told = notes_of(found)
    for text in (
        "e1: chain is not imported",
        "e1: params.annotate is not imported",
        "e2: no timezone",
        "e3: not imported: its timing needs a day and a weekday at once",
        "e5: not imported: the plugin testplug has no counterpart",
    ):
        assert text in told


DKRON = [
    {"name": "a", "schedule": "0 30 2 * * *", "timezone": "Europe/Berlin", "concurrency": "forbid", "retries": 3,
     "executor": "shell", "disabled": True,
     "executor_config": {"command": "echo 'a b' c", "env": "A=1,B=2", "timeout": "90s", "cwd": "/"},
     "tags": {"role": "web:2"}},
    {"name": "b", "schedule": "@every 90m", "executor": "http",
     "executor_config": {"method": "post", "url": "http://x/"}},
    {"name": "c", "schedule": "@at 2099-01-01T00:00:00Z", "executor": "shell",
     "executor_config": {"command": "x", "shell": "true"}},
    {"name": "d", "schedule": "@manually", "executor": "nats"},
]  # fmt: skip


def test_jobs_of_dkron_keep_their_schedules() -> None:
    found = imported("dkron", json.dumps(DKRON))
    a, b, c = found.documents
    assert [each["schedule_expr"] for each in (a, b, c)] == ["0 30 2 * * *", "90m", "2099-01-01T00:00:00Z"]
    assert a["payload"] == {"type": "program", "argv": ["echo", "a b", "c"]}
    assert (a["env"], a["timeout_seconds"]) == ({"A": "1", "B": "2"}, 90)
    assert (a["overlap_policy"], a["enabled"]) == ("skip", False)
    assert (b["payload"]["method"], b["overlap_policy"]) == ("POST", "allow")
    assert c["payload"] == {"type": "shell_script", "script": "#!/bin/sh\nx\n"}
    told = notes_of(found)
    for text in (
        "a: tags {'role': 'web:2'} chose servers",
        "a: executor_config.cwd is not imported",
        "d: not imported",
    ):
        assert text in told


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("crontab", "no crontab"),
        ("celery", "def broken("),
        ("celery", "x = 1"),
        ("kubernetes", "a: [1"),
        ("kubernetes", "kind: Pod"),
        ("kubernetes", KUBERNETES.replace("startingDeadlineSeconds: 600", "startingDeadlineSeconds: soon")),
        ("cronicle", "[]"),
        ("cronicle", '[{"plugin": "shellplug", "title": "a", "timing": {"minutes": 5}}]'),
        ("dkron", "{"),
        ("dkron", '{"name": "a", "schedule": "@daily", "executor": "shell", "executor_config": 5}'),
    ],
)
def test_other_input_is_refused_in_one_line(kind: str, text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        IMPORTERS[kind].imported(text, "file", Options())
    assert "\n" not in refused.value.problems[0].message
