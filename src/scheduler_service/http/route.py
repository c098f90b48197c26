"""Route classes that check the caller, the query and the body before the endpoint is called."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any, Protocol, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from scheduler_service.errors import FieldProblem, ForbiddenError, InvalidInputError
from scheduler_service.http import error_responses
from scheduler_service.http.auth import authenticate
from scheduler_service.http.held_stream import hold
from scheduler_service.http.problems import MAX_VALUE_CHARACTERS
from scheduler_service.http.request_gate import RequestGate
from scheduler_service.services.audit import Refusal

JSON = "application/json"
# If one of these headers occurs twice, the server would have to guess which value counts.
SINGLE_HEADERS = ("Idempotency-Key", "Last-Event-ID")
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_EMPTY = (b"", b"{}")
_UTF_8 = ("utf-8", "utf8")
_AS_IT_IS = "identity"
_REPEATED = "given more than once; keep one"
# nginx's code for logs and metrics. The client has disconnected and does not get it.
CLIENT_CLOSED_REQUEST = 499


class PublicRoute(APIRoute):
    """A route without authentication. It refuses query parameters that the endpoint does not declare."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint's handler with the checks in front of it."""
        handle = self.handler()
        repeatable = lists_of(parameter.field_info.annotation for parameter in self.dependant.query_params)

        async def receive(request: Request) -> Response:
            await self.admit(request)
            _refuse_methods_of_siblings(request)
            _refuse_repeated_headers(request)
            _refuse_other_encodings(request)
            _refuse_repeated_parameters(request, repeatable)
            if not self.dependant.query_params:
                _refuse_parameters(request)
            request = JsonRequest(request.scope, request.receive)
            try:
                await self._look_at_body(request)
            except ClientDisconnect:
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            gate: RequestGate = request.app.state.gate
            with gate.working():
                response = await handle(request)
            return _with_line_end(response)

        return receive

    def handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what reads the arguments of the endpoint and calls it."""
        return super().get_route_handler()

    async def admit(self, request: Request) -> None:
        """Accept every caller."""

    async def _look_at_body(self, request: JsonRequest) -> None:
        is_optional = self.body_field is not None and not self.body_field.field_info.is_required()
        if is_optional and b"".join((await request.body()).split()) in _EMPTY:
            request.is_empty = True  # whatever its media type: curl -d '{}' sends that of a form
        if self.body_field is not None and await request.body():
            _refuse_other_media_types(request)
        if (
            self.body_field is None
            and request.method == "POST"
            and b"".join((await request.body()).split()) not in _EMPTY
        ):
            raise InvalidInputError(FieldProblem("body", "this request must not have a body; send none, or {}"))


class ProbeRoute(PublicRoute):
    """A public GET route whose endpoint takes the request and returns the response.

    Probes arrive all the time, so that FastAPI resolves no dependencies for them. The endpoint's return annotation is
    `Response`; its decorator names the model of the answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself with the checks of a request without parameters in front of it."""

        async def receive(request: Request) -> Response:
            _refuse_repeated_headers(request)
            if request.scope["query_string"]:
                _refuse_other_encodings(request)
                _refuse_repeated_parameters(request)
                _refuse_parameters(request)
            response: Response = await self.endpoint(request)
            return response

        return receive


class RefusalLog(Protocol):
    """Stores refused attempts."""

    async def note(self, refusal: Refusal) -> None:
        """Store an attempt."""
        ...


class KeyedRoute(PublicRoute):
    """A route for callers with a key. Nothing of an unauthenticated request is read, not even its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint's handler, which also notes refused attempts."""
        receive = super().get_route_handler()

        async def receive_noting_refusals(request: Request) -> Response:
            try:
                return hold(request, await receive(request))
            except (HTTPException, ForbiddenError) as error:
                status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.FORBIDDEN
                if status in _REFUSALS:
                    await self._note_refusal(request, status)
                raise

        return receive_noting_refusals

    async def _note_refusal(self, request: Request, status: int) -> None:
        refusals: RefusalLog = request.app.state.refusals
        refusal = Refusal(
            operation=self.operation_id or self.name,
            path=request.url.path,
            status=status,
            address=request.app.state.gate.address_of(request),
            caller=getattr(request.state, "caller", None),
        )
        await refusals.note(refusal)

    async def admit(self, request: Request) -> None:
        """Accept callers with a valid key."""
        await authenticate(request)


class SecretBodyRoute(KeyedRoute):
    """A route whose body is a secret, so that errors must not show what was sent."""

    async def admit(self, request: Request) -> None:
        """Accept callers with a valid key, and hide the body from errors."""
        request.state.is_body_secret = True
        await super().admit(request)


class JsonRequest(Request):
    """A request with a JSON body in UTF-8. Invalid JSON raises an error with its position.

    `is_empty` says that its body counts as none.
    """

    is_empty = False

    async def body(self) -> bytes:
        """Return the body as it came."""
        return b"" if self.is_empty else await super().body()

    async def json(self) -> Any:
        """Return the parsed body.

        NaN and lone surrogates are accepted here, so that validation can name their field.
        """
        try:
            body = json.loads((await self.body()).decode("utf-8-sig"), object_pairs_hook=_members)
        except json.JSONDecodeError as error:
            raise error_responses.malformed(f"the body is not valid JSON: {error}") from None
        except UnicodeDecodeError as error:
            raise error_responses.malformed(
                f"the body is not valid UTF-8: {error.reason} at byte {error.start}"
            ) from None
        except RecursionError:
            raise error_responses.malformed("the body is nested too deeply") from None
        except ValueError:  # Python refuses integers of more than 4300 digits
            raise error_responses.malformed("the body contains a number with too many digits") from None
        # Kept for error responses, which show values as sent.
        self.state.body = body
        return body


def json_response(document: object, status_code: int = 200) -> Response:
    """Return a response of a JSON document, which may contain models. It is serialised once, straight to bytes."""
    return Response(to_json(document) + b"\n", status_code, media_type=JSON)


def _with_line_end(response: Response) -> Response:
    """Append a newline to a JSON response, so that a shell prompt starts on its own line."""
    is_stream = isinstance(response, StreamingResponse)  # streams end with a newline already
    if response.media_type == JSON and not is_stream and response.body and bytes(response.body[-1:]) != b"\n":
        response.body = bytes(response.body) + b"\n"
        response.headers["Content-Length"] = str(len(response.body))
    return response


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise error_responses.malformed(
            f"the name {name[:MAX_VALUE_CHARACTERS]!r} appears twice in one object; remove one"
        )
    return members


def _refuse_methods_of_siblings(request: Request) -> None:
    """Raise 405 if the path is fixed and has other methods: `PUT /alerts/preview` is not about an alert `preview`."""
    methods = request.app.state.fixed_paths.get(request.url.path) if request.path_params else None
    if methods is not None and request.method not in methods:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(methods))})


def _refuse_repeated_headers(request: Request) -> None:
    repeated = [name for name in SINGLE_HEADERS if len(request.headers.getlist(name)) > 1]
    if repeated:
        raise InvalidInputError(*(FieldProblem(name, _REPEATED) for name in repeated))


def _refuse_other_encodings(request: Request) -> None:
    # Starlette would replace invalid bytes with U+FFFD.
    for part in request.scope["query_string"].split(b"&"):
        name = unquote_to_bytes(part.partition(b"=")[0])
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            remedy = "not valid UTF-8; write each byte of the character's UTF-8 as %XX"
            raise InvalidInputError(FieldProblem(name.decode(errors="replace"), remedy)) from None


def lists_of(models: Iterable[Any]) -> frozenset[str]:
    """Return the names of the parameters that are lists. All parameters of an endpoint are fields of one model."""
    return frozenset(
        name
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is list
    )


def _refuse_repeated_parameters(request: Request, repeatable: frozenset[str] = frozenset()) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items() if name not in repeatable)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise InvalidInputError(*(FieldProblem(name, _REPEATED) for name in repeated))


def _refuse_parameters(request: Request) -> None:
    if request.query_params:
        problems = [
            FieldProblem(name, "unknown query parameter; this request takes none") for name in request.query_params
        ]
        raise InvalidInputError(*problems)


def _refuse_other_media_types(request: Request) -> None:
    if request.headers.get("content-encoding", _AS_IT_IS).strip().lower() != _AS_IT_IS:
        raise error_responses.unsupported_coding()
    media_type, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if media_type != JSON and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise error_responses.unsupported_media_type(JSON)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in _UTF_8:
            raise error_responses.unsupported_charset()
