"""The routes of alert rules and their deliveries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response, status

from scheduler_service.errors import NotFoundError
from scheduler_service.features.alerts import examples
from scheduler_service.features.alerts.definition import AlertDefinition
from scheduler_service.features.alerts.records import AlertRule
from scheduler_service.features.alerts.schemas import (
    AlertList,
    AlertOut,
    AlertPreview,
    AlertPreviews,
    DeliveryList,
    DeliveryOut,
)
from scheduler_service.features.alerts.service import AlertService, Shown
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import MEDIA_TYPE, Described, patch_body
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import Id
from scheduler_service.http.route import KeyedRoute

ALERTS = "/api/v1/alerts"

router = APIRouter(prefix=ALERTS, tags=["alerts"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

Alerts = Annotated[AlertService, Depends(provide(AlertService))]
AlertId = Annotated[Id, Path(description="The `id` of the rule.", examples=[1])]
Definition = Annotated[
    dict[str, Any],
    Described(AlertDefinition),
    Body(openapi_examples={"team": {"summary": "A team", "value": examples.DEFINITION}}),
]
Changes = Annotated[dict[str, Any], Body(media_type=MEDIA_TYPE, openapi_examples=examples.PATCHES)]


@router.post(
    "",
    operation_id="createAlert",
    summary="Create an alert rule",
    status_code=status.HTTP_201_CREATED,
    responses={201: answer("The rule.", examples.ALERT), **refusals(takes_body=True)},
)
async def create_alert(definition: Definition, alerts: Alerts, caller: CurrentCaller, response: Response) -> AlertOut:
    """Create a rule about one job, the jobs of an owner, or all jobs.

    `warnings` says why deliveries will fail on this server: no mail server, or an address that it may not reach.
    """
    rule = await alerts.create(caller, definition)
    response.headers["Location"] = f"{ALERTS}/{rule.id}"
    return _show(rule, alerts)


@router.get(
    "",
    operation_id="listAlerts",
    summary="List alert rules",
    responses={200: answer("All rules.", {"alerts": [examples.ALERT]}), **refusals()},
)
async def list_alerts(alerts: Alerts, caller: CurrentCaller) -> AlertList:
    """Return all alert rules, the oldest first."""
    return AlertList(alerts=[_show(rule, alerts) for rule in await alerts.list_rules(caller)])


@router.post(
    "/preview",
    operation_id="previewAlert",
    summary="Preview the alerts of a rule",
    responses={200: answer("One sample alert for each kind.", examples.PREVIEWS), **refusals(takes_body=True)},
)
async def preview_alert(definition: Definition, alerts: Alerts, caller: CurrentCaller) -> AlertPreviews:
    """Return sample alerts of a rule. Nothing is stored or sent."""
    return AlertPreviews(previews=[AlertPreview.of(preview) for preview in alerts.preview(caller, definition)])


@router.get(
    "/{alert_id}",
    operation_id="getAlert",
    summary="Get an alert rule",
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError)},
)
async def get_alert(alert_id: AlertId, alerts: Alerts, caller: CurrentCaller) -> AlertOut:
    """Return an alert rule, with its secrets masked."""
    return _show(await alerts.get(caller, alert_id), alerts)


@router.put(
    "/{alert_id}",
    operation_id="replaceAlert",
    summary="Replace an alert rule",
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError, takes_body=True)},
)
async def replace_alert(alert_id: AlertId, definition: Definition, alerts: Alerts, caller: CurrentCaller) -> AlertOut:
    """Replace an alert rule. Secrets that are masked or left out are kept if the address is unchanged.

    A rule can be sent back as it was read: unchanged read-only fields are accepted.
    """
    return _show(await alerts.replace(caller, alert_id, definition, _shown_by(alerts)), alerts)


@router.patch(
    "/{alert_id}",
    operation_id="patchAlert",
    summary="Change some fields of an alert rule",
    openapi_extra=patch_body(AlertDefinition, "Alert changes", examples.PATCHES),
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError, takes_body=True)},
)
async def patch_alert(alert_id: AlertId, changes: Changes, alerts: Alerts, caller: CurrentCaller) -> AlertOut:
    """Change the fields that are sent. Null resets a field to its default; a `channel` replaces the old one whole."""
    return _show(await alerts.patch(caller, alert_id, changes, _shown_by(alerts)), alerts)


@router.delete(
    "/{alert_id}",
    operation_id="deleteAlert",
    summary="Delete an alert rule",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError)},
)
async def delete_alert(alert_id: AlertId, alerts: Alerts, caller: CurrentCaller) -> None:
    """Delete an alert rule and its deliveries. Pending deliveries are not sent."""
    await alerts.delete(caller, alert_id)


@router.post(
    "/{alert_id}/test",
    operation_id="testAlert",
    summary="Send a test",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: answer("The delivery, which is pending.", examples.DELIVERY), **refusals(NotFoundError)},
)
async def test_alert(alert_id: AlertId, alerts: Alerts, caller: CurrentCaller) -> DeliveryOut:
    """Send a test like an alert. The deliveries of the rule show whether it arrived."""
    return DeliveryOut.of(await alerts.test(caller, alert_id))


@router.get(
    "/{alert_id}/deliveries",
    operation_id="listDeliveries",
    summary="List the deliveries of a rule",
    responses={200: answer("The latest 50.", {"deliveries": [examples.DELIVERY]}), **refusals(NotFoundError)},
)
async def list_deliveries(alert_id: AlertId, alerts: Alerts, caller: CurrentCaller) -> DeliveryList:
    """Return the latest deliveries of a rule, the newest first."""
    found = await alerts.deliveries(caller, alert_id)
    return DeliveryList(deliveries=[DeliveryOut.of(delivery) for delivery in found])


def _show(rule: AlertRule, alerts: AlertService) -> AlertOut:
    return AlertOut.of(rule, alerts.warnings(rule))


def _shown_by(alerts: AlertService) -> Shown:
    return lambda rule: _show(rule, alerts).model_dump(mode="json")
