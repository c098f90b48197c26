"""Chooses a model by the value of one field, with errors that point at the wrong field.

pydantic's tagged unions add the tag to the location of an error (`payload.python_code.code`). The client did not write
that path; here it is `payload.code`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class Choice:
    """An annotation that validates a value with the model that its `field` names in `options()`.

    `options` is called at validation and schema time, not at import, because it may load plug-ins.
    """

    field: str
    options: Callable[[], Mapping[str, type[BaseModel]]]

    def validate(self, value: object, info: ValidationInfo) -> BaseModel:
        """Return the validated model. Raise `ValidationError` with a location relative to the value."""
        options = self.options()
        if isinstance(value, BaseModel) and isinstance(value, tuple(options.values())):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("object_type", "Input should be an object")
        if self.field not in value:
            raise self._error("missing", value)
        name = value[self.field]
        if not isinstance(name, str) or name not in options:
            raise self._error(_unknown(options), name)
        return options[name].model_validate(value, context=info.context)

    def json_schema(self, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return a schema with all options and `field` as the discriminator."""
        choices = {name: model.__pydantic_core_schema__ for name, model in self.options().items()}
        return handler(core_schema.tagged_union_schema(choices, self.field))

    def _error(self, kind: str | PydanticCustomError, value: object) -> ValidationError:
        return ValidationError.from_exception_data(
            "Choice", [InitErrorDetails(type=kind, loc=(self.field,), input=value)]
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Any: serialization must use the chosen model with all its fields, not the annotated base class.
        return core_schema.with_info_before_validator_function(self.validate, core_schema.any_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.json_schema(handler)


def _unknown(options: Mapping[str, object]) -> PydanticCustomError:
    known = ", ".join(sorted(options))
    return PydanticCustomError("unknown_option", "Input should be one of {known}", {"known": known})
