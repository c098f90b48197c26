"""Names and values that other schedulers use, with their equivalents here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PAYLOAD = 'payload, such as {"type": "shell_script", "script": "…"}'
_PYTHON = 'payload, such as {"type": "python_code", "code": "…"}'


def table(words: Mapping[str, str]) -> dict[str, str]:
    """Return the names of other schedulers, each with the one of this API: `words` has them the other way round."""
    return {name: meant for meant, names in words.items() for name in names.split()}


_JOB_FIELDS = table(
    {
        "schedule_expr": "cron cron_expression cron_expr cron_schedule cronspec crontab schedule schedule_expression "
        "expression interval every when trigger frequency rrule run_at at spec rule recurrence period",
        "timezone": "tz time_zone zone timezone_name tzinfo",
        _PAYLOAD: "command cmd script shell bash exec executor executable run task action body entrypoint program "
        "argv target url webhook type kind job_type shell_command",
        _PYTHON: "code python python_code source function func callable module",
        "retry_policy.max_retries": "retries max_retries retry retry_count retry_limit max_attempts attempts "
        "backoff_limit number_of_retries",
        "retry_policy.retry_delay": "retry_delay retry_interval retry_wait retry_delay_seconds backoff",
        "retry_policy.backoff_factor": "backoff_factor backoff_multiplier retry_backoff",
        "retry_policy.max_delay": "max_delay max_retry_delay",
        "timeout_seconds": "timeout timeout_s timeout_sec timeout_secs time_limit max_runtime max_duration ttl "
        "execution_timeout active_deadline_seconds max_run_time timeout_minutes timeout_ms",
        "limits.memory_mb": "memory memory_mb memory_limit mem ram max_memory",
        "limits.cpu_seconds": "cpu cpu_seconds cpu_limit",
        "limits.processes": "processes max_processes pids",
        "limits.disk_mb": "disk disk_mb storage",
        "limits.output_kb": "output_kb max_output log_limit",
        "limits.network": "network allow_network internet",
        "env": "environment envs env_vars environment_variables variables vars environ",
        "args": "arguments params parameters kwargs inputs input data arg parameter",
        "owner_id": "owner user team namespace created_by group project",
        "name": "title label job_name jobname id_name",
        "external_key": "key external_id job_key uid uuid slug identity",
        "tags": "labels tag categories topics",
        "description": "desc notes note comment summary",
        "enabled": "paused is_paused active is_active disabled suspend suspended is_enabled pause",
        "overlap_policy": "overlap allow_overlap concurrency_policy concurrency_policies coalesce forbid_concurrent "
        "no_overlap single_instance on_overlap",
        "max_concurrency": "concurrency max_instances max_active_runs max_parallel parallelism concurrency_limit",
        "misfire_policy": "catchup catch_up backfill misfire on_misfire",
        "misfire_grace_seconds": "misfire_grace_time misfire_grace grace_time",
        "start_deadline_seconds": "start_deadline starting_deadline starting_deadline_seconds",
        "max_runs": "max_executions repeat repetitions run_limit runs_limit remaining_runs",
        "pause_after_failures": "max_failures pause_on_failure disable_after_failures max_failed_runs",
        "concurrency_key": "concurrency_group mutex lock lock_key exclusive_group resource",
        "limits.grace_seconds": "grace_seconds kill_timeout stop_timeout termination_grace_period_seconds "
        "termination_grace_seconds",
        "start_at": "start start_date starts_at start_time begin not_before",
        "end_at": "end end_date ends_at end_time expires expires_at until stop_at not_after",
        "jitter_seconds": "jitter splay random_delay randomized_delay",
        "dst.gap": "dst_gap",
        "dst.fold": "dst_fold",
        "priority": "priority_weight queue_priority importance",
    }
)
_LIMIT_FIELDS = table(
    {
        "memory_mb": "memory mem ram memory_limit max_memory memory_bytes memory_gb",
        "cpu_seconds": "cpu cpu_time cpu_limit cpus",
        "processes": "pids process threads nproc max_processes",
        "disk_mb": "disk disk_space storage disk_gb",
        "output_kb": "output logs log_size output_bytes",
        "grace_seconds": "grace kill_timeout stop_timeout termination_grace_period_seconds",
        "network": "net internet allow_network networking",
        "timeout_seconds, beside limits": "timeout timeout_seconds time wall_seconds",
    }
)
_RETRY_FIELDS = table(
    {
        "max_retries": "retries attempts max_attempts count limit times tries retry max max_tries",
        "retry_delay": "delay delay_seconds interval wait seconds backoff initial_delay retry_interval",
        "backoff_factor": "factor multiplier backoff_multiplier exponent backoff_coefficient",
        "max_delay": "max_interval cap maximum_interval max_backoff max_wait",
    }
)
_FIELDS_BY_KIND: Mapping[str, Mapping[str, str]] = {
    "shell_script": table({"script": "command cmd code content source body text shell bash commands run argv"}),
    "python_code": table(
        {"code": "script source content body python text command", "environment": "env venv interpreter python_env"}
    ),
    "program": table(
        {"argv": "command cmd args arguments program executable path exec", "stdin": "input standard_input data"}
    ),
    "number_crunching": table({"operation": "op function calculation task name"}),
    "http_request": table(
        {
            "url": "uri endpoint address target link href",
            "method": "verb http_method request_method",
            "headers": "header http_headers",
            "body": "data content text payload raw",
            "json": "json_body json_data",
            "expect": "expected expectations expected_status assert assertions status success_codes",
            "timeout_seconds": "timeout timeout_s timeout_ms",
            "follow_redirects": "redirects allow_redirects follow",
        }
    ),
}
_PREVIEW_FIELDS = table({"count": "n limit number size"}) | {
    name: meant for name, meant in _JOB_FIELDS.items() if meant in {"schedule_expr", "timezone", "dst.gap", "dst.fold"}
}
_RUN_REQUEST_FIELDS = table({"ignore_overlap": "force ignore overlap allow_overlap"}) | {
    name: meant for name, meant in _JOB_FIELDS.items() if meant in {"args", "env"}
}
_BY_MARKER = {"ignore_overlap": _RUN_REQUEST_FIELDS, "payload": _JOB_FIELDS}
_PAYLOAD_KINDS = table(
    {
        "shell_script": "shell bash sh script cmd command zsh powershell shell_command bash_script",
        "python_code": "python py python3 code python_script pythoncode python_callable function",
        "program": "exec executable binary process argv subprocess run",
        "number_crunching": "numbers math crunch calculation compute computation numpy",
        "http_request": "http https webhook url request curl rest web http_get http_post get post ping",
    }
)
_OVERLAPS = table(
    {"skip": "forbid no never drop discard", "queue": "wait enqueue serial", "allow": "parallel concurrent yes",
     "cancel_running": "replace restart kill terminate"}
)  # fmt: skip
_MISFIRES = table({"fire_once": "once coalesce run_once latest", "fire_all": "all catchup catch_up run_all",
                    "skip": "ignore drop none never do_nothing"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Synonyms:
    """Names that other schedulers use in the documents of a feature, each with the one of this API.

    `marker` is a field that only these documents have. `fields` has names of fields, `words` tables of their values.
    """

    marker: str
    fields: Mapping[str, str]
    words: Sequence[Mapping[str, str]]


_of_features: list[Synonyms] = []


def add_synonyms(synonyms: Synonyms) -> None:
    """Suggest these names from now on."""
    _of_features.append(synonyms)


def meant_by_name(name: str, path: Sequence[str | int], known: Sequence[str], body: object) -> str | None:
    """Return this API's name for another scheduler's field, or None. `path` leads to the object that contains it."""
    plain = snake_case(name)
    if plain in known:
        return plain
    match tuple(path):
        case ("documents", int() as index, *rest) if isinstance(body, dict):  # one of many jobs
            return _table_of(rest, known, body["documents"][index]).get(plain)
    return _table_of(path, known, body).get(plain)


def meant_by_word(word: str, choices: Sequence[str]) -> str | None:
    """Return the choice that equals another scheduler's word, or None."""
    plain = snake_case(word)
    if plain in choices:
        return plain
    words_of_features = (table for synonyms in _of_features for table in synonyms.words)
    for table in (_PAYLOAD_KINDS, *words_of_features, _OVERLAPS, _MISFIRES):
        if (meant := table.get(plain)) in choices:
            return meant
    return None


def snake_case(name: str) -> str:
    """Return a name in snake case: `scheduleExpr` and `schedule-expr` become `schedule_expr`."""
    return _HUMP.sub("_", name[:_MAX_NAME_CHARACTERS]).replace("-", "_").replace(" ", "_").lower().strip("_")


def _table_of(path: Sequence[str | int], known: Sequence[str], body: object) -> Mapping[str, str]:
    match tuple(path):
        case ():
            for synonyms in _of_features:
                if synonyms.marker in known:
                    return synonyms.fields
            return next((names for marker, names in _BY_MARKER.items() if marker in known), _PREVIEW_FIELDS)
        case ("limits",):
            return _LIMIT_FIELDS
        case ("retry_policy",):
            return _RETRY_FIELDS
        case ("payload",) if isinstance(body, dict) and isinstance(payload := body.get("payload"), dict):
            return _FIELDS_BY_KIND.get(str(payload.get("type")), {})
    return {}


_MAX_NAME_CHARACTERS = 64
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
