"""What the campaign finds: promises, and whether they held."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise, whether it held, and what was counted."""

    promise: str
    held: bool
    counted: str
