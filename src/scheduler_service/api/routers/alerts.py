"""Alert rules over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response, status

from scheduler_service.api import examples_of_alerts as examples
from scheduler_service.api.deps import CurrentService
from scheduler_service.api.query_parameters import AlertId
from scheduler_service.api.schemas.alerts import (
    AlertList,
    AlertOut,
    AlertPreview,
    AlertPreviews,
    DeliveryList,
    DeliveryOut,
)
from scheduler_service.bootstrap import Service
from scheduler_service.errors import NotFoundError
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.merge_patch import MEDIA_TYPE, Described, patch_body
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute
from scheduler_service.services.alert_definition import AlertDefinition
from scheduler_service.services.alerts import Shown
from scheduler_service.storage.alerts import AlertRule

ALERTS = "/api/v1/alerts"

router = APIRouter(prefix=ALERTS, tags=["alerts"], route_class=KeyedRoute, dependencies=[Depends(current_caller)])

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
async def create_alert(
    definition: Definition, service: CurrentService, caller: CurrentCaller, response: Response
) -> AlertOut:
    """Create a rule about one job, the jobs of an owner, or all jobs.

    `warnings` name what keeps this server from delivering: no mail server, or an address that it must not reach.
    """
    rule = await service.alerts.create(definition, caller.owner_id)
    response.headers["Location"] = f"{ALERTS}/{rule.id}"
    return _show(rule, service)


@router.get(
    "",
    operation_id="listAlerts",
    summary="List alert rules",
    responses={200: answer("All of them.", {"alerts": [examples.ALERT]}), **refusals()},
)
async def list_alerts(service: CurrentService, caller: CurrentCaller) -> AlertList:
    """The oldest first."""
    return AlertList(alerts=[_show(rule, service) for rule in await service.alerts.every(caller.owner_id)])


@router.post(
    "/preview",
    operation_id="previewAlert",
    summary="Tell what people would be told",
    responses={200: answer("One for each kind.", examples.PREVIEWS), **refusals(takes_body=True)},
)
async def preview_alert(definition: Definition, service: CurrentService) -> AlertPreviews:
    """With values made up for it; nothing is stored or sent."""
    return AlertPreviews(previews=[AlertPreview.of(preview) for preview in service.alerts.preview(definition)])


@router.get(
    "/{alert_id}",
    operation_id="getAlert",
    summary="Get an alert rule",
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError)},
)
async def get_alert(alert_id: AlertId, service: CurrentService, caller: CurrentCaller) -> AlertOut:
    """Without its secrets."""
    return _show(await service.alerts.get(alert_id, caller.owner_id), service)


@router.put(
    "/{alert_id}",
    operation_id="replaceAlert",
    summary="Replace an alert rule",
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError, takes_body=True)},
)
async def replace_alert(
    alert_id: AlertId, definition: Definition, service: CurrentService, caller: CurrentCaller
) -> AlertOut:
    """Secrets that are sent as they are shown, or not at all, stay as long as the address does.

    A rule can be sent back as it was read: read-only fields are accepted if they are unchanged.
    """
    return _show(await service.alerts.replace(alert_id, definition, caller.owner_id, _shown_by(service)), service)


@router.patch(
    "/{alert_id}",
    operation_id="patchAlert",
    summary="Change some fields of an alert rule",
    openapi_extra=patch_body(AlertDefinition, "Alert changes", examples.PATCHES),
    responses={200: answer("The rule.", examples.ALERT), **refusals(NotFoundError, takes_body=True)},
)
async def patch_alert(alert_id: AlertId, changes: Changes, service: CurrentService, caller: CurrentCaller) -> AlertOut:
    """Fields that are not named stay, null sets to the default; a `channel` replaces the old one as a whole."""
    return _show(await service.alerts.patch(alert_id, changes, caller.owner_id, _shown_by(service)), service)


@router.delete(
    "/{alert_id}",
    operation_id="deleteAlert",
    summary="Delete an alert rule",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**refusals(NotFoundError)},
)
async def delete_alert(alert_id: AlertId, service: CurrentService, caller: CurrentCaller) -> None:
    """What it still would have told is not told."""
    await service.alerts.delete(alert_id, caller.owner_id)


@router.post(
    "/{alert_id}/test",
    operation_id="testAlert",
    summary="Send a test",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: answer("The delivery, on its way.", examples.DELIVERY), **refusals(NotFoundError)},
)
async def test_alert(alert_id: AlertId, service: CurrentService, caller: CurrentCaller) -> DeliveryOut:
    """It goes the way that every alert goes; the deliveries of the rule tell what became of it."""
    return DeliveryOut.of(await service.alerts.test(alert_id, caller.owner_id))


@router.get(
    "/{alert_id}/deliveries",
    operation_id="listDeliveries",
    summary="List what a rule told",
    responses={200: answer("The newest 50.", {"deliveries": [examples.DELIVERY]}), **refusals(NotFoundError)},
)
async def list_deliveries(alert_id: AlertId, service: CurrentService, caller: CurrentCaller) -> DeliveryList:
    """The newest first, with why they did not arrive where they did not."""
    found = await service.alerts.deliveries(alert_id, caller.owner_id)
    return DeliveryList(deliveries=[DeliveryOut.of(delivery) for delivery in found])


def _show(rule: AlertRule, service: Service) -> AlertOut:
    return AlertOut.of(rule, service.alerts.warnings(rule))


def _shown_by(service: Service) -> Shown:
    return lambda rule: _show(rule, service).model_dump(mode="json")
