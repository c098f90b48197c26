"""Text types for programs and their input that every database, pipe and file can store."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

MAX_BYTES = 256 * 1024


def _refuse_what_cannot_be_kept(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character can be neither stored nor passed on; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate is no character and has no UTF-8; remove it") from None
    return text


def _refuse_too_long(text: str) -> str:
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"has {size} bytes of UTF-8; at most {MAX_BYTES} (256 KiB) are accepted")
    return text


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing to run; write at least one line")
    return text


Text = Annotated[str, AfterValidator(_refuse_what_cannot_be_kept)]
"""Text without NUL (PostgreSQL and argv cannot store it) and without lone surrogates (JSON can contain them)."""

Stdin = Annotated[Text, AfterValidator(_refuse_too_long), Field(json_schema_extra={"maxLength": MAX_BYTES})]
"""Text of at most 256 KiB in UTF-8."""

Source = Annotated[Stdin, AfterValidator(_refuse_blank), Field(json_schema_extra={"minLength": 1})]
"""Program text: at most 256 KiB in UTF-8 and not blank."""
