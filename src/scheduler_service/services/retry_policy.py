"""The retry policy as clients write it: a strict model of a dataclass that knows no pydantic."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails

from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.payloads.bounded import details_of, refusal
from scheduler_service.payloads.numbers import as_whole

_NUMBERS = tuple(field.name for field in fields(RetryPolicy))
_WHOLE = frozenset({"max_retries"})


def _is_of_numbers(policy: object, handler: ValidatorFunctionWrapHandler) -> object:
    # pydantic takes no JSON object for a dataclass that is strict.
    if not isinstance(policy, dict):
        return handler(policy)
    policy = {name: as_whole(value) if name in _WHOLE else value for name, value in policy.items()}
    wrong = [name for name in _NUMBERS if name in policy and not _is_number(policy, name)]
    details = [_no_number(name, policy[name]) for name in wrong]
    try:
        read = handler({name: value for name, value in policy.items() if name not in wrong})
    except ValidationError as error:
        details += details_of(error)
    if details:
        raise refusal("RetryPolicy", details)
    return read


def _is_number(policy: dict[str, object], name: str) -> bool:
    value = policy[name]
    return not isinstance(value, bool) and isinstance(value, int if name in _WHOLE else int | float)


def _no_number(name: str, value: object) -> InitErrorDetails:
    return InitErrorDetails(type="int_type" if name in _WHOLE else "float_type", loc=(name,), input=value)


WrittenRetryPolicy = Annotated[RetryPolicy, WrapValidator(_is_of_numbers)]
