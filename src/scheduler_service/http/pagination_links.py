"""The `Link` header of lists (RFC 8288)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request

from scheduler_service.domain.listing import Page


def page_links(request: Request, page: Page, total: int, last_id: int | None = None) -> str:
    """Return links to the first, previous, next and last page, as paths without a host name.

    With `last_id`, the id of the last row on this page, the next page starts after that row instead of after a count.
    """
    last = max(1, -(-total // page.size))
    targets: dict[str, dict[str, int]] = {"first": {"page": 1}, "last": {"page": last}}
    if page.number > 1:
        targets["prev"] = {"page": min(page.number - 1, last)}
    if page.number < last:
        behind = {} if last_id is None else {"before_id": last_id}
        targets["next"] = {"page": page.number + 1, **behind}
    return ", ".join(f'<{_target(request, page, query)}>; rel="{rel}"' for rel, query in targets.items())


def _target(request: Request, page: Page, query: dict[str, int]) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _PAGE_PARAMETERS]
    return f"{request.url.path}?{urlencode([*kept, *query.items(), ('size', page.size)])}"


_PAGE_PARAMETERS = frozenset({"page", "size", "before_id"})
