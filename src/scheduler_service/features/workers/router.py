"""The routes of workers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, status

from scheduler_service.errors import NotFoundError
from scheduler_service.features.dependencies import provide
from scheduler_service.features.workers import examples
from scheduler_service.features.workers.schemas import WorkerList, WorkerOut
from scheduler_service.features.workers.service import WorkerService
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/workers", tags=["workers"], route_class=KeyedRoute, dependencies=[Depends(current_caller)]
)

Workers = Annotated[WorkerService, Depends(provide(WorkerService))]
WorkerId = Annotated[str, Path(max_length=64, description="The `id` of the worker.", examples=["host-4711-1f6a9c3e"])]


@router.get(
    "",
    operation_id="listWorkers",
    summary="List workers",
    responses={200: answer("All workers.", {"workers": [examples.WORKER]}), **refusals()},
)
async def list_workers(workers: Workers, caller: CurrentCaller) -> WorkerList:
    """Every worker with its slots and the runs that it executes."""
    return WorkerList(workers=[WorkerOut.of(view) for view in await workers.all(caller)])


@router.get(
    "/{worker_id}",
    operation_id="getWorker",
    summary="Get a worker",
    responses={200: answer("The worker.", examples.WORKER), **refusals(NotFoundError)},
)
async def get_worker(worker_id: WorkerId, workers: Workers, caller: CurrentCaller) -> WorkerOut:
    """One worker with its slots and the runs that it executes."""
    return WorkerOut.of(await workers.get(caller, worker_id))


@router.post(
    "/{worker_id}/drain",
    operation_id="drainWorker",
    summary="Let a worker finish",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: answer("The worker as it is now.", examples.WORKER), **refusals(NotFoundError)},
)
async def drain_worker(worker_id: WorkerId, workers: Workers, caller: CurrentCaller) -> WorkerOut:
    """The worker finishes the runs that it executes and takes no more, until it is restarted. Needs the scope `admin`.

    Its next heartbeat tells it, which takes a second at most.
    """
    return WorkerOut.of(await workers.drain(caller, worker_id))
