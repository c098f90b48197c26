"""Secrets: their names, never their values."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.secrets import SECRET_NAME
from scheduler_service.errors import ConflictError, InvalidInputError
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.service import SecretService
from scheduler_service.web.forms import check_name, read_form, sentences_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()


@pages.get("/secrets")
async def show_secrets(visit: Visit) -> Response:
    """List the names of secrets."""
    rows = await visit.feature(SecretService).list_secrets(visit.caller, None)
    return visit.show("secrets.html", rows=rows, is_bound=visit.caller.bound is not None)


@pages.get("/secrets/new")
async def ask_for_secret(visit: Visit) -> Response:
    """Show the form of a secret. One with a known name gets a new value."""
    visit.caller.require(Scope.WRITE)
    return _form(visit, visit.query.get("name", ""), visit.query.get("owner", ""))


@pages.post("/secrets/new")
async def put_secret(visit: Visit) -> Response:
    """Store a value."""
    name, owner = visit.text_of("name"), visit.text_of("owner")
    try:
        check_name(name, SECRET_NAME.pattern, text("secrets.name_form"))
        # Browsers send line ends as CRLF, which keys in PEM files and passwords do not have.
        written = visit.form.get("value", "")
        written = written.replace("\r\n", "\n") if isinstance(written, str) else ""
        value = read_form(SecretValue, {"value": written})
        await visit.feature(SecretService).put(visit.caller, owner or None, name, value)
    except InvalidInputError as error:
        return _form(visit, name, owner, sentences_of(error))
    except ConflictError as error:
        return _form(visit, name, owner, [str(error)])
    return visit.redirect("/ui/secrets", text("secrets.stored", name=name))


@pages.get("/secrets/delete")
async def ask_to_delete_secret(visit: Visit) -> Response:
    """Ask whether a secret is deleted."""
    visit.caller.require(Scope.WRITE)
    owner = visit.query.get("owner") or None
    secret = await visit.feature(SecretService).get(visit.caller, owner, visit.query.get("name", ""))
    fields = {"name": secret.name, "owner": secret.owner_id}
    return visit.show("confirm.html", about="secrets.delete_", name=secret.name, fields=fields, back="/ui/secrets")


@pages.post("/secrets/delete")
async def delete_secret(visit: Visit) -> Response:
    """Delete a secret. Later runs of jobs that use it fail."""
    name = visit.text_of("name")
    await visit.feature(SecretService).delete(visit.caller, visit.text_of("owner") or None, name)
    return visit.redirect("/ui/secrets", text("secrets.deleted", name=name))


def _form(visit: Visit, name: str, owner: str, errors: list[str] | None = None) -> Response:
    """Show the form without the value, which is typed again after an error."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    is_bound = visit.caller.bound is not None
    return visit.show("secret_new.html", status=status, name=name, owner=owner, errors=errors, is_bound=is_bound)
