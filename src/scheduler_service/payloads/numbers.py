"""Converts JSON numbers."""

from __future__ import annotations

from pydantic import BeforeValidator


def as_whole(value: object) -> object:
    """Return a float without a fraction as an int, and any other value unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(as_whole)
"""Annotation for integer fields, placed after their constraints.

JSON has one number type: 3, 3.0 and 30e-1 are equal.
"""
