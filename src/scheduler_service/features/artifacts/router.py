"""The routes of artifacts."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Response, status
from starlette.responses import StreamingResponse

from scheduler_service.errors import NotFoundError
from scheduler_service.features.artifacts import examples
from scheduler_service.features.artifacts.records import StoredArtifact
from scheduler_service.features.artifacts.schemas import ArtifactList, ArtifactOut
from scheduler_service.features.artifacts.service import ArtifactService
from scheduler_service.features.dependencies import provide
from scheduler_service.http.auth import CurrentCaller, current_caller
from scheduler_service.http.openapi_responses import answer, refusals
from scheduler_service.http.parameters import RunId
from scheduler_service.http.route import KeyedRoute

router = APIRouter(
    prefix="/api/v1/runs/{run_id}/artifacts",
    tags=["artifacts"],
    route_class=KeyedRoute,
    dependencies=[Depends(current_caller)],
)

Service = Annotated[ArtifactService, Depends(provide(ArtifactService))]
Name = Annotated[
    str, Path(description="The `name` of the artifact, with its slashes.", max_length=255, examples=["report.html"])
]
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@router.get(
    "",
    operation_id="listArtifacts",
    summary="List the artifacts of a run",
    responses={200: answer("The artifacts.", {"artifacts": [examples.ARTIFACT]}), **refusals(NotFoundError)},
)
async def list_artifacts(run_id: RunId, artifacts: Service, caller: CurrentCaller) -> ArtifactList:
    """The files that the latest attempt left in the directory `SCHEDULER_ARTIFACTS`."""
    return ArtifactList(artifacts=[ArtifactOut.of(each) for each in await artifacts.of_run(caller, run_id)])


@router.get(
    "/{name:path}",
    operation_id="downloadArtifact",
    summary="Download an artifact",
    response_class=Response,
    responses={
        200: {
            "description": "The bytes, with their digest in the header `Repr-Digest` (RFC 9530).",
            "content": {
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "<h1>Summary</h1>",
                }
            },
        },
        206: {"description": "The part of the bytes that the header `Range` names."},
        **refusals(NotFoundError),
    },
)
async def download_artifact(
    run_id: RunId,
    name: Name,
    artifacts: Service,
    caller: CurrentCaller,
    requested: Annotated[str, Header(alias="Range", description="One range of bytes, such as `bytes=0-99`.")] = "",
) -> Response:
    """Always as an attachment: a browser saves the file and does not show it."""
    artifact = await artifacts.get(caller, run_id, name)
    start, end = _range(requested, artifact.size)
    if (start, end) == (0, 0) and artifact.size:
        headers = {"Content-Range": f"bytes */{artifact.size}"}
        return Response(status_code=status.HTTP_416_RANGE_NOT_SATISFIABLE, headers=headers)
    headers = _headers(artifact) | {"Content-Length": str(end - start)}
    is_part = end - start < artifact.size
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{artifact.size}"
    chunks = await artifacts.read(artifact, start, end)
    code = status.HTTP_206_PARTIAL_CONTENT if is_part else status.HTTP_200_OK
    return StreamingResponse(chunks, code, headers=headers, media_type=artifact.media_type)


def _headers(artifact: StoredArtifact) -> dict[str, str]:
    base = artifact.name.rpartition("/")[2]
    fallback = "".join(character if character.isascii() and character not in '"\\' else "_" for character in base)
    return {
        "Content-Disposition": f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(base, safe='')}",
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(artifact.sha256)).decode()}:",
        "ETag": f'"{artifact.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        # If a browser shows it all the same, its scripts have no rights on this origin.
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def _range(requested: str, size: int) -> tuple[int, int]:
    """Return the first position and the one after the last. (0, 0) says that none of the bytes was asked for.

    A header that is not one range of bytes is ignored (RFC 9110, section 14.2).
    """
    found = _RANGE.fullmatch(requested.strip())
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    return (start, end) if start < end else (0, 0)
