"""An event stream that counts as open while it is sent, and ends soon after its key has become invalid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from scheduler_service.domain.caller import Caller
from scheduler_service.http.auth import API_KEY_CALLER, KeyCheck
from scheduler_service.http.request_gate import RequestGate

EVENT_STREAM = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
"""How often a stream without events sends something: below the minute after which proxies close silent connections."""
CHECK_SECONDS = 2.0
"""How often the key of a stream is checked. A process relies on what it has read of a key for 2 s, too."""


def event_stream(parts: AsyncIterator[bytes]) -> StreamingResponse:
    """Return a stream of events, which nginx would otherwise buffer."""
    return StreamingResponse(parts, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


def hold(request: Request, response: Response) -> Response:
    """Return an event stream as a `HeldStream`, and any other response as it is. Raise 429 if there are too many."""
    if not isinstance(response, StreamingResponse) or response.media_type != EVENT_STREAM:
        return response
    caller: Caller = request.state.caller
    keys: KeyCheck = request.app.state.keys
    gate: RequestGate = request.app.state.gate

    async def is_still_valid() -> bool:
        is_stored = caller.key_id not in {None, API_KEY_CALLER.key_id}
        return not is_stored or await keys.caller_with_id(caller.key_id or "") is not None

    held = ExitStack()
    held.enter_context(gate.streaming(caller))
    return HeldStream(response, held, is_still_valid)


class HeldStream(Response):
    """Sends a response, and calls `held.close()` when its end has come."""

    def __init__(self, response: Response, held: ExitStack, is_still_valid: Callable[[], Awaitable[bool]]) -> None:
        self._response = response
        self._held = held
        self._is_still_valid = is_still_valid
        self.status_code = response.status_code
        self.media_type = response.media_type
        self.raw_headers = response.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until its end, or until its key is not valid any more."""
        with self._held:
            sending = asyncio.ensure_future(self._response(scope, receive, send))
            try:
                while not (await asyncio.wait({sending}, timeout=CHECK_SECONDS))[0]:
                    if not await self._is_still_valid():
                        break
                else:
                    await sending
                    return
            finally:
                await _ended(sending)
            await send({"type": "http.response.body", "body": b""})


async def _ended(sending: asyncio.Future[None]) -> None:
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
