"""A route that reads the arguments of its endpoint itself.

Theory of operation. FastAPI resolves dependencies and looks at each field of a query model again for every request,
which takes an eighth of the time of a list. A quick route knows where each argument comes from when it is built. A
request that it cannot read, such as an invalid one, goes to FastAPI's handler, so that refusals are the same on every
route. The documentation is FastAPI's too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ValidationError

from scheduler_service.http.auth import current_caller
from scheduler_service.http.route import JSON, JsonRequest, KeyedRoute, lists_of

Reader = Callable[[JsonRequest], Awaitable[Any]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class UnreadableError(Exception):
    """FastAPI has to read this request."""


class QuickRoute(KeyedRoute):
    """A route whose endpoint returns a response.

    Its arguments are the request, the caller, dependencies of the request alone, one model of the query, one JSON
    object as the body, and headers that most requests leave out.
    """

    def handler(self) -> Handler:
        """Return the endpoint with its readers in front of it."""
        handle_by_fastapi = super().handler()
        readers = readers_of(self.dependant)

        async def handle(request: Request) -> Response:
            assert isinstance(request, JsonRequest)  # noqa: S101 (made by the route)
            try:
                arguments = {name: await read(request) for name, read in readers.items()}
            except UnreadableError:
                return await handle_by_fastapi(request)
            response: Response = await self.endpoint(**arguments)
            return response

        return handle


def readers_of(dependant: Dependant) -> dict[str, Reader]:
    """Return how to read each argument of an endpoint. Raise `TypeError` for one that a quick route cannot read."""
    readers: dict[str, Reader] = {each.name: _of_dependency(each) for each in dependant.dependencies if each.name}
    if dependant.request_param_name:
        readers[dependant.request_param_name] = _request
    for parameter in dependant.query_params:
        readers[parameter.name] = _of_query(parameter.field_info.annotation)
    for parameter in dependant.header_params:
        readers[parameter.name] = _of_header(parameter.alias, parameter.default)
    for parameter in dependant.body_params:
        readers[parameter.name] = _json_object
    if dependant.path_params or dependant.cookie_params or dependant.response_param_name:
        raise TypeError("a quick route reads no path, no cookies, and no response")
    return readers


def _of_dependency(dependency: Dependant) -> Reader:
    if dependency.call is current_caller:
        return _caller
    parts = (dependency.dependencies, dependency.query_params, dependency.header_params, dependency.body_params)
    if any(parts) or dependency.call is None:
        raise TypeError(f"a quick route cannot call {dependency.call}, which needs more than the request")
    call = dependency.call

    async def read(request: JsonRequest) -> Any:
        return await call(request)

    return read


def _of_query(model: Any) -> Reader:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError("a quick route reads its query into one model")
    lists = lists_of([model])

    async def read(request: JsonRequest) -> BaseModel:
        given = request.query_params
        values = {name: given.getlist(name) if name in lists else given[name] for name in given}
        try:
            return model.model_validate(values)
        except ValidationError:
            raise UnreadableError from None

    return read


def _of_header(name: str, default: object) -> Reader:
    async def read(request: JsonRequest) -> object:
        if name in request.headers:
            raise UnreadableError
        return default

    return read


async def _request(request: JsonRequest) -> JsonRequest:
    return request


async def _caller(request: JsonRequest) -> Any:
    return request.state.caller


async def _json_object(request: JsonRequest) -> dict[str, Any]:
    if request.headers.get("content-type") != JSON or not await request.body():
        raise UnreadableError
    body = await request.json()
    if not isinstance(body, dict):
        raise UnreadableError
    return body
