"""How a text is to be written, in a pattern for programs and in words for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class Spelling:
    """An annotation: the whole text matches `pattern`, and who writes another is told that it "must be `words`"."""

    pattern: str
    words: str

    def check(self, text: str) -> str:
        """Return the text back; raises `ValueError` where it is written otherwise."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"must be {self.words}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}
