"""The operations on jobs, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scheduler_service.brokers.base import Broker
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.listing import JobFilter, Listing, Page
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.errors import ConflictError
from scheduler_service.services.backfill_request import BackfillRequest
from scheduler_service.services.backfills import Backfill, Backfills
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.draft_runs import DraftRuns
from scheduler_service.services.job_acceptance import JobAcceptance, JobChange, JobDraft, Shown
from scheduler_service.services.job_creation import JobCreation
from scheduler_service.services.job_definition import MAX_TAGS, JobDefinition
from scheduler_service.services.job_editing import JobEditing
from scheduler_service.services.job_mapping import document_of
from scheduler_service.services.job_packages import JobPackages, NoPackages, Packages
from scheduler_service.services.job_references import JobReferences
from scheduler_service.services.job_rows import Versions, check_version, existing
from scheduler_service.services.job_secrets import KnownSecrets, NoSecrets
from scheduler_service.services.job_tools import JobTools
from scheduler_service.services.job_validation import JobValidation, Validated
from scheduler_service.services.job_versions import version_of
from scheduler_service.services.job_writer import JobWriter
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.manual_runs import ManualRuns
from scheduler_service.services.merge_patch import merge
from scheduler_service.services.pause_request import PauseRequest
from scheduler_service.services.quota_gate import QuotaGate
from scheduler_service.services.run_request import RunRequest
from scheduler_service.services.schedules import Upcoming, next_instants
from scheduler_service.storage import calendars, job_lists
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class JobService:
    """The operations on jobs. Each call is one transaction, committed when the call returns."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        wake_dispatcher: Callable[[], None],
        server_limits: ServerLimits | None = None,
        refusal: Callable[[], str | None] = lambda: None,
        packages: Packages | None = None,
        secrets: KnownSecrets | None = None,
    ) -> None:
        """Call `wake_dispatcher` after a commit that may have made a job due earlier.

        `server_limits` None means that there are none. `refusal` returns why no job can run here, or None.
        `packages` locks requirements; None refuses them. `secrets` knows those of owners; None: there are none.
        """
        self._database = database
        self._broker = broker
        self._clock = clock
        self._wake_dispatcher = wake_dispatcher
        self._acceptance = JobAcceptance(server_limits or ServerLimits(), clock)
        self._refusal = refusal
        quotas = QuotaGate(self._acceptance.server_limits.quotas)
        self._manual_runs = ManualRuns(database, broker, clock, quotas)
        self._packages = JobPackages(packages or NoPackages())
        self._references = JobReferences(secrets or NoSecrets())
        self._validation = JobValidation(database, clock, self._acceptance, self._references, quotas)
        self._writer = JobWriter(clock, self._packages, self._references, quotas)
        self._creation = JobCreation(database, clock, wake_dispatcher, self._acceptance, self._writer, self._check_host)
        self._backfills = Backfills(database, broker, self._writer)
        self._draft_runs = DraftRuns(database, broker, self._writer, self._acceptance.server_limits.test_runs)
        self._editing = JobEditing(database, broker, wake_dispatcher, self._writer)

    @property
    def tools(self) -> JobTools:
        """Return the parts that services of sets of jobs share."""
        return JobTools(self._acceptance, self._references, self._writer, self._editing, self._check_host)

    async def read(self, caller: Caller, document: JsonDocument) -> JobDefinition:
        """Return the definition in a document. Raise `RejectedError` with all problems."""
        caller.require(Scope.WRITE)
        return await self._creation.read(caller, document)

    async def validate(
        self, caller: Caller, document: JsonDocument, job_id: int | None = None, shown: Shown | None = None
    ) -> Validated:
        """Return what a definition would make, or make of a job. Raise what `create` or `replace` would raise.

        Nothing is stored, and requirements are not locked, because that asks an index.
        """
        caller.require(Scope.WRITE)
        return await self._validation.validate(caller, document, job_id, shown)

    async def create(self, caller: Caller, definition: JobDefinition, *, idempotency_key: str | None = None) -> Job:
        """Store a job. Raise `InvalidInputError` if its schedule is invalid or never fires.

        Raise `ConflictError` if no job can run here, and `UnavailableError` if its packages cannot be looked up now.
        """
        caller.require(Scope.WRITE)
        return await self._creation.store(caller, self._acceptance.check(caller, definition), idempotency_key)

    async def create_from(self, caller: Caller, document: JsonDocument, *, idempotency_key: str | None = None) -> Job:
        """Store the job in a document, which is inspected once. Raise what `read` and `create` raise."""
        return await self._creation.store(caller, await self.read(caller, document), idempotency_key)

    async def get(self, caller: Caller, job_id: int) -> Job:
        """Return a job. Raise `NotFoundError` if there is none."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await existing(connection, caller, job_id)

    async def page(self, caller: Caller, filters: JobFilter, page: Page) -> Listing[Job]:
        """Return a page of jobs."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await job_lists.page(connection, filters, page, owner_id=caller.bound)

    async def replace(
        self, caller: Caller, job_id: int, document: JsonDocument, if_match: Versions = None, shown: Shown | None = None
    ) -> Job:
        """Replace the definition of a job. Raise `RejectedError` with all problems of the new one.

        `shown` returns a job as the API shows it. Its read-only fields may be sent back unchanged.
        """

        def draft(job: Job) -> JobDraft:
            return self._acceptance.draft_edit(caller, job, document, shown)

        return await self._editing.edit(caller, job_id, "replaceJob", if_match, draft)

    async def patch(
        self, caller: Caller, job_id: int, changes: JsonDocument, if_match: Versions = None, shown: Shown | None = None
    ) -> Job:
        """Change a job with a JSON merge patch (RFC 7396). Raise, and use `shown`, as `replace` does."""

        def draft(job: Job) -> JobDraft:
            return self._acceptance.draft_edit(caller, job, changes, shown, lambda rest: merge(document_of(job), rest))

        return await self._editing.edit(caller, job_id, "patchJob", if_match, draft)

    async def restore(self, caller: Caller, job_id: int, version: int, if_match: Versions = None) -> Job:
        """Restore the definition of an earlier version, as a new version. The job stays paused or not, as it is.

        Raise `NotFoundError` if the version is not kept, and what `replace` raises.
        """
        caller.require(Scope.WRITE)
        async with self._database.read() as connection:
            await existing(connection, caller, job_id)
            definition = (await version_of(connection, job_id, version)).definition

        def draft(job: Job) -> JobDraft:
            kept = {**definition, "enabled": job.status is not JobStatus.PAUSED}
            return self._acceptance.draft_edit(caller, job, kept)

        return await self._editing.edit(caller, job_id, "restoreJobVersion", if_match, draft)

    async def relock(self, caller: Caller, job_id: int, if_match: Versions = None) -> Job:
        """Resolve the requirements of a job again, to the newest versions that they allow.

        Raise `ConflictError` if it has none, and `InvalidInputError` or `UnavailableError` as `create` does.
        """
        caller.require(Scope.WRITE)
        async with self._database.read() as connection:
            job = await existing(connection, caller, job_id)
        check_version(job, if_match)
        lock = await self._packages.relock(job)

        def change(job: Job) -> JobChange:
            return JobChange(self._packages.apply_relock(job, lock), enabled=job.status is not JobStatus.PAUSED)

        return await self._editing.change(caller, job_id, "relockJob", if_match, change, lock)

    async def pause(
        self, caller: Caller, job_id: int, if_match: Versions = None, request: PauseRequest | None = None
    ) -> Job:
        """Pause a job. Its schedule does not fire until it is resumed, or until the end that the request names.

        Raise `ConflictError` if it has no future instant, and `InvalidInputError` if the end has passed.
        """

        def change(_: Job) -> JobChange:
            # Behind the instants that the change has accounted for: the end must not have passed meanwhile.
            return JobChange({} if request is None else request.columns(self._clock.now()), enabled=False)

        return await self._editing.change(caller, job_id, "pauseJob", if_match, change)

    async def resume(self, caller: Caller, job_id: int, if_match: Versions = None) -> Job:
        """Resume a paused job from now on. Raise `ConflictError` if its schedule has no future instant."""

        def change(job: Job) -> JobChange:
            if job.status is JobStatus.FINISHED:
                raise ConflictError("the job is finished; give it a new schedule_expr")
            return JobChange({}, enabled=True)

        return await self._editing.change(caller, job_id, "resumeJob", if_match, change)

    async def retag(self, caller: Caller, job_id: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Job:
        """Add tags to a job and remove others. Raise `ConflictError` if it would have more than `MAX_TAGS`."""

        def change(job: Job) -> JobChange:
            tags = [tag for tag in dict.fromkeys([*job.tags, *add]) if tag not in remove]
            if len(tags) > MAX_TAGS:
                raise ConflictError(f"the job would have {len(tags)} tags; {MAX_TAGS} are allowed")
            return JobChange({"tags": tags}, enabled=job.status is not JobStatus.PAUSED)

        return await self._editing.change(caller, job_id, "tagJob", None, change)

    async def delete(self, caller: Caller, job_id: int, if_match: Versions = None) -> None:
        """Delete a job: cancel its queued runs and request that running ones stop.

        The history stays until its retention time.
        """
        caller.require(Scope.WRITE)
        async with self._database.write() as connection:
            (job,), notices = await self._writer.settle(connection, caller, [job_id])
            check_version(job, if_match)
            await self._writer.delete(connection, caller, "deleteJob", [job])
        await self._broker.send(notices)

    async def run(
        self, caller: Caller, job_id: int, request: RunRequest | None = None, *, idempotency_key: str | None = None
    ) -> Run:
        """Queue a run now, independently of the schedule. The job may be paused or finished.

        Variables need the right to change the job. Raise `ConflictError` if the job is busy and its overlap policy is
        `skip`, or if no job can run here.
        """
        request = request or RunRequest()
        caller.require(Scope.RUN)
        if request.env:  # a variable can make an interpreter run other code, with the grants of the job
            caller.require(Scope.WRITE)
        self._check_host()
        return await self._manual_runs.queue(caller, job_id, request, idempotency_key)

    async def backfill(self, caller: Caller, job_id: int, request: BackfillRequest) -> Backfill:
        """Queue runs of past instants, or list them for a dry run.

        Raise `InvalidInputError` for a window in the future or with too many instants, and `ConflictError` if the job
        has no schedule, or if no job can run here.
        """
        caller.require(Scope.RUN)
        self._check_host()
        return await self._backfills.queue(caller, job_id, request)

    async def test(self, caller: Caller, document: JsonDocument) -> Run:
        """Queue one attempt of a definition that is not stored as a job.

        Raise what `create` raises, and `ConflictError` if the owner has as many test runs as it may.
        """
        caller.require(Scope.RUN)
        definition = await self.read(caller, document)
        self._check_host()
        return await self._draft_runs.queue(caller, definition)

    async def next_instants(self, caller: Caller, job_id: int, count: int) -> tuple[Upcoming, ...]:
        """Return the next instants of a job. A paused or finished job has none."""
        _, instants = await self.with_instants(caller, job_id, count)
        return instants

    async def with_instants(self, caller: Caller, job_id: int, count: int) -> tuple[Job, tuple[Upcoming, ...]]:
        """Return a job and its next instants."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            job = await existing(connection, caller, job_id)
            calendar = await calendars.find_for(connection, job)
        return job, await next_instants(job, count, calendar)

    def _check_host(self) -> None:
        if (refusal := self._refusal()) is not None:
            raise ConflictError(refusal)
