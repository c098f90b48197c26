"""Renders templates. Undefined names fail, and every value is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.version import version
from scheduler_service.web.assets import hashed_name
from scheduler_service.web.texts import text
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
    }
    made.globals["icon"] = getattr(made.get_template("parts/icons.html").module, "icon")  # noqa: B009 (a macro)
    made.filters |= {
        "iso": iso8601,
        "duration": words.duration,
        "size": words.size,
        "grouped": words.grouped,
        "as_json": words.as_json,
    }
    return made


def _asset_url(name: str) -> str:
    return f"/ui/static/{hashed_name(name)}"
