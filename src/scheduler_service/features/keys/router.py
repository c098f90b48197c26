"""The routes of API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Response, status

from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.keys import examples
from scheduler_service.features.keys.definition import KeyDefinition, Rotation
from scheduler_service.features.keys.schemas import KeyCreated, KeyList, KeyOut
from scheduler_service.features.keys.service import CreatedKey, KeyService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

KEYS = "/api/v1/keys"

router = APIRouter(prefix=KEYS, tags=["keys"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

Keys = Annotated[KeyService, Depends(provide(KeyService))]
KeyId = Annotated[str, Path(description="The `id` of the key.", max_length=32, examples=["4f1f2c9b7a10"])]
Definition = Annotated[
    KeyDefinition, Body(openapi_examples={"team": {"summary": "A team", "value": examples.DEFINITION}})
]

RotationBody = Annotated[
    Rotation | None, Body(openapi_examples={"day": {"summary": "A day", "value": {"overlap_seconds": 86_400}}})
]


@router.post(
    "",
    operation_id="createKey",
    summary="Create an API key",
    status_code=status.HTTP_201_CREATED,
    responses={201: answer("The key, with its secret.", examples.CREATED), **refusals(takes_body=True)},
)
async def create_key(definition: Definition, keys: Keys, caller: CurrentCaller, response: Response) -> KeyCreated:
    """Create a key. Its text is in this response only; the service stores a hash of it. Needs the scope `admin`."""
    created = await keys.create(caller, definition)
    return _show_new(created, response)


@router.get(
    "",
    operation_id="listKeys",
    summary="List API keys",
    responses={200: answer("The keys.", {"keys": [examples.KEY]}), **refusals()},
)
async def list_keys(keys: Keys, caller: CurrentCaller) -> KeyList:
    """List all keys without their secrets. Needs the scope `admin`."""
    now = datetime.now(UTC)
    return KeyList(keys=[KeyOut.of(key, now) for key in await keys.list_keys(caller)])


@router.get(
    "/{key_id}",
    operation_id="getKey",
    summary="Get an API key",
    responses={200: answer("The key.", examples.KEY), **refusals(NotFoundError)},
)
async def get_key(key_id: KeyId, keys: Keys, caller: CurrentCaller) -> KeyOut:
    """Get one key without its secret. Needs the scope `admin`."""
    return KeyOut.of(await keys.get(caller, key_id), datetime.now(UTC))


@router.post(
    "/{key_id}/rotate",
    operation_id="rotateKey",
    summary="Replace an API key",
    status_code=status.HTTP_201_CREATED,
    responses={
        201: answer("The new key, with its secret.", examples.CREATED),
        **refusals(NotFoundError, ConflictError, takes_body=True),
    },
)
async def rotate_key(
    key_id: KeyId, keys: Keys, caller: CurrentCaller, response: Response, rotation: RotationBody = None
) -> KeyCreated:
    """Create a key with the same rights. The old key works until `overlap_seconds` have passed."""
    created = await keys.rotate(caller, key_id, rotation or Rotation())
    return _show_new(created, response)


@router.delete(
    "/{key_id}",
    operation_id="revokeKey",
    summary="Revoke an API key",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError)},
)
async def revoke_key(key_id: KeyId, keys: Keys, caller: CurrentCaller) -> None:
    """Revoke a key for good. It stops working in every process within seconds. The list keeps it."""
    await keys.revoke(caller, key_id)


def _show_new(created: CreatedKey, response: Response) -> KeyCreated:
    response.headers["Location"] = f"{KEYS}/{created.key.public_id}"
    response.headers["Cache-Control"] = "no-store"
    return KeyCreated.of_new(created, datetime.now(UTC))
