"""The routes of secrets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response, status

from scheduler_service.domain.secrets import SECRET_NAME
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.secrets import examples
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.schemas import ReencryptionOut, SecretList, SecretOut
from scheduler_service.features.secrets.service import SecretService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import OwnerQuery
from scheduler_service.http.route import SecretBodyRoute
from scheduler_service.payloads.text_pattern import TextPattern

SECRETS = "/api/v1/secrets"

router = APIRouter(
    prefix=SECRETS, tags=["secrets"], route_class=SecretBodyRoute, dependencies=[Depends(current_caller)]
)

Secrets = Annotated[SecretService, Depends(provide(SecretService))]
Name = Annotated[
    str,
    TextPattern(SECRET_NAME.pattern, "1 to 64 letters, digits, underscores and hyphens that begin with a letter"),
    Path(description="The `name` of the secret.", examples=["warehouse-password"]),
]
OwnerId = Annotated[
    OwnerQuery | None,
    Query(description="Owner of the secret, for a key with the scope `admin`. Default: the owner of the key."),
]
Value = Annotated[SecretValue, Body(openapi_examples={"password": {"summary": "A password", "value": examples.VALUE}})]


@router.get(
    "",
    operation_id="listSecrets",
    summary="List secrets",
    responses={200: answer("The secrets, without their values.", {"secrets": [examples.SECRET]}), **refusals()},
)
async def list_secrets(secrets: Secrets, caller: CurrentCaller, owner_id: OwnerId = None) -> SecretList:
    """List the secrets of the key's owner, or of every owner for a key with the scope `admin`."""
    return SecretList(secrets=[SecretOut.of(secret) for secret in await secrets.list_secrets(caller, owner_id)])


@router.post(
    "/rotate-key",
    operation_id="rotateSecretsKey",
    summary="Encrypt all secrets with the newest key",
    responses={200: answer("What was done.", examples.REENCRYPTION), **refusals(ConflictError)},
)
async def rotate_key(secrets: Secrets, caller: CurrentCaller) -> ReencryptionOut:
    """Encrypt every secret with the first key of `SCHEDULER_SECRETS_KEY`. Needs the scope `admin`.

    Afterwards the other keys can be removed from the setting.
    """
    done = await secrets.rotate_key(caller)
    return ReencryptionOut(key_id=done.key_id, reencrypted=done.count)


@router.get(
    "/{name}",
    operation_id="getSecret",
    summary="Get a secret without its value",
    responses={200: answer("The secret, without its value.", examples.SECRET), **refusals(NotFoundError)},
)
async def get_secret(name: Name, secrets: Secrets, caller: CurrentCaller, owner_id: OwnerId = None) -> SecretOut:
    """Get what is known of a secret. No operation returns its value."""
    return SecretOut.of(await secrets.get(caller, owner_id, name))


@router.put(
    "/{name}",
    operation_id="putSecret",
    summary="Set a secret",
    status_code=status.HTTP_201_CREATED,
    response_model=SecretOut,
    responses={
        201: answer("The secret is new.", examples.NEW),
        204: {"description": "The secret has a new value."},
        **refusals(ConflictError, takes_body=True),
    },
)
async def put_secret(
    name: Name, value: Value, secrets: Secrets, caller: CurrentCaller, response: Response, owner_id: OwnerId = None
) -> SecretOut | Response:
    """Create a secret, or replace its value. Runs that begin afterwards get the new value."""
    created = await secrets.put(caller, owner_id, name, value)
    if created is None:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    response.headers["Location"] = f"{SECRETS}/{name}"
    return SecretOut.of(created)


@router.delete(
    "/{name}",
    operation_id="deleteSecret",
    summary="Delete a secret",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError)},
)
async def delete_secret(name: Name, secrets: Secrets, caller: CurrentCaller, owner_id: OwnerId = None) -> None:
    """Delete a secret. Later runs of jobs that use it fail with the reason `rejected`."""
    await secrets.delete(caller, owner_id, name)
