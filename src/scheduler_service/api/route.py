"""How every request is received, before its endpoint: who calls, what is asked, and whether the body can be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from scheduler_service.api import errors
from scheduler_service.api.auth import authenticate
from scheduler_service.api.problems import LONGEST_VALUE
from scheduler_service.errors import FieldProblem, InvalidInputError

JSON = "application/json"
# nginx's own code, for the log and the metrics alone: nobody is there any more to read the answer.
CLIENT_CLOSED_REQUEST = 499


class PublicRoute(APIRoute):
    """A route that anybody may use. One that takes no query parameters refuses all; the others name theirs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put what comes before the endpoint in front of it."""
        handle = super().get_route_handler()

        async def receive(request: Request) -> Response:
            self.admit(request)
            _refuse_repeated_parameters(request)
            if not self.dependant.query_params:
                _refuse_parameters(request)
            request = JsonRequest(request.scope, request.receive)
            try:
                if self.body_field is not None and await request.body():
                    _refuse_other_media_types(request)
            except ClientDisconnect:
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            return _with_line_end(await handle(request))

        return receive

    def admit(self, request: Request) -> None:
        """Let everybody in."""


class KeyedRoute(PublicRoute):
    """A route for callers with a key. Nothing of what others send is looked at, not even its body."""

    def admit(self, request: Request) -> None:
        """Let callers in whose key is valid."""
        authenticate(request)


class JsonRequest(Request):
    """A request whose body is JSON in UTF-8. What cannot be read is answered as malformed, saying where."""

    async def json(self) -> Any:
        """Read the body; NaN and lone surrogates pass, so that validation can name the field that holds them."""
        try:
            return json.loads((await self.body()).decode("utf-8-sig"), object_pairs_hook=_members)
        except json.JSONDecodeError as error:
            raise errors.malformed(f"no valid JSON: {error}") from None
        except UnicodeDecodeError as error:
            raise errors.malformed(f"no valid UTF-8: {error.reason} at byte {error.start}") from None
        except RecursionError:
            raise errors.malformed("nested too deeply") from None
        except ValueError:  # Python reads no integer of more than 4300 digits, since that takes time
            raise errors.malformed("holds a number with too many digits") from None


def _with_line_end(response: Response) -> Response:
    """End a JSON answer as a line ends, so that in a terminal the prompt does not follow it on the same one."""
    if response.media_type == JSON and response.body:
        response.body = bytes(response.body) + b"\n"
        response.headers["Content-Length"] = str(len(response.body))
    return response


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise errors.malformed(f"the name {name[:LONGEST_VALUE]!r} stands twice in one object; keep one")
    return members


def _refuse_repeated_parameters(request: Request) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise InvalidInputError(*(FieldProblem(name, "given more than once; keep one") for name in repeated))


def _refuse_parameters(request: Request) -> None:
    if request.query_params:
        problems = [
            FieldProblem(name, "unknown query parameter; this call takes none") for name in request.query_params
        ]
        raise InvalidInputError(*problems)


def _refuse_other_media_types(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise errors.unsupported_media_type(JSON)
