"""What the code of a job is given: variables and arguments, in a job and in a request to run it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints

from scheduler_service.payloads.stored_text import Storable, Text
from scheduler_service.services.arguments import check_values
from scheduler_service.services.variables import MAX_VARIABLES, check_name, check_number, check_sizes

Variable = Annotated[str, StringConstraints(max_length=128), Storable, AfterValidator(check_name)]
Variables = Annotated[
    dict[Variable, Annotated[str, StringConstraints(max_length=32_768), Storable]],
    Field(max_length=MAX_VARIABLES),
    AfterValidator(check_sizes),
    BeforeValidator(check_number),
]
Arguments = Annotated[dict[Text, JsonValue], BeforeValidator(check_values)]
