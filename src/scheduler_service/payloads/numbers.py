"""Numbers as JSON has them."""

from __future__ import annotations

from pydantic import BeforeValidator


def as_whole(value: object) -> object:
    """Return a float without fraction as an int; everything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(as_whole)
"""For fields of whole numbers, behind their constraints: JSON has one kind of number, and 3, 3.0 and 30e-1 are one."""
