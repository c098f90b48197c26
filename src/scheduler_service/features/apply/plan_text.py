"""Writes a plan as lines for people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from scheduler_service.console import render

_SIGNS = {"create": "+", "change": "~", "delete": "-"}
_COUNTED = (("create", "to create"), ("change", "to change"), ("delete", "to delete"), ("unchanged", "unchanged"))
_DONE = {"to create": "created", "to change": "changed", "to delete": "deleted"}


def show_plan(plan: Mapping[str, Any]) -> None:
    """Print each job that a plan creates, changes or deletes, field by field."""
    for item in plan["items"]:
        if item["action"] in _SIGNS:
            for line in _lines(item):
                render.line(line)


def show_counts(plan: Mapping[str, Any]) -> None:
    """Print how many jobs are created, changed, deleted and unchanged."""
    if plan["unchanged"] == len(plan["items"]):
        render.line(f"No changes: {plan['unchanged']} jobs are as the files say.")
        return
    counts = [f"{plan[name]} {_DONE.get(words, words) if plan['applied'] else words}" for name, words in _COUNTED]
    render.line(f"{'Applied' if plan['applied'] else 'Plan'}: {', '.join(counts)}.")


def _lines(item: Mapping[str, Any]) -> Iterator[str]:
    owner = f" of {item['owner_id']}" if item["owner_id"] else ""
    key = "" if item["external_key"] == item["name"] else f" ({item['external_key']})"
    yield f"{_SIGNS[item['action']]} {item['action']} {item['name']}{key}{owner}"
    for name, values in item["changes"].items():
        yield from _change(name, values["before"], values["after"])
    if item["fires_before"] or item["fires_after"]:
        yield f"    fires: {_instants(item['fires_before'])} -> {_instants(item['fires_after'])}"


def _change(name: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        differing = [each for each in dict.fromkeys([*before, *after]) if before.get(each) != after.get(each)]
        for each in differing:
            yield from _change(f"{name}.{each}", before.get(each), after.get(each))
        if not differing:
            yield f"    {name}: values differ that are not shown"
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield f"    {name}:"
        changed = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
        yield from (f"      {line}" for line in changed if not line.startswith(("---", "+++")))
    else:
        yield f"    {name}: {_value(before)} -> {_value(after)}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _instants(instants: list[str]) -> str:
    return ", ".join(map(render.instant, instants)) or "never"
