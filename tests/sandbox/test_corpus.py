"""Attacks that must fail and uses that must work, in every setting and at every level that this machine has."""

from __future__ import annotations

import json
import os

import pytest
from tests.sandbox.campaign import load_corpus
from tests.sandbox.conftest import EVERYTHING, run_campaign
from tests.sandbox.expectations import applies, deviations
from tests.sandbox.settings import DOCKER, ROOT, USER

CORPUS = {entry["id"]: entry for entry in load_corpus()}
MUST_FAIL_BARE = 105
CAMPAIGNS = [
    (ROOT, "strict"),
    (ROOT, "standard"),
    (USER, "strict"),
    (USER, "standard"),
    (DOCKER, "standard"),
]
WEAKENINGS = {
    (ROOT, "strict"): [
        ("pid_namespace", ["other-processes-listed"]),
        ("mount_namespace", ["secret-file-stat"]),
        ("ipc_namespace", ["shared-memory-segment"]),
        ("network_namespace", ["interfaces-listed"]),
        ("own_user", ["not-root"]),
        ("landlock socket_broker", ["networked-other-port"]),
        ("seccomp", ["user-namespace"]),
        ("capabilities", ["capabilities"]),
        ("no_new_privileges", ["no-new-privileges"]),
        ("resource_limits", ["memory-caught"]),
        ("watch", ["memory-shared-mapping"]),
        ("descriptors", ["descriptors-inherited"]),
    ],
    (USER, "strict"): [
        ("network_namespace", ["interfaces-listed"]),
        ("seccomp", ["limits-of-parent", "io-ring", "socket-buffer-raised", "socket-filter", "asynchronous-io"]),
        ("resource_limits", ["threads-to-the-limit", "vforks-beyond-the-limit", "timers-without-end"]),
        (
            "watch",
            [
                "memory-shared-with-ended-child",
                "memory-of-unreadable-program",
                "memory-without-first-thread",
                "memory-in-detached-segments",
                "memory-in-message-queues",
                "memory-in-semaphores",
                "memory-in-sockets",
                "memory-in-sockets-of-children",
                "memory-in-pipes",
                "memory-in-epoll",
                "memory-in-page-tables",
                "processor-time-of-ignored-children",
            ],
        ),
    ],
    (USER, "standard"): [
        (
            "landlock",
            [
                "secret-file",
                "own-file-settings",
                "own-file-key-through-link",
                "own-file-new-journal",
                "own-directory-listed",
                "shared-memory-listed",
                "shared-memory-of-others-read",
            ],
        ),
        (
            "seccomp",
            [
                "affinity-of-service",
                "disk-preallocated",
                "disk-of-undumpable",
                "watch-parent-directory",
                "watch-shared-memory",
            ],
        ),
        (
            "watch",
            [
                "disk-many-files",
                "disk-unlinked",
                "disk-nameless",
                "disk-unlinked-by-child",
                "disk-unlinked-renamed-over",
                "disk-mapped",
                "disk-in-flight",
                "disk-in-flight-nested",
                "disk-in-closed-directory",
                "disk-in-closed-tree",
                "disk-in-deep-tree",
                "disk-of-unreadable-program",
                "shared-memory-too-large",
                "shared-memory-unlinked",
                "shared-memory-only-mapped",
                "threads-beyond-the-limit",
                "vforks-beyond-the-limit",
            ],
        ),
        ("resource_limits", ["descriptors"]),
    ],
}
"""In a setting at a level: layers that are left out together, and the entries that must notice."""


def test_corpus_is_large() -> None:
    kinds = [entry["file"] for entry in CORPUS.values()]
    assert len(kinds) == len(load_corpus())
    assert kinds.count("attacks") >= 120
    assert kinds.count("uses") >= 30
    assert kinds.count("grants") >= 100


@pytest.mark.long
@pytest.mark.parametrize(("setting", "level"), CAMPAIGNS)
def test_entry_holds(setting: str, level: str) -> None:
    skip_unless_possible(setting)
    found, *_ = run_campaign(setting, level, EVERYTHING)
    applying = [entry for entry in CORPUS.values() if applies(entry, setting, level)]
    failing = {entry["id"]: why for entry in applying if (why := deviations(entry, found))}
    assert failing == {}, json.dumps(failing, indent=2)


@pytest.mark.long
@pytest.mark.parametrize(("setting", "level"), [(ROOT, "strict"), (USER, "standard")])
def test_attack_succeeds_when_its_guard_is_left_out(setting: str, level: str) -> None:
    skip_unless_possible(setting)
    guarded: dict[str, list[str]] = {}
    for entry in CORPUS.values():
        layer, *levels = entry.get("guard", "").split() or [""]
        if layer and level in (levels or [level]):
            guarded.setdefault(layer, []).append(entry["id"])
    found = run_campaign(setting, level, *(([layer], ids) for layer, ids in guarded.items()))
    parts = zip(guarded.values(), found, strict=True)
    assert [name for ids, part in parts for name in ids if deviations(CORPUS[name], part) == []] == []


@pytest.mark.long
def test_entries_fail_when_there_is_no_sandbox() -> None:
    bare = [entry for entry in CORPUS.values() if entry.get("bare")]
    found, *_ = run_campaign(USER, "none", ((), [entry["id"] for entry in bare]))
    failing = [entry["id"] for entry in bare if deviations(entry, found)]
    assert len(failing) >= MUST_FAIL_BARE, f"only these fail: {failing}"


@pytest.mark.parametrize(("setting", "level"), WEAKENINGS)
def test_entries_fail_when_a_layer_is_left_out(setting: str, level: str) -> None:
    skip_unless_possible(setting)
    weakenings = WEAKENINGS[setting, level]
    found = run_campaign(setting, level, *((layers.split(), entries) for layers, entries in weakenings))
    assert [
        (layer, entry)
        for (layer, entries), part in zip(weakenings, found, strict=True)
        for entry in entries
        if deviations(CORPUS[entry], part) == []
    ] == [], "these entries do not notice that the layer is missing"


def skip_unless_possible(setting: str) -> None:
    if setting == ROOT and os.geteuid() != 0:
        pytest.skip("the setting of root needs root")
