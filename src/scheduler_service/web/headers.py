"""The headers of pages: the content security policy and its companions.

`Referrer-Policy` is `same-origin`: with the API's `no-referrer`, browsers send forms with `Origin: null`, and the check
of the origin would refuse them. `Cross-Origin-Opener-Policy` is sent over TLS only, because browsers report it as an
error elsewhere.
"""

from __future__ import annotations

import secrets

_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'{styles}; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)
_NONCE_BYTES = 16


def new_nonce() -> str:
    """Return an unguessable value that marks the scripts and the htmx elements of one page."""
    return secrets.token_urlsafe(_NONCE_BYTES)


def page_headers(nonce: str, *, is_secure: bool, has_code: bool = False) -> dict[str, str]:
    """Return the headers of a page. `is_secure` says whether it is sent over TLS.

    `has_code` allows the styles that the code editor adds with the nonce.
    """
    headers = {
        "Content-Security-Policy": _POLICY.format(nonce=nonce, styles=f" 'nonce-{nonce}'" if has_code else ""),
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if is_secure:
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return headers
