"""The catalogue of texts: templates and pages name its texts, and it has no others."""

from __future__ import annotations

import re
from pathlib import Path

from scheduler_service import web
from scheduler_service.web.texts import load_texts, text

WEB = Path(web.__file__).parent
# In code and templates: t("jobs.title"), any other quoted name, and beginnings such as "status." ~ name.
_NAMED = re.compile(r'\b(?:t|text)\(\s*["\']([a-z0-9_.]+)["\']\s*[,)]')
_QUOTED = re.compile(r'["\']([a-z0-9_]+\.[a-z0-9_.]+)["\']')
_BEGUN = re.compile(r'["\']([a-z_]+\.(?:[a-z_]+[._])*)["\'{]')


def test_every_named_text_exists() -> None:
    assert {name for name in _find(_NAMED) if name not in load_texts()} == set()


def test_every_text_is_used() -> None:
    named, begun = _find(_QUOTED), _find(_BEGUN)
    assert {name for name in load_texts() if name not in named and not name.startswith(tuple(begun))} == set()


def test_count_selects_the_form() -> None:
    forms = {name for name, found in load_texts().items() if isinstance(found, dict)}
    assert all("{n}" in text(name, n=10_000).replace("10,000", "{n}") for name in forms)


def _find(pattern: re.Pattern[str]) -> set[str]:
    files = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    return {found for path in files for found in pattern.findall(path.read_text(encoding="utf-8"))}
