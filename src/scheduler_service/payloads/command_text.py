"""Text types for programs and their input that every database, pipe and file can store."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from scheduler_service.payloads.stored_text import Text

MAX_BYTES = 256 * 1024


def _refuse_too_long(text: str) -> str:
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"has {size} bytes of UTF-8, and the limit is {MAX_BYTES} (256 KiB); shorten it")
    return text


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty; write at least one line")
    return text


Stdin = Annotated[Text, AfterValidator(_refuse_too_long), Field(json_schema_extra={"maxLength": MAX_BYTES})]
"""Text of at most 256 KiB in UTF-8."""

Source = Annotated[Stdin, AfterValidator(_refuse_blank), Field(json_schema_extra={"minLength": 1})]
"""Program text: at most 256 KiB in UTF-8 and not blank."""
