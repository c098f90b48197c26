"""The state of the service, and what is set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import SecretStr
from starlette.responses import Response

from scheduler_service.config.settings import Settings
from scheduler_service.config.web_address import without_passwords
from scheduler_service.domain.caller import Scope
from scheduler_service.features.ledger.reports import LedgerReportService
from scheduler_service.web.routes import Pages
from scheduler_service.web.visit import Visit

pages = Pages()
NAMED_FINDINGS = 10


@pages.get("/system")
async def show_system(visit: Visit) -> Response:
    """Show the health, the last check of the ledger, and to administrators the settings without secrets."""
    visit.caller.require(Scope.READ)
    now = datetime.now(UTC)
    check = await visit.feature(LedgerReportService).last(visit.caller)
    settings = tuple(_settings(visit.site.settings)) if visit.can(Scope.ADMIN) else ()
    return visit.show(
        "system.html",
        health=await visit.service.health.recent(),
        check=check,
        check_age=0.0 if check is None else max(0.0, (now - check.ended_at).total_seconds()),
        findings=() if check is None else check.findings[:NAMED_FINDINGS],
        is_checked=visit.site.settings.ledger_check_seconds > 0,
        settings=settings,
        is_distributed=visit.site.settings.is_distributed,
        refusal=visit.service.refusal(),
        flower=visit.site.flower_url,
    )


def _settings(settings: Settings) -> Iterator[tuple[str, str | None, str, bool]]:
    """Yield the variable, the value, the meaning of each setting, and whether it is set. A secret's value is None."""
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        variable = str(getattr(field.validation_alias, "choices", [name])[0])
        yield (
            variable,
            None if isinstance(value, SecretStr) else _shown(value),
            field.description or "",
            name in settings.model_fields_set,
        )


def _shown(value: object) -> str:
    """Return a value as it is written in the environment, without passwords."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return without_passwords(str(value)) if value not in (None, {}) else ""
