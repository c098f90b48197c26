"""Payloads that send one HTTP request and check its response."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, ValidationInfo, field_validator

from scheduler_service.payloads import http_program
from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.command_text import Stdin
from scheduler_service.payloads.http_expectations import Expectations
from scheduler_service.payloads.http_headers import MAX_HEADERS, check_headers
from scheduler_service.payloads.http_program.target import Target
from scheduler_service.payloads.stored_json import faults_of_json
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.sandbox.contract.spec import PythonCode
from scheduler_service.version import version

FAILED = "failed: "
"""Begins the last line of the output of a request that failed."""
MAX_JSON_BYTES = 256 * 1024
_MODULES = ("failure", "target", "connection", "exchange", "expectations", "report", "main")
"""The modules of the program; each imports only from those before it."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _check_url(url: str) -> str:
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("must not contain spaces, line breaks or control characters; percent-encode them")
    try:
        target = Target.parse(url)
    except UnicodeError:
        raise ValueError("has a host name that cannot be encoded; correct it") from None
    if target.port == 0:
        raise ValueError("has port 0; write a port from 1 to 65535")
    return url


def _check_json(value: JsonValue) -> JsonValue:
    if (fault := next(faults_of_json(value), None)) is not None:
        raise ValueError(fault)
    if (size := len(json.dumps(value))) > MAX_JSON_BYTES:
        raise ValueError(f"takes {size} bytes, and the limit is {MAX_JSON_BYTES} (256 KiB); shorten it")
    return value


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class HttpRequestPayload(Payload):
    """One HTTP request, sent from the sandbox. The run succeeds if the response is as expected.

    The job needs `limits.network`, or a grant whose `connect` covers the server. The response is the run's `result`.
    """

    model_config = ConfigDict(
        title="HTTP request",
        strict=True,
        serialize_by_alias=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "http_request",
                    "method": "POST",
                    "url": "https://example.com/hooks/nightly",
                    "json": {"event": "nightly"},
                    "expect": {"status": 200, "json_path": {"$.ok": True}},
                }
            ]
        },
    )

    type: Annotated[Literal["http_request"], Field(description="Selects this kind of payload.")]
    method: Annotated[Method, BeforeValidator(_upper), Field(description="The method. Default `GET`.")] = "GET"
    url: Annotated[
        str,
        Field(max_length=8192, description="An absolute URL that begins with `http://` or `https://`."),
        AfterValidator(_check_url),
    ]
    headers: Annotated[
        dict[Annotated[str, Storable], Annotated[str, Storable]],
        Field(
            max_length=MAX_HEADERS,
            description="Up to 64 headers, 16 KiB together. `Host`, `Content-Length`, `Transfer-Encoding` and those "
            "about the connection are reserved. Default: none.",
        ),
        AfterValidator(check_headers),
    ] = Field(default_factory=dict)
    body: Annotated[
        Stdin | None, Field(description="The body as text, sent in UTF-8, at most 256 KiB. Instead of `json`.")
    ] = None
    json_: Annotated[
        JsonValue,
        Field(alias="json", description="The body as a JSON value, at most 256 KiB. Instead of `body`. Null: none."),
        AfterValidator(_check_json),
    ] = None
    expect: Annotated[Expectations, Field(description="What the response must be. Default: a status of 2xx.")] = (
        Expectations()
    )
    timeout_seconds: Annotated[
        float,
        Field(
            ge=0.1,
            le=3600,
            description="The whole request, redirects included, fails after this time. In seconds, 0.1 to 3,600 "
            "(1 hour). Default 30.",
        ),
    ] = 30
    follow_redirects: Annotated[
        bool,
        Field(
            description="Whether up to 5 redirects are followed. None is followed from https to http, and another "
            "server gets no header of the job. Default false."
        ),
    ] = False

    @field_validator("json_")
    @classmethod
    def _is_the_only_body(cls, value: JsonValue, info: ValidationInfo) -> JsonValue:
        if value is not None and info.data.get("body") is not None:
            raise ValueError("cannot be sent together with body; remove one of them")
        return value

    def command(self) -> PythonCode:
        """Return the program with its parameters."""
        parameters = self.model_dump(mode="json", include={"method", "url", "headers", "timeout_seconds"})
        parameters |= {
            "body": self.body if self.json_ is None else json.dumps(self.json_),
            "content_type": self._content_type(),
            "expect": self.expect.parameters(),
            "follow_redirects": self.follow_redirects,
            "user_agent": f"scheduler-service/{version()}",
        }
        call = f"main(json.loads({json.dumps(parameters)!r}))"
        return PythonCode(f"{_program()}\nimport json\nfrom {http_program.__name__}.main import main\n{call}\n")

    def failure(self, output: str) -> str | None:
        """Return why the request failed, from the last line of the output."""
        last = output.rstrip().rpartition("\n")[2]
        return last.removeprefix(FAILED) if last.startswith(FAILED) else None

    def _content_type(self) -> str | None:
        if self.json_ is not None:
            return "application/json"
        return None if self.body is None else "text/plain; charset=utf-8"


@cache
def _program() -> str:
    """Return code that loads the modules of the program from their sources, under their own names."""
    package = files(http_program)
    sources = {
        f"{http_program.__name__}.{name}": package.joinpath(f"{name}.py").read_text(encoding="utf-8")
        for name in _MODULES
    }
    return f"_sources = {sources!r}\n{_LOADER}"


# An import finds a module in `sys.modules` by its full name, and asks for no package around it.
_LOADER = """
import sys, types
for _name, _source in _sources.items():
    sys.modules[_name] = types.ModuleType(_name)
    exec(compile(_source, f"<{_name}>", "exec"), vars(sys.modules[_name]))
"""
