"""Alert rules: who is told, about what, and whether it arrived."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.alerts.channels.registry import read_channel
from scheduler_service.features.alerts.rules import AlertKind
from scheduler_service.features.alerts.service import AlertService
from scheduler_service.web.forms import lines_of, sentences_of
from scheduler_service.web.lookups import find_job
from scheduler_service.web.queries import whole, whole_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()
KINDS = tuple(kind for kind in AlertKind if kind is not AlertKind.TEST)
CHANNELS = ("webhook", "slack", "email")
THRESHOLDS = ("late_seconds", "too_long_seconds", "failures", "window_seconds")


@pages.get("/alerts")
async def show_alerts(visit: Visit) -> Response:
    """List the rules, with a job in the address those that cover it."""
    service = visit.feature(AlertService)
    job = await find_job(visit, whole(visit.request.query_params, "job"))
    rules = [
        rule for rule in await service.list_rules(visit.caller) if job is None or rule.covers(job.id, job.owner_id)
    ]
    ids = sorted({rule.job_id for rule in rules if rule.job_id is not None})
    names = await visit.service.listing.names(visit.caller, ids) if ids else {}
    return visit.show("alerts.html", rows=[(rule, service.warnings(rule)) for rule in rules], job=job, names=names)


@pages.get("/alerts/new")
async def ask_for_rule(visit: Visit) -> Response:
    """Show the form of a rule."""
    visit.caller.require(Scope.WRITE)
    return await _form(visit, {"on": ["failure"], "job_id": visit.query.get("job", "")})


@pages.post("/alerts/new")
async def create_rule(visit: Visit) -> Response:
    """Store a rule."""
    document = _document(visit)
    try:
        rule = await visit.feature(AlertService).create(visit.caller, document)
    except InvalidInputError as error:
        return await _form(visit, {**dict(visit.form), "on": document["on"]}, sentences_of(error))
    return visit.redirect(f"/ui/alerts/{rule.id}", text("alerts.created", name=rule.name))


@pages.get("/alerts/{rule_id:int}")
async def show_rule(visit: Visit) -> Response:
    """Show a rule and its latest deliveries."""
    service, rule_id = visit.feature(AlertService), visit.path_id("rule_id")
    rule = await service.get(visit.caller, rule_id)
    return visit.show(
        "alert.html",
        rule=rule,
        job=await find_job(visit, rule.job_id),
        channels=CHANNELS,
        channel={name: value for name, value in read_channel(rule.channel).masked().items() if value is not None},
        warnings=service.warnings(rule),
        deliveries=await service.deliveries(visit.caller, rule_id),
    )


@pages.post("/alerts/{rule_id:int}/test")
async def test_rule(visit: Visit) -> Response:
    """Send a test alert."""
    rule_id = visit.path_id("rule_id")
    await visit.feature(AlertService).test(visit.caller, rule_id)
    return visit.redirect(f"/ui/alerts/{rule_id}", text("alerts.tested"))


@pages.post("/alerts/{rule_id:int}/silence")
async def silence_rule(visit: Visit) -> Response:
    """Switch a rule off."""
    return await _switch(visit, is_on=False)


@pages.post("/alerts/{rule_id:int}/enable")
async def enable_rule(visit: Visit) -> Response:
    """Switch a rule on."""
    return await _switch(visit, is_on=True)


@pages.get("/alerts/{rule_id:int}/delete")
async def ask_to_delete_rule(visit: Visit) -> Response:
    """Ask whether a rule is deleted."""
    visit.caller.require(Scope.WRITE)
    rule = await visit.feature(AlertService).get(visit.caller, visit.path_id("rule_id"))
    return visit.show("confirm.html", about="alerts.delete_", name=rule.name, fields={}, back=f"/ui/alerts/{rule.id}")


@pages.post("/alerts/{rule_id:int}/delete")
async def delete_rule(visit: Visit) -> Response:
    """Delete a rule and its deliveries."""
    await visit.feature(AlertService).delete(visit.caller, visit.path_id("rule_id"))
    return visit.redirect("/ui/alerts", text("alerts.deleted"))


async def _switch(visit: Visit, *, is_on: bool) -> Response:
    rule = await visit.feature(AlertService).patch(visit.caller, visit.path_id("rule_id"), {"enabled": is_on})
    sentence = text("alerts.enabled" if is_on else "alerts.silenced", name=rule.name)
    undo = f"/ui/alerts/{rule.id}/{'silence' if is_on else 'enable'}"
    return visit.redirect(f"/ui/alerts/{rule.id}", sentence, undo=undo)


def _document(visit: Visit) -> dict[str, Any]:
    kind = visit.text_of("channel")
    channel: dict[str, Any] = {"type": kind}
    if kind == "email":
        channel["to"] = lines_of(visit.text_of("to").replace(",", "\n"))
    else:
        channel["url"] = visit.text_of("url")
    document: dict[str, Any] = {
        "name": visit.text_of("name"),
        "on": [str(value) for value in visit.form.getlist("on")],
        "channel": channel,
    }
    for name in ("job_id", *THRESHOLDS):
        if value := visit.text_of(name):
            document[name] = 0 if value == "0" else whole_of(value) or value
    if owner := visit.text_of("owner_id"):
        document["owner_id"] = owner
    return document


async def _form(visit: Visit, fields: dict[str, Any], errors: list[str] | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.show(
        "alert_new.html",
        status=status,
        fields=fields,
        job=await find_job(visit, whole_of(str(fields.get("job_id", "")))),
        errors=errors,
        kinds=KINDS,
        channels=CHANNELS,
        thresholds=THRESHOLDS,
    )
