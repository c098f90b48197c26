"""A quick route reads what it knows, and refuses to be built for anything else."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Body, Depends, Header, Path, Query, Request, Response
from fastapi.dependencies.utils import get_dependant
from pydantic import BaseModel

from scheduler_service.http.auth import CurrentCaller
from scheduler_service.http.quick_route import UnreadableError, readers_of
from scheduler_service.http.route import JsonRequest


class Wanted(BaseModel):
    size: int = 10
    names: list[str] = []


async def service_of(request: Request) -> str:
    return request.url.path


async def page_of(size: int = 1) -> int:
    return size


async def endpoint(
    wanted: Annotated[Wanted, Query()],
    service: Annotated[str, Depends(service_of)],
    caller: CurrentCaller,
    request: Request,
    key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Response:
    return Response()


async def with_body(document: Annotated[dict[str, int], Body()]) -> Response:
    return Response()


async def with_path(number: Annotated[int, Path()]) -> Response:
    return Response()


async def with_page(page: Annotated[int, Depends(page_of)]) -> Response:
    return Response()


async def with_number(size: int = 1) -> Response:
    return Response()


def request(query: str = "", body: bytes = b"", **headers: str) -> JsonRequest:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 80),
        "state": {"caller": "somebody"},
    }
    return JsonRequest(scope, receive)


async def test_arguments_are_read() -> None:
    readers = readers_of(get_dependant(path="/things", call=endpoint))

    asked = request("size=20&names=a&names=b")
    arguments = {name: await read(asked) for name, read in readers.items()}

    wanted = Wanted(size=20, names=["a", "b"])
    assert arguments == {
        "wanted": wanted, "service": "/things", "caller": "somebody", "request": asked, "key": None,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "asked"), [("wanted", request("size=many")), ("key", request(idempotency_key="k"))])
async def test_other_requests_are_left_to_fastapi(name: str, asked: JsonRequest) -> None:
    read = readers_of(get_dependant(path="/things", call=endpoint))[name]

    with pytest.raises(UnreadableError):
        await read(asked)


async def test_body_is_read_if_it_is_an_object_of_json() -> None:
    read = readers_of(get_dependant(path="/things", call=with_body))["document"]

    assert await read(request(body=b'{"a": 1}', content_type="application/json")) == {"a": 1}
    for body, kind in ((b"[1]", "application/json"), (b"", "application/json"), (b'{"a": 1}', "application/x+json")):
        with pytest.raises(UnreadableError):
            await read(request(body=body, content_type=kind))


@pytest.mark.parametrize("call", [with_path, with_page, with_number])
def test_endpoint_that_cannot_be_read_is_refused(call: object) -> None:
    with pytest.raises(TypeError):
        readers_of(get_dependant(path="/things/{number}", call=call))  # type: ignore[arg-type]
