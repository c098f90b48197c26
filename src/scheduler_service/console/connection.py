"""The options --url and --api-key, which every command of the API has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from scheduler_service.console.client import Client
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.console.job_names import NAMES_A_JOB, find_job
from scheduler_service.errors import FieldProblem

P = ParamSpec("P")

_Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="SCHEDULER_URL",
        show_envvar=True,
        show_default="http://127.0.0.1:8000, or from SCHEDULER_HOST and SCHEDULER_PORT",
        help="Call the service at this URL.",
        rich_help_panel="Service",
    ),
]
_ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        show_default="API_KEY, from the environment or .env",
        help="Send this API key.",
        rich_help_panel="Service",
    ),
]


def with_client(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Wrap a function that takes a `Client` first into a command with the options --url and --api-key.

    It gets the id of a job for each parameter that is marked with NAMES_A_JOB.
    """

    @wraps(command)
    def run(*args: Any, url: str | None, api_key: str | None, **kwargs: Any) -> None:
        with _connect(url, api_key) as client:
            named = {name: find_job(client, kwargs[name]) for name in jobs if kwargs[name] is not None}
            command(client, *args, **{**kwargs, **named})

    signature = inspect.signature(command, eval_str=True)
    _, *own = signature.parameters.values()
    jobs = [each.name for each in own if NAMES_A_JOB in getattr(each.annotation, "__metadata__", ())]
    shared = [
        inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Url),
        inspect.Parameter("api_key", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_ApiKey),
    ]
    run.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined] # read by inspect
    return run


def _connect(url: str | None, api_key: str | None) -> Client:
    for option, value in (("--url", url), ("--api-key", api_key)):
        if value == "":
            raise RefusedError(FieldProblem(option, "empty; write a value or omit the option"))
    if url and api_key:
        return Client(url, api_key)
    from scheduler_service.config.web_address import url_of  # noqa: PLC0415 (likewise)
    from scheduler_service.console.settings import (  # noqa: PLC0415 (slow, and not needed for --help)
        check_address_source,
        read_settings,
    )

    settings = read_settings()
    if url is None:
        check_address_source(api_key)
    return Client(url or url_of(settings.host, settings.port), api_key or settings.api_key.get_secret_value())
