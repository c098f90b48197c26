"""The documentation pages, served from this package without requests to other hosts."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import FileResponse, JSONResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from scheduler_service.http.route import PublicRoute

STATIC = Path(__file__).parent / "static"
# Both programs write styles into the page. Redoc draws from blob URLs and creates a search worker from one.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(route_class=PublicRoute, include_in_schema=False)


def install(app: FastAPI) -> None:
    """Register the pages and their assets."""
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=STATIC), name="assets")


@router.get("/docs")
async def show_docs() -> Response:
    """Return the interactive documentation (Swagger UI)."""
    return _page("docs.html")


@router.get("/redoc")
async def show_redoc() -> Response:
    """Return the documentation for reading (Redoc)."""
    return _page("redoc.html")


@router.get("/")
async def show_entrance(request: Request) -> Response:
    """Return links to the API. Browsers are redirected to the web interface, or without it to the documentation."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(getattr(request.app.state, "entrance", "docs"))
    links = {"documentation": "/docs", "description": "/openapi.json", "health": "/health", "jobs": "/api/v1/jobs"}
    return JSONResponse({"name": request.app.title, "version": request.app.version, **links})


def _page(name: str) -> Response:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / name, media_type="text/html", headers=headers)
