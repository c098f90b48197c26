"""The guides, and their pictures."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from scheduler_service.web.guides import DECISIONS, GROUPS, files, picture, read_guide
from scheduler_service.web.routes import Pages
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.get("/docs")
async def show_guides(visit: Visit) -> Response:
    """List the guides, grouped."""
    decisions = [guide for name in files() if name.startswith(DECISIONS) and (guide := read_guide(name))]
    return visit.show("guides.html", groups=GROUPS, decisions=decisions)


@pages.get("/docs/images/{name}")
async def show_picture(visit: Visit) -> Response:
    """Return a picture of a guide."""
    found = picture(str(visit.request.path_params["name"]))
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return FileResponse(found)


@pages.get("/docs/{name:path}")
async def show_guide(visit: Visit) -> Response:
    """Show a guide."""
    guide = read_guide(str(visit.request.path_params["name"]))
    if guide is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return visit.show("guide.html", guide=guide)
