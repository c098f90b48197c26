"""Text that every database can keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def fault_of_text(text: str) -> str | None:
    """Return why a text cannot be stored; None if it can."""
    if "\0" in text:
        return "a NUL character cannot be stored; remove it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a lone surrogate is no character and has no UTF-8; remove it"
    return None


def _storable(text: str) -> str:
    if fault := fault_of_text(text):
        raise ValueError(fault)
    return text


Storable = AfterValidator(_storable)
"""For the fields of models, behind constraints: pydantic applies those that follow a validator in another order."""

Text = Annotated[str, Storable]
"""Text without NUL, which PostgreSQL cannot keep, and without lone surrogates, which JSON can spell."""
