"""Promises of the service, and whether it kept them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, whether it was kept, and what was counted to find out."""

    text: str
    kept: bool
    counted: str
