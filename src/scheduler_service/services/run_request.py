"""What a client may send with a request to run a job now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from scheduler_service.domain.records import Job
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.services.arguments import check_args
from scheduler_service.services.code_inputs import Arguments, Variables
from scheduler_service.services.input_models import DefinitionModel
from scheduler_service.services.inspection import inspect
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.variables import MAX_VARIABLES


class RunRequest(DefinitionModel):
    """Changes for one run of a job. The body may be left out."""

    model_config = ConfigDict(title="Run request")

    args: Annotated[
        Arguments,
        Field(
            description="Arguments for this run. They are added to those of the job and win over them. Default: none."
        ),
    ] = Field(default_factory=dict)
    env: Annotated[
        Variables,
        Field(
            description="Variables for this run, for keys with the scope `write`. They are added to those of the job "
            "and win over them. Default: none."
        ),
    ] = Field(default_factory=dict)
    ignore_overlap: Annotated[
        bool,
        Field(
            description="Whether the run is queued even if the job is busy and its `overlap_policy` would refuse the "
            "run or cancel others. It waits for a free slot of `max_concurrency`. Default false."
        ),
    ] = False

    @property
    def fingerprint(self) -> str:
        """The content of the request, by which a repeated `Idempotency-Key` is checked. Empty without changes."""
        return "" if self == RunRequest() else self.model_dump_json()


def read_run_request(document: JsonDocument) -> RunRequest:
    """Return the request in a document. Raise `RejectedError` with all problems."""
    return inspect(RunRequest, document, {}).accept()


def check_together(job: Job, request: RunRequest) -> None:
    """Raise `InvalidInputError` if the arguments and variables of a run do not fit together with those of its job."""
    env = {**job.env, **request.env}
    if len(env) > MAX_VARIABLES:
        message = f"the run would have {len(env)} variables with those of the job, and the limit is {MAX_VARIABLES}"
        raise InvalidInputError(FieldProblem("env", message))
    args: Mapping[str, JsonValue] = {**job.args, **request.args}
    try:
        check_args(dict(args), env)
    except (ValueError, ValidationError) as error:
        raise InvalidInputError(FieldProblem("args", f"with those of the job: {error}")) from None
