"""The failure of a request, as the message of its run."""

from __future__ import annotations


class RequestFailedError(Exception):
    """The request or an expectation failed; the text says which and why."""
