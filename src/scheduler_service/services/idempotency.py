"""Executes a request with an `Idempotency-Key` once, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller
from scheduler_service.domain.records import Job, Run
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError
from scheduler_service.storage import idempotency
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.dialect import is_unique_violation
from scheduler_service.storage.idempotency import IdempotencyKey

Resource = TypeVar("Resource", Job, Run)


@dataclass(frozen=True, slots=True)
class Action(Generic[Resource]):
    """The effect of a request: `create` stores a resource, `find` loads it for a repeated request."""

    create: Callable[[AsyncConnection], Awaitable[Resource]]
    find: Callable[[AsyncConnection, int], Awaitable[Resource | None]]


def key_for(caller: Caller, call: str, key: str | None, content: str) -> IdempotencyKey | None:
    """Return the key of a request, or None if the client sent none. Different owners may use the same key.

    `call` is a method and a path without spaces, so the text before it can only be the owner.
    """
    if key is None:
        return None
    scope = call if caller.owner_id is None else f"{caller.owner_id} {call}"
    return IdempotencyKey(scope, key, hashlib.sha256(content.encode()).hexdigest())


async def perform(
    database: Database, clock: Clock, key: IdempotencyKey | None, action: Action[Resource]
) -> tuple[Resource, bool]:
    """Execute an action, or return the result of an earlier request with the same key.

    The second value is True if the action was executed now. Key and resource are stored in one transaction, so of two
    concurrent requests one wins and the other returns its result. Raise `InvalidInputError` if the key was used with
    other content.
    """
    if key is None:
        async with database.write() as connection:
            return await action.create(connection), True
    try:
        async with database.write() as connection:
            if (earlier := await _earlier(connection, key, action)) is not None:
                return earlier, False
            made = await action.create(connection)
            await idempotency.add(connection, key, made.id, clock.now())
            return made, True
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
    async with database.read() as connection:
        earlier = await _earlier(connection, key, action)
    if earlier is None:
        raise ConflictError("a request with this Idempotency-Key is still in progress; try again")
    return earlier, False


async def _earlier(connection: AsyncConnection, key: IdempotencyKey, action: Action[Resource]) -> Resource | None:
    found = await idempotency.find(connection, key)
    if found is None:
        return None
    fingerprint, resource_id = found
    if fingerprint != key.fingerprint:
        message = "this key came with another request before; use a new key for a new request"
        raise InvalidInputError(FieldProblem("Idempotency-Key", message, key.key))
    resource = await action.find(connection, resource_id)
    if resource is None:
        raise ConflictError("the result of the request with this Idempotency-Key was deleted; use a new key")
    return resource
