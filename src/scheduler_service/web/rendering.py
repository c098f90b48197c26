"""Renders templates. Undefined names fail, and every value is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.version import version
from scheduler_service.web import drawing
from scheduler_service.web.assets import hashed_name
from scheduler_service.web.guides import with_links
from scheduler_service.web.labels import as_advice, label_of, label_of_change, value_of_change, words_of_operation
from scheduler_service.web.texts import load_texts, text
from scheduler_service.web.views import words
from scheduler_service.web.views.status import status_of_job, status_of_run

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: Any) -> str:
    """Return a page as HTML."""
    return environment().get_template(f"pages/{template}").render(**context)


@cache
def environment() -> Environment:
    """Return the environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "t": text,
        "asset": _asset_url,
        "version": version(),
        "run_status": status_of_run,
        "job_status": status_of_job,
        "draw_cell": drawing.draw_cell,
        "draw_strip": drawing.draw_strip,
        "draw_time": drawing.draw_time,
        "words_of": drawing.words_of,
        "change_value": value_of_change,
    }
    # There are few icons, glyphs and states, and many of each on a page.
    for template, macro in (("icons", "icon"), ("glyphs", "glyph"), ("states", "status"), ("states", "pill")):
        made.globals[macro] = cache(getattr(made.get_template(f"parts/{template}.html").module, f"draw_{macro}"))
    made.filters |= {
        "iso": iso8601,
        "duration": words.duration,
        "size": words.size,
        "grouped": words.grouped,
        "as_json": words.as_json,
        "kind_name": _kind_name,
        "advice": as_advice,
        "label": label_of,
        "change_label": label_of_change,
        "operation": words_of_operation,
        "guided": with_links,
    }
    return made


def _kind_name(kind: str) -> str:
    """Return what people call a kind of payload; a kind of a plug-in has no other name."""
    name = f"payload.{kind}"
    return text(name) if name in load_texts() else kind


def _asset_url(name: str) -> str:
    return f"/ui/static/{hashed_name(name)}"
