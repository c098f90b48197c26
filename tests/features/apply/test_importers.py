"""What importers make of the definitions of other schedulers, and what they say about it."""

from __future__ import annotations

import json

import pytest
from tests.features.apply.importing import imported, notes_of, only

from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.imported import Imported, Options
from scheduler_service.features.apply.importers.registry import IMPORTERS

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
        {
            "id": "e2", "title": "Ping", "plugin": "urlplug", "params": {"url": "http://x/"}, "timing": {},
            "memory_limit": 2**26,
        },
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
    assert ping["limits"] == {"network": True, "memory_mb": 64}
    assert by_hand["schedule_expr"] is None
    told = notes_of(found)
    for text in (
        "e1: params.annotate is not imported",
        "e2: no timezone",
        "e3: not imported: its timing needs a day and a weekday at once",
        "e5: not imported: the plugin testplug has no counterpart",
    ):
        assert text in told


def chained(key: str, **fields: object) -> dict[str, object]:
    return {"id": key, "title": key, "plugin": "shellplug", "timing": {"minutes": [0]}, **fields}


def after_of(found: Imported) -> dict[str, list[tuple[str, str]]]:
    """Return what each imported job runs after, and check that other ends mean nothing."""
    named = {}
    for document in found.documents:
        if "after" in document:
            assert document["after_mode"] == "any"
            named[document["external_key"]] = [(entry["external_key"], entry["on"]) for entry in document["after"]]
    return named


def test_chains_of_cronicle_become_upstream_jobs() -> None:
    events = [
        chained("load", chain="report", chain_error="alarm"),
        chained("copy", chain="report"),
        chained("report", timing=False, chain="clean", chain_error="clean"),
        chained("alarm", timing=False, enabled=0),
        chained("clean"),
    ]
    found = imported("cronicle", json.dumps(events))
    assert after_of(found) == {
        "report": [("load", "success"), ("copy", "success")],
        "alarm": [("load", "failure")],
        "clean": [("report", "end")],
    }
    assert [job["schedule_expr"] for job in found.documents][-3:] == [None, None, "0 * * * *"]
    told = notes_of(found)
    for text in (
        "report: chain_data and chain_params are not passed on",
        "alarm: it is disabled: Cronicle runs it in a chain even so",
        "clean: it runs after each end; here, also after a run that was cancelled",
    ):
        assert text in told


def test_chain_of_cronicle_that_cannot_be_is_told() -> None:
    events = [
        chained("a", chain="b"),
        chained("b", chain="a", chain_error="gone"),
        chained("c", chain="c"),
        chained("d", chain="e"),
        chained("e", plugin="testplug", chain="a"),
        *(chained(f"f{number}", chain="many") for number in range(17)),
        chained("many"),
    ]
    found = imported("cronicle", json.dumps(events))
    after = after_of(found)
    assert (after["b"], len(after["many"]), set(after)) == ([("a", "success")], 16, {"b", "many"})
    told = notes_of(found)
    for text in (
        "b: chain is not imported: a would run after itself",
        "b: chain_error is not imported: gone is not among the imported jobs",
        "c: chain is not imported: c would run after itself",
        "d: chain is not imported: e is not among the imported jobs",
        "e: chain is not imported: e is not among the imported jobs",
        "f16: chain is not imported: many runs after 16 jobs already",
    ):
        assert text in told


def test_parents_of_dkron_become_upstream_jobs() -> None:
    shell = {"executor": "shell", "executor_config": {"command": "x"}}
    start = "2099-01-01T00:00:00Z"
    jobs = [
        {"name": "a", "schedule": "@daily", "dependent_jobs": ["b", "c"], **shell},
        {"name": "b", "schedule": "@hourly", "parent_job": "a", "starts_at": start, **shell},
        {"name": "c", "schedule": "@hourly", **shell},
        {"name": "d", "parent_job": "gone", **shell},
    ]
    found = imported("dkron", json.dumps(jobs))
    assert after_of(found) == {"b": [("a", "success")], "c": [("a", "success")]}
    assert [job["schedule_expr"] for job in found.documents] == ["@daily", None, "@hourly", None]
    assert "start_at" not in found.documents[1]
    told = notes_of(found)
    for text in (
        "b: its schedule is not imported: Dkron ignores the schedule of a job with a parent",
        "b: starts_at and expires_at are not imported",
        "d: parent_job is not imported: gone is not among the imported jobs",
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
