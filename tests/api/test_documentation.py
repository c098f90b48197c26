"""The OpenAPI description is complete, and the documentation pages load nothing from other hosts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from tests.api.conftest import SHARED, settings_for
from tests.database_fixtures import SHARED_ON_SQLITE

from scheduler_service.api import examples
from scheduler_service.api.app import create_app
from scheduler_service.api.documentation import STATIC
from scheduler_service.api.routers import health, job_instants, schedules
from scheduler_service.api.schemas import stats
from scheduler_service.api.schemas.jobs import JobPage
from scheduler_service.api.schemas.runs import RunOut, RunPage, RunWhole
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.preview_request import PreviewRequest

# Of the files as their makers published them.
PUBLISHED = {
    "swagger-ui/swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui/swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "redoc/redoc.standalone.js": "dcaf76612bc4a3fbcc923a8966dee2f6146a5f32e5ce1b6f02dd60cbbf89500b",
}
OPEN_TAGS = {"health"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("data")
    document: dict[str, Any] = create_app(settings_for(f"sqlite:///{directory}/scheduler.db", directory)).openapi()
    return document


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def missing(described: dict[str, Any], is_there: Any) -> list[str]:
    return [name for name, operation in operations(described) if not is_there(operation)]


def test_description_lists_every_call_of_the_contract(described: dict[str, Any]) -> None:
    names = {name for name, _ in operations(described)}

    assert names >= {
        "POST /api/v1/jobs", "GET /api/v1/jobs", "GET /api/v1/jobs/{job_id}", "PATCH /api/v1/jobs/{job_id}",
        "PUT /api/v1/jobs/{job_id}", "DELETE /api/v1/jobs/{job_id}", "POST /api/v1/jobs/{job_id}/run",
        "POST /api/v1/jobs/{job_id}/pause", "POST /api/v1/jobs/{job_id}/resume", "GET /api/v1/jobs/{job_id}/runs",
        "GET /api/v1/jobs/{job_id}/next", "GET /api/v1/runs", "GET /api/v1/runs/{run_id}",
        "GET /api/v1/runs/{run_id}/logs", "POST /api/v1/runs/{run_id}/cancel", "POST /api/v1/runs/{run_id}/retry",
        "POST /api/v1/schedules/preview", "GET /health", "GET /health/live", "GET /health/ready",
    }  # fmt: skip


@pytest.mark.parametrize("part", ["summary", "description", "operationId", "tags"])
def test_every_operation_has_its_texts(described: dict[str, Any], part: str) -> None:
    assert missing(described, lambda operation: operation.get(part)) == []


def test_every_operation_has_a_readable_unique_id(described: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(described)]

    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", operation_id) for operation_id in ids)


def test_every_tag_has_a_description(described: dict[str, Any]) -> None:
    explained = {tag["name"] for tag in described["tags"] if tag["description"]}

    assert missing(described, lambda operation: set(operation["tags"]) <= explained) == []


def test_every_request_body_has_an_example(described: dict[str, Any]) -> None:
    def has_example(operation: dict[str, Any]) -> bool:
        content = operation.get("requestBody", {}).get("content", {})
        return all(media.get("examples") or media.get("example") for media in content.values())

    assert missing(described, has_example) == []


def test_every_response_has_an_example(described: dict[str, Any]) -> None:
    def has_examples(operation: dict[str, Any]) -> bool:
        answers = operation["responses"].values()
        return all("example" in media for answer in answers for media in answer.get("content", {}).values())

    assert missing(described, has_examples) == []


def test_every_call_with_a_key_lists_its_errors(described: dict[str, Any]) -> None:
    def has_errors(operation: dict[str, Any]) -> bool:
        expected = {"401", "403", "422", "503"}
        expected |= {"400", "413", "415"} if "requestBody" in operation else set()
        names_object = any(parameter["in"] == "path" for parameter in operation.get("parameters", ()))
        # These create the object that they name.
        expected |= (
            {"404"}
            if names_object and operation["operationId"] not in {"putSecret", "putCalendar", "setQuotas"}
            else set()
        )
        return set(operation["tags"]) <= OPEN_TAGS or operation["responses"].keys() >= expected

    assert missing(described, has_errors) == []


def test_every_error_is_described_as_a_problem_document(described: dict[str, Any]) -> None:
    def is_problem(operation: dict[str, Any]) -> bool:
        errors = [answer for code, answer in operation["responses"].items() if code.startswith("4")]
        return all(list(answer["content"]) == ["application/problem+json"] for answer in errors)

    assert missing(described, is_problem) == []
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_every_call_but_health_needs_the_key(described: dict[str, Any]) -> None:
    def is_right(operation: dict[str, Any]) -> bool:
        return set(operation["tags"]) <= OPEN_TAGS or operation.get("security") == [{"ApiKey": []}]

    assert missing(described, is_right) == []
    scheme = described["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-API-Key")


def test_every_parameter_and_header_has_a_description(described: dict[str, Any]) -> None:
    bare = [
        f"{name} {parameter['name']}"
        for name, operation in operations(described)
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    bare += [
        f"{name} {header}"
        for name, operation in operations(described)
        for answer in operation["responses"].values()
        for header, schema in answer.get("headers", {}).items()
        if not schema.get("description")
    ]

    assert bare == []


def test_every_field_has_a_description(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    bare = [name for model, schema in schemas.items() for name in fields_without_description(model, schema)]

    assert bare == []


def fields_without_description(path: str, schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from fields_without_description(path, part)
    if not isinstance(schema, dict):
        return
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{path}.{name}"
        yield from fields_without_description(f"{path}.{name}", field)
    for part in ("items", "additionalProperties", "anyOf", "oneOf", "allOf"):
        yield from fields_without_description(path, schema.get(part))


def test_every_number_has_a_minimum_and_a_maximum(described: dict[str, Any]) -> None:
    def numbers(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, list):
            return [found for part in schema for found in numbers(part)]
        if not isinstance(schema, dict):
            return []
        inner = [found for part in schema.values() for found in numbers(part)]
        return [schema, *inner] if schema.get("type") in {"integer", "number"} else inner

    def is_bounded(operation: dict[str, Any]) -> bool:
        found = numbers([parameter["schema"] for parameter in operation.get("parameters", ())])
        return all({"minimum", "maximum"} <= number.keys() for number in found)

    assert missing(described, is_bounded) == []
    assert not re.findall(r"'(?:ge|le|gt|lt)': ", str(described))


def test_every_reference_resolves(described: dict[str, Any]) -> None:
    for reference in re.findall(r"'\$ref': '#/([^']+)'", str(described)):
        found: Any = described
        for step in reference.split("/"):
            assert step in found, reference
            found = found[step]


def test_description_lists_every_payload_kind(described: dict[str, Any]) -> None:
    payload = described["components"]["schemas"]["JobDefinition"]["properties"]["payload"]

    assert set(payload["discriminator"]["mapping"]) >= {"python_code", "shell_script", "number_crunching", "program"}


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (JobPage, examples.JOB_PAGE),
        (RunPage, examples.RUN_PAGE),
        (RunOut, examples.QUEUED_RUN),
        (RunWhole, examples.RUN_WHOLE),
        (job_instants.Next, job_instants.NEXT),
        (schedules.PreviewOut, schedules.PREVIEW),
        (health.HealthOut, health.HEALTH),
        (health.HealthOut, health.ILL_HEALTH),
        (stats.StatsOut, stats.STATS),
        (stats.JobStatsOut, stats.JOB_STATS),
        *((JobDefinition, example["value"]) for example in examples.DEFINITIONS.values()),
        *((PreviewRequest, example["value"]) for example in schedules.PREVIEW_REQUESTS.values()),
    ],
)
def test_examples_have_the_fields_of_their_models(model: type[BaseModel], example: dict[str, Any]) -> None:
    read = model.model_validate(example)

    if not issubclass(model, JobDefinition | PreviewRequest):
        assert example.keys() == read.model_dump().keys()


@SHARED
@SHARED_ON_SQLITE
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_pages_refer_to_no_other_host(client: httpx2.AsyncClient, page: str) -> None:
    html = (await client.get(page)).text
    referred = re.findall(r'(?:src|href|spec-url)="([^"]*)"', html)

    assert "//" not in html
    assert len(referred) >= 3
    for path in referred:
        if path != "data:,":
            assert (await client.get(f"/{path}")).status_code == 200


@SHARED
@SHARED_ON_SQLITE
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_pages_forbid_loading_from_other_hosts(client: httpx2.AsyncClient, page: str) -> None:
    answer = await client.get(page)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert "<script>" not in answer.text


@pytest.mark.parametrize("file", PUBLISHED)
def test_vendored_files_are_as_published_with_licences(file: str) -> None:
    path = STATIC / file

    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLISHED[file]
    assert (path.parent / "LICENSE").stat().st_size > 1000


@SHARED
@SHARED_ON_SQLITE
async def test_root_redirects_browsers_and_lists_links_for_programs(client: httpx2.AsyncClient) -> None:
    person = await client.get("/", headers={"Accept": "text/html,*/*"})
    program = await client.get("/")

    assert (person.status_code, person.headers["Location"]) == (307, "docs")
    links = {name: value for name, value in program.json().items() if str(value).startswith("/")}
    assert links.keys() == {"documentation", "description", "health", "jobs"}
    for path in links.values():
        assert (await client.get(path)).status_code == 200


@SHARED
@SHARED_ON_SQLITE
async def test_openapi_json_is_the_description_of_the_app(app: FastAPI, client: httpx2.AsyncClient) -> None:
    answer = await client.get("/openapi.json")

    assert answer.json() == app.openapi()
    assert answer.json()["info"]["title"] == "Scheduler Service"
