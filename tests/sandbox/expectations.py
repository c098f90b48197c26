"""The expectations of corpus entries, and their comparison with the results of a campaign."""

from __future__ import annotations

import platform
from typing import Any

from tests.sandbox.settings import DOCKER


def applies(entry: dict[str, Any], setting: str, level: str) -> bool:
    """Return whether the entry must hold in this setting at this level."""
    if level not in entry.get("levels", [level]):
        return False
    if setting == DOCKER and needs_broker(entry):
        return False  # its filter refuses pidfd_getfd, without which sockets cannot be brokered
    if entry.get("settings") == ["x86"]:
        return platform.machine() == "x86_64"
    shares_user = level == "standard" and setting != "root"
    return not (shares_user and entry.get("unless") == "standard-user")


def needs_broker(entry: dict[str, Any]) -> bool:
    """Return whether the entry needs sockets other than a connected pair."""
    uses = entry["file"] == "socket_uses" and not entry.get("paired")
    granted = entry.get("access", {}).keys() & {"connect", "sockets"}
    return bool(uses or granted or entry.get("network") or entry.get("unless") == "docker")


def deviations(entry: dict[str, Any], campaign: dict[str, Any]) -> list[str]:
    """Return how the result differs from the entry's expectations; nothing if it does not."""
    found, around, names = campaign["entries"][entry["id"]], campaign["around"], campaign["names"]
    if "error" in found:
        return [f"the sandbox failed: {found['error']}"]
    output = found["output"] + str(found["collected"])
    has, lacks = ([str(text).format_map(names) for text in entry.get(key, [])] for key in ("has", "lacks"))
    if "try" in entry:
        has, lacks = [*has, "HELD"], [*lacks, "BREACH"]
    wrong = [f"output lacks {text!r}" for text in has if text not in output]
    wrong += [f"output has {text!r}" for text in lacks if text in output]
    if found["end"] not in entry.get("end", ["exited"]):
        wrong.append(f"ended {found['end']}")
    if entry.get("message", "") not in (found["message"] or ""):
        wrong.append(f"the message lacks {entry['message']!r}")
    for name in ("exit_code", "signal"):
        if name in entry and entry[name] != found[name]:
            wrong.append(f"{name} is {found[name]}")
    if not (found["message"] or "").isprintable():
        wrong.append("the message is not printable")
    if found["seconds"] > entry.get("max_seconds", 60):
        wrong.append(f"took {found['seconds']:.1f} s")
    wrong += _wrong_collected(entry, found["collected"])
    checked = found["checks"] | {name: around[name] for name in entry.get("checks", []) if name in around}
    wrong += [f"{name} does not hold" for name, held in checked.items() if not held]
    return wrong and [*wrong, f"output: {output[:600]}", f"message: {found['message']}"]


def _wrong_collected(entry: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return how what a run left differs from the entry's expectations."""
    wrong = []
    if "artifacts" in entry:
        expected = entry["artifacts"]
        seen = {
            name: found["sizes"][name] if isinstance(expected.get(name), int) else text
            for name, text in found["artifacts"].items()
        }
        wrong += [f"the artifacts are {seen}"] if seen != expected else []
    wrong += [
        f"left out is {found['left_out']!r}" for text in entry.get("left_out", []) if text not in found["left_out"]
    ]
    wrong += [f"artifact {name} is not whole" for name in entry.get("whole", []) if name not in found["whole"]]
    if "result" in entry and entry["result"] != found["result"]:
        wrong.append(f"the result is {found['result']!r}")
    return wrong
