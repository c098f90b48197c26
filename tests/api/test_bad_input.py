"""Answers to bad input name the wrong field, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from tests.api.conftest import DEFINITION, SHARED, create
from tests.database_fixtures import SHARED_ON_SQLITE

pytestmark = [SHARED, SHARED_ON_SQLITE]  # none of the cases may leave a trace

CODE = "print('hi')"
PYTHON = {"type": "python_code", "code": CODE}
DEEP: Any = "bottom"
for _ in range(300):
    DEEP = {"a": DEEP}


def changed(**changes: Any) -> dict[str, Any]:
    return {**DEFINITION, **changes}


def payload(**fields: Any) -> dict[str, Any]:
    return changed(payload=fields)


def crunch(operation: str, **parameters: Any) -> dict[str, Any]:
    return payload(type="number_crunching", operation=operation, **parameters)


DEFINITIONS: dict[str, tuple[Any, str]] = {
    # schedules
    "cron of too few fields": (changed(schedule_expr="* * *"), "schedule_expr"),
    "cron of too many fields": (changed(schedule_expr="* * * * * * *"), "schedule_expr"),
    "cron minute 60": (changed(schedule_expr="60 * * * *"), "schedule_expr"),
    "cron hour 24": (changed(schedule_expr="0 24 * * *"), "schedule_expr"),
    "cron day 0": (changed(schedule_expr="0 0 0 * *"), "schedule_expr"),
    "cron day 32": (changed(schedule_expr="0 0 32 * *"), "schedule_expr"),
    "cron month 13": (changed(schedule_expr="0 0 1 13 *"), "schedule_expr"),
    "cron weekday 8": (changed(schedule_expr="0 0 * * 8"), "schedule_expr"),
    "cron step 0": (changed(schedule_expr="*/0 * * * *"), "schedule_expr"),
    "cron range backwards": (changed(schedule_expr="0 17-9 * * *"), "schedule_expr"),
    "cron empty item": (changed(schedule_expr="1,,2 * * * *"), "schedule_expr"),
    "cron unknown name": (changed(schedule_expr="0 0 * * MOO"), "schedule_expr"),
    "cron letters": (changed(schedule_expr="a b c d e"), "schedule_expr"),
    "cron injection": (changed(schedule_expr="* * * * *; rm -rf /"), "schedule_expr"),
    "cron that never fires": (changed(schedule_expr="0 0 31 2 *"), "schedule_expr"),
    "cron with a huge number": (changed(schedule_expr="99999999999999999999 * * * *"), "schedule_expr"),
    "cron in other digits": (changed(schedule_expr="\u0665 * * * *"), "schedule_expr"),
    "unknown alias": (changed(schedule_expr="@fortnightly"), "schedule_expr"),
    "no schedule": ({"name": "a job", "payload": PYTHON}, "schedule_expr"),
    "empty schedule": (changed(schedule_expr=""), "schedule_expr"),
    "blank schedule": (changed(schedule_expr="   "), "schedule_expr"),
    "schedule that is none": (changed(schedule_expr="every tuesday"), "schedule_expr"),
    "schedule that is a number": (changed(schedule_expr=5), "schedule_expr"),
    "schedule of 10,000 characters": (changed(schedule_expr="* " * 5000), "schedule_expr"),
    "schedule with NUL": (changed(schedule_expr="5m\0"), "schedule_expr"),
    "interval 0s": (changed(schedule_expr="0s"), "schedule_expr"),
    "interval -5m": (changed(schedule_expr="-5m"), "schedule_expr"),
    "interval without unit": (changed(schedule_expr="90"), "schedule_expr"),
    "interval of a month": (changed(schedule_expr="P1M"), "schedule_expr"),
    "zone that is no place": (changed(timezone="Factory"), "timezone"),
    "huge interval": (changed(schedule_expr="99999999999999999999d"), "schedule_expr"),
    "past instant": (changed(schedule_expr="2020-01-01T00:00:00Z"), "schedule_expr"),
    "instant on no day": (changed(schedule_expr="2099-02-30T00:00:00Z"), "schedule_expr"),
    "instant in the year 9999": (changed(schedule_expr="9999-12-31T23:59:59-14:00"), "schedule_expr"),
    # zones and bounds
    "unknown zone": (changed(timezone="Europe/Berln"), "timezone"),
    "zone out of the way": (changed(timezone="../../etc/passwd"), "timezone"),
    "zone that is a number": (changed(timezone=1), "timezone"),
    "empty zone": (changed(timezone=""), "timezone"),
    "unknown dst choice": (changed(dst={"gap": "jump"}), "dst.gap"),
    "unknown dst field": (changed(dst={"gp": "skip"}), "dst.gp"),
    "start that is no instant": (changed(start_at="tomorrow"), "start_at"),
    "start that is a number": (changed(start_at=1e9), "start_at"),
    "start that is a number in a text": (changed(start_at="1767225600"), "start_at"),
    "start without offset": (changed(start_at="2090-01-01T00:00:00"), "start_at"),
    "start in the year 1": (changed(start_at="0001-01-01T00:00:00+14:00"), "start_at"),
    "end in the year 9999": (changed(end_at="9999-12-31T23:59:59-14:00"), "end_at"),
    "end before start": (changed(start_at="2090-01-02T00:00:00Z", end_at="2090-01-01T00:00:00Z"), "end_at"),
    "end before the first instant": (changed(schedule_expr="@yearly", end_at="2020-01-01T00:00:00Z"), "end_at"),
    # names, texts, tags
    "no name": ({"schedule_expr": "5m", "payload": PYTHON}, "name"),
    "empty name": (changed(name=""), "name"),
    "blank name": (changed(name="   "), "name"),
    "name that is null": (changed(name=None), "name"),
    "name that is a list": (changed(name=["a"]), "name"),
    "name of 10,000 characters": (changed(name="x" * 10_000), "name"),
    "NUL in the name": (changed(name="a\0b"), "name"),
    "lone surrogate in the name": (changed(name="\ud800"), "name"),
    "lone surrogate in the description": (changed(description="\udfff"), "description"),
    "NUL in the description": (changed(description="\0"), "description"),
    "NUL in the owner": (changed(owner_id="\0"), "owner_id"),
    "NUL in a tag": (changed(tags=["fine", "a\0"]), "tags.1"),
    "tag that is a number": (changed(tags=[1]), "tags.0"),
    "tags that are a text": (changed(tags="a"), "tags"),
    "a thousand tags": (changed(tags=["a"] * 1000), "tags"),
    # payloads
    "no payload": ({"name": "a job", "schedule_expr": "5m"}, "payload"),
    "payload that is a text": (changed(payload="echo"), "payload"),
    "payload without type": (payload(code=CODE), "payload.type"),
    "unknown type": (payload(type="pyton_code", code=CODE), "payload.type"),
    "type that is a number": (payload(type=1), "payload.type"),
    "python without code": (payload(type="python_code"), "payload.code"),
    "empty code": (payload(type="python_code", code=""), "payload.code"),
    "code that is a number": (payload(type="python_code", code=1), "payload.code"),
    "code with a syntax error": (payload(type="python_code", code="def"), "payload.code"),
    "NUL in code": (payload(type="python_code", code="x = 1\0"), "payload.code"),
    "lone surrogate in code": (payload(type="python_code", code="'\ud800'"), "payload.code"),
    "code of 300 kB": (payload(type="python_code", code="#" * 300_000), "payload.code"),
    "field of another kind": (payload(type="python_code", code=CODE, script="ls"), "payload.script"),
    "empty script": (payload(type="shell_script", script=""), "payload.script"),
    "NUL in a script": (payload(type="shell_script", script="echo \0"), "payload.script"),
    "program without arguments": (payload(type="program", argv=[]), "payload.argv"),
    "program that is a text": (payload(type="program", argv="ls -l"), "payload.argv"),
    "NUL in an argument": (payload(type="program", argv=["ls", "\0"]), "payload.argv.1"),
    "no operation": (payload(type="number_crunching"), "payload.operation"),
    "unknown operation": (crunch("fibonaci", n=10), "payload.operation"),
    "environment that is not offered": (
        payload(type="python_code", code=CODE, environment="sc"),
        "payload.environment",
    ),
    "code that cannot be compiled": (payload(type="python_code", code="return 5"), "payload.code"),
    "seed that is not used": (crunch("statistics", values=[1, 2], seed=4), "payload.seed"),
    "operation without parameter": (crunch("fibonacci"), "payload.n"),
    "negative parameter": (crunch("fibonacci", n=-1), "payload.n"),
    "huge parameter": (crunch("factorial", n=10**30), "payload.n"),
    "NaN as parameter": (crunch("statistics", values=[1, float("nan")]), "payload.values.1"),
    "parameter of another operation": (crunch("fibonacci", n=5, limit=7), "payload.limit"),
    # numbers
    "negative retries": (changed(retry_policy={"max_retries": -1}), "retry_policy.max_retries"),
    "half a retry": (changed(retry_policy={"max_retries": 1.5}), "retry_policy.max_retries"),
    "NaN as delay": (changed(retry_policy={"retry_delay": float("nan")}), "retry_policy.retry_delay"),
    "infinite delay": (changed(retry_policy={"max_delay": float("inf")}), "retry_policy.max_delay"),
    "unknown retry field": (changed(retry_policy={"max_retry": 1}), "retry_policy.max_retry"),
    "retry policy that is a number": (changed(retry_policy=3), "retry_policy"),
    "timeout 0": (changed(timeout_seconds=0), "timeout_seconds"),
    "negative timeout": (changed(timeout_seconds=-1), "timeout_seconds"),
    "timeout of 400 digits": (changed(timeout_seconds=10**400), "timeout_seconds"),
    "infinite timeout": (changed(timeout_seconds=float("inf")), "timeout_seconds"),
    "timeout of no length": (changed(timeout_seconds=1e-320), "timeout_seconds"),
    "timeout that is true": (changed(timeout_seconds=True), "timeout_seconds"),
    "timeout that is a text": (changed(timeout_seconds="60"), "timeout_seconds"),
    "retries that are true": (changed(retry_policy={"max_retries": True}), "retry_policy.max_retries"),
    "delay that is a text": (changed(retry_policy={"retry_delay": "60"}), "retry_policy.retry_delay"),
    "memory that is a text": (changed(limits={"memory_mb": "512"}), "limits.memory_mb"),
    "network that is 1": (changed(limits={"network": 1}), "limits.network"),
    "concurrency that is a text": (changed(max_concurrency="7"), "max_concurrency"),
    "priority 10": (changed(priority=10), "priority"),
    "priority that is an object": (changed(priority={}), "priority"),
    "too little memory": (changed(limits={"memory_mb": 0}), "limits.memory_mb"),
    "unknown limit": (changed(limits={"memory": 512}), "limits.memory"),
    "limits that are null": (changed(limits=None), "limits"),
    "unknown overlap policy": (changed(overlap_policy="skp"), "overlap_policy"),
    "unknown misfire policy": (changed(misfire_policy="never"), "misfire_policy"),
    "concurrency 0": (changed(max_concurrency=0), "max_concurrency"),
    "negative grace": (changed(misfire_grace_seconds=-0.1), "misfire_grace_seconds"),
    "negative jitter": (changed(jitter_seconds=-1), "jitter_seconds"),
    "enabled that is off": (changed(enabled="off"), "enabled"),
    "enabled that is 1": (changed(enabled=1), "enabled"),
    "enabled that is neither": (changed(enabled="perhaps"), "enabled"),
    # environment and arguments
    "variable of the working directory": (changed(env={"HOME": "/"}), "env.HOME"),
    "variable of 130 kB": (changed(env={"A": "\U0001f600" * 32_768}), "env.A"),
    "arguments of 130 kB": (changed(args={"a": "x" * 131_072}), "args"),
    "variable with a space": (changed(env={"A B": "x"}), "env.A B"),
    "variable of the service": (changed(env={"SCHEDULER_RUN_ID": "1"}), "env.SCHEDULER_RUN_ID"),
    "variable that is a number": (changed(env={"A": 1}), "env.A"),
    "NUL in a variable": (changed(env={"A": "\0"}), "env.A"),
    "lone surrogate in a variable": (changed(env={"A": "\ud800"}), "env.A"),
    "arguments that are a list": (changed(args=[1]), "args"),
    "NaN in the arguments": (changed(args={"a": float("nan")}), "args.a"),
    "NUL in the arguments": (changed(args={"a": ["\0"]}), "args.a"),
    "NUL in the name of an argument": (changed(args={"\0": 1}), "args.\0"),
    "lone surrogate in the arguments": (changed(args={"a": {"b": "\ud800"}}), "args.a"),
    "arguments 300 deep": (changed(args=DEEP), "args" + 15 * ".a"),
    # the whole
    "unknown field": (changed(tiemzone="UTC"), "tiemzone"),
    "field of the answer": (changed(id=1), "id"),
    "lone surrogate in an unknown name": ({**DEFINITION, "\ud800": 1}, "body"),
    "a list": ([DEFINITION], "body"),
    "a text": ("a job", "body"),
    "null": (None, "body"),
}


@pytest.mark.parametrize("case", DEFINITIONS)
async def test_wrong_field_is_named_when_a_job_is_created(client: httpx2.AsyncClient, case: str) -> None:
    definition, field = DEFINITIONS[case]

    answer = await client.post("/api/v1/jobs", content=json.dumps(definition), headers=JSON)

    assert fields_of(answer) == [field]
    assert (await client.get("/api/v1/jobs")).json()["total"] == 0


REQUESTS: dict[str, tuple[str, dict[str, Any], str]] = {
    # queries
    "page 0": ("GET /jobs?page=0", {}, "page"),
    "page that is no number": ("GET /jobs?page=two", {}, "page"),
    "page of 30 digits": ("GET /jobs?page=999999999999999999999999999999", {}, "page"),
    "size 0": ("GET /jobs?size=0", {}, "size"),
    "size 101": ("GET /runs?size=101", {}, "size"),
    "unknown order": ("GET /jobs?sort=age", {}, "sort"),
    "unknown job status": ("GET /jobs?status=running", {}, "status"),
    "unknown run status": ("GET /runs?status=done", {}, "status"),
    "NUL in a search": ("GET /jobs?q=a%00", {}, "q"),
    "search of 50,000 letters": ("GET /jobs?q=" + "x" * 50_000, {}, "q"),
    "owner of 129 letters": ("GET /runs?owner_id=" + "x" * 129, {}, "owner_id"),
    "tag of 65 letters": ("GET /jobs?tag=" + "x" * 65, {}, "tag"),
    "NUL in an owner": ("GET /jobs?owner_id=%00", {}, "owner_id"),
    "NUL in a wanted tag": ("GET /jobs?tag=%00", {}, "tag"),
    "unknown parameter": ("GET /jobs?pagee=1", {}, "pagee"),
    "unknown parameter where none is taken": ("GET /jobs/1?verbose=1", {}, "verbose"),
    "unknown parameter beside a body": ("POST /jobs?dry_run=1", {"json": DEFINITION}, "dry_run"),
    "since yesterday": ("GET /runs?since=yesterday", {}, "since"),
    "since a number": ("GET /runs?since=0.5", {}, "since"),
    "since 1970 in seconds": ("GET /runs?since=1767225600", {}, "since"),
    "since without offset": ("GET /runs?since=2026-01-01T00:00:00", {}, "since"),
    "until the year 1": ("GET /runs?until=0001-01-01T00:00:00%2B14:00", {}, "until"),
    "before run 0": ("GET /runs?before_id=0", {}, "before_id"),
    "no instants": ("GET /jobs/1/next?count=0", {}, "count"),
    "too many instants": ("GET /jobs/1/next?count=1001", {}, "count"),
    "negative offset": ("GET /runs/1/logs?offset=-1", {}, "offset"),
    # paths
    "job that is no number": ("GET /jobs/one", {}, "job_id"),
    "job 0": ("GET /jobs/0", {}, "job_id"),
    "job of 20 digits": ("DELETE /jobs/99999999999999999999", {}, "job_id"),
    "job 1.0": ("GET /jobs/1.0", {}, "job_id"),
    "job 01": ("GET /jobs/01", {}, "job_id"),
    "job +1": ("GET /jobs/+1", {}, "job_id"),
    "job 1_0": ("GET /jobs/1_0", {}, "job_id"),
    "job with a blank": ("GET /jobs/%201", {}, "job_id"),
    "offset 1.0": ("GET /runs/1/logs?offset=1.0", {}, "offset"),
    "page twice": ("GET /jobs?page=1&page=2", {}, "page"),
    "run that is no integer": ("POST /runs/1.5/cancel", {}, "run_id"),
    # headers
    "empty idempotency key": (
        "POST /jobs",
        {"json": DEFINITION, "headers": {"Idempotency-Key": ""}},
        "Idempotency-Key",
    ),
    "idempotency key of 256 characters": (
        "POST /jobs",
        {"json": DEFINITION, "headers": {"Idempotency-Key": "x" * 256}},
        "Idempotency-Key",
    ),
    "idempotency key with a blank": (
        "POST /jobs",
        {"json": DEFINITION, "headers": {"Idempotency-Key": "a b"}},
        "Idempotency-Key",
    ),
    "idempotency key of other letters": (
        "POST /jobs/1/run",
        {"headers": {"Idempotency-Key": "ä".encode()}},
        "Idempotency-Key",
    ),
    "last event that is no offset": ("GET /runs/1/logs", {"headers": {"Last-Event-ID": "x"}}, "Last-Event-ID"),
    "run with an unknown field": ("POST /jobs/1/run", {"json": {"force": True}}, "force"),
    "run with a reserved variable": ("POST /jobs/1/run", {"json": {"env": {"HOME": "/"}}}, "env.HOME"),
    "run with a body that is a list": ("POST /jobs/1/run", {"json": []}, "body"),
    # other bodies
    "no body": ("POST /jobs", {}, "body"),
    "preview of none": ("POST /schedules/preview", {"json": {"schedule_expr": "5m", "count": 0}}, "count"),
    "preview of too many": ("POST /schedules/preview", {"json": {"schedule_expr": "5m", "count": 1001}}, "count"),
    "preview of a past instant": (
        "POST /schedules/preview",
        {"json": {"schedule_expr": "2020-01-01T00:00:00Z"}},
        "schedule_expr",
    ),
    "preview of as many as a text says": (
        "POST /schedules/preview",
        {"json": {"schedule_expr": "5m", "count": "3"}},
        "count",
    ),
    "unknown field of a preview": ("POST /schedules/preview", {"json": {"schedule_expr": "5m", "tz": "UTC"}}, "tz"),
}


@pytest.mark.parametrize("case", REQUESTS)
async def test_wrong_part_of_a_request_is_named(client: httpx2.AsyncClient, case: str) -> None:
    request, options, field = REQUESTS[case]
    method, path = request.split(" ")

    answer = await client.request(method, f"/api/v1{path}", **options)

    assert fields_of(answer) == [field]
    assert (await client.get("/api/v1/jobs")).json()["total"] == 0


CHANGES: dict[str, tuple[Any, str]] = {
    "required field set to null": ({"name": None}, "name"),
    "unknown field": ({"nmae": "x"}, "nmae"),
    "field of the answer": ({"status": "paused"}, "status"),
    "unknown field set to null": ({"foo": None}, "foo"),
    "field of the answer set to null": ({"next_run_at": None}, "next_run_at"),
    "unknown limit set to null": ({"limits": {"memory": None}}, "limits.memory"),
    "unknown dst field set to null": ({"dst": {"gp": None}}, "dst.gp"),
    "unknown payload field set to null": ({"payload": {"code": None}}, "payload.code"),
    "payload of another type without its field": ({"payload": {"type": "python_code"}}, "payload.code"),
    "field that does not go with the change": ({"start_at": "2099-06-01T00:00:00Z"}, "end_at"),
    "negative retries": ({"retry_policy": {"max_retries": -1}}, "retry_policy.max_retries"),
    "unknown retry field": ({"retry_policy": {"max_retry": 1}}, "retry_policy.max_retry"),
    "interval 0s": ({"schedule_expr": "0s"}, "schedule_expr"),
    "past instant": ({"schedule_expr": "2020-01-01T00:00:00Z"}, "schedule_expr"),
    "unknown zone": ({"timezone": "Mars/Olympus"}, "timezone"),
    "code that is a number": ({"payload": {"type": "python_code", "script": None, "code": 1}}, "payload.code"),
    "NUL in the name": ({"name": "\0"}, "name"),
    "NaN": ({"timeout_seconds": float("nan")}, "timeout_seconds"),
    "lone surrogate in an unknown name": ({"\ud800": 1}, "body"),
    "a list": ([], "body"),
    "a text": ("name", "body"),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_wrong_field_is_named_when_a_job_is_changed(client: httpx2.AsyncClient, case: str) -> None:
    change, field = CHANGES[case]
    job = await create(client, schedule_expr="@yearly", end_at="2099-02-01T00:00:00Z")

    answer = await client.patch(f"/api/v1/jobs/{job['id']}", content=json.dumps(change), headers=JSON)

    stored = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
    await client.delete(f"/api/v1/jobs/{job['id']}")
    assert fields_of(answer) == [field]
    assert stored == job


async def test_every_wrong_field_is_named(client: httpx2.AsyncClient) -> None:
    definition = changed(name="", priority=99, payload={"type": "python_code", "cod": "x"}, retry_policy={"jitter": 2})

    answer = await client.post("/api/v1/jobs", json=definition)

    expected = {"name", "priority", "payload.code", "payload.cod", "retry_policy.jitter"}
    assert set(fields_of(answer)) == expected


HINTS = {
    "field": (changed(tiemzone="UTC"), "did you mean timezone?"),
    "field of an object": (changed(limits={"memory": 512}), "did you mean memory_mb?"),
    "field of a payload": (payload(type="python_code", cde=CODE), "did you mean code?"),
    "field of an operation": (crunch("prime_numbers", limt=7), "did you mean limit?"),
    "field of another payload": (payload(type="program", argv=["ls"], code=CODE), "known: type, argv, stdin"),
    "kind of payload": (payload(type="pyton_code", code=CODE), "did you mean python_code?"),
    "operation": (crunch("fibonaci", n=10), "did you mean fibonacci?"),
    "word": (changed(overlap_policy="cancel_runing"), "did you mean cancel_running?"),
    "zone": (changed(timezone="europe/berlin"), "did you mean Europe/Berlin?"),
}


@pytest.mark.parametrize("case", HINTS)
async def test_error_suggests_a_known_name(client: httpx2.AsyncClient, case: str) -> None:
    definition, hint = HINTS[case]

    answer = await client.post("/api/v1/jobs", json=definition)

    assert any(hint in error["detail"] for error in answer.json()["errors"])


async def test_error_of_a_parameter_has_no_pointer_into_the_body(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs?dry_run=1", json=DEFINITION)

    assert ["pointer" in error for error in answer.json()["errors"]] == [False]


async def test_first_50_errors_are_listed_and_the_rest_counted(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json=changed(**{f"x{number}": 1 for number in range(200)}))

    assert len(answer.json()["errors"]) == 50
    assert answer.json()["detail"].endswith("; and 197 more")


async def test_error_suggests_a_known_query_parameter(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/jobs?pagee=1")

    assert answer.json()["errors"][0]["detail"] == "unknown query parameter; did you mean page?"


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        (changed(retry_policy={"max_retries": -1}), "#/retry_policy/max_retries"),
        (changed(tags=["a", 1]), "#/tags/1"),
        (changed(env={"a/b~c": "x"}), "#/env/a~1b~0c"),
        (changed(schedule_expr="0s"), "#/schedule_expr"),
        ([], "#"),
    ],
)
async def test_pointer_leads_to_the_place_in_the_body(
    client: httpx2.AsyncClient, definition: Any, pointer: str
) -> None:
    answer = await client.post("/api/v1/jobs", json=definition)

    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_values_in_errors_are_cut_to_100_characters(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json=changed(name="x" * 10_000))

    assert answer.json()["errors"][0]["value"] == "x" * 100 + "…"


@pytest.mark.parametrize("definition", [changed(env={"A": 12345}), changed(args={"x": 1}, api_token=12345)])
async def test_errors_never_show_values_that_may_be_secret(
    client: httpx2.AsyncClient, definition: dict[str, Any]
) -> None:
    answer = await client.post("/api/v1/jobs", json=definition)

    assert answer.status_code == 422
    assert "12345" not in answer.text


JSON = {"Content-Type": "application/json"}


def fields_of(answer: httpx2.Response) -> list[str]:
    """Check that an answer is a problem document for bad input, and return the fields that it names."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(answer.content.decode("utf-8"))
    assert problem["status"] == 422
    for error in problem["errors"]:
        assert error["detail"]
        assert len(json.dumps(error)) < 2000
    return [error["field"] for error in problem["errors"]]
