"""Text that every database can store."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def fault_of_text(text: str) -> str | None:
    """Return why a text cannot be stored, or None."""
    if "\0" in text:
        return "a NUL character cannot be stored; remove it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a lone surrogate cannot be encoded as UTF-8; remove it"
    return None


def _storable(text: str) -> str:
    if fault := fault_of_text(text):
        raise ValueError(fault)
    return text


Storable = AfterValidator(_storable)
"""Annotation for fields, placed after their constraints: pydantic reorders constraints that follow a validator."""

Text = Annotated[str, Storable]
"""Text without NUL (PostgreSQL cannot store it) and without lone surrogates (JSON can contain them)."""
