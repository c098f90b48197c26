"""The `Link` header of lists (RFC 8288)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request

from scheduler_service.domain.listing import Count, Page


def page_links(request: Request, page: Page, total: int | None, following: str | None) -> str:
    """Return links to the first, previous, next and last page, as paths without a host name.

    `following` is the cursor of the next page, or None if this page is the last. Without an exact total, there is no
    link to the last page.
    """
    is_exact = total is not None and page.count is Count.EXACT
    last = max(1, -(-total // page.size)) if total is not None and is_exact else None
    targets: dict[str, dict[str, int | str]] = {"first": {"page": 1}}
    if last is not None:
        targets["last"] = {"page": last}
    if page.number > 1:
        targets["prev"] = {"page": page.number - 1 if last is None else min(page.number - 1, last)}
    if following is not None:
        targets["next"] = {"page": page.number + 1, "cursor": following}
    return ", ".join(f'<{_target(request, page, query)}>; rel="{rel}"' for rel, query in targets.items())


def _target(request: Request, page: Page, query: dict[str, int | str]) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in _PAGE_PARAMETERS]
    return f"{request.url.path}?{urlencode([*kept, *query.items(), ('size', page.size)])}"


_PAGE_PARAMETERS = frozenset({"page", "size", "before_id", "cursor"})
