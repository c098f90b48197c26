"""Imports CronJobs of Kubernetes.

Theory of operation. The command of the first container becomes a program; its image cannot be run here. Policies have
counterparts: `Allow`, `Forbid` and `Replace` are `allow`, `skip` and `cancel_running`. After an outage, Kubernetes
starts the newest missed run if it is not later than `startingDeadlineSeconds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.imported import SANDBOX, Document, Imported, Options, refuse, unread
from scheduler_service.features.apply.importers.quantities import megabytes
from scheduler_service.features.apply.importers.robfig import read_schedule

_OVERLAPS = {"Allow": "allow", "Forbid": "skip", "Replace": "cancel_running"}
_SPEC = frozenset({"schedule", "timeZone", "concurrencyPolicy", "startingDeadlineSeconds", "suspend", "jobTemplate"})
_JOB = frozenset({"backoffLimit", "activeDeadlineSeconds", "template"})
_CONTAINER = frozenset({"name", "image", "command", "args", "env", "resources"})
_USUAL_BACKOFF_LIMIT = 6
_BACKOFF = {"retry_delay": 10, "backoff_factor": 2.0, "max_delay": 360, "jitter": 0}
_LARGEST_GRACE = 86_400


def import_cron_jobs(text: str, _name: str, options: Options) -> Imported:
    """Return the jobs of the CronJobs in a YAML or JSON text. Raise `InvalidInputError` if it has none."""
    found = Imported()
    objects = list(_objects(text))
    cron_jobs = [each for each in objects if each.get("kind") == "CronJob"]
    if not cron_jobs:
        raise refuse("has no object of the kind CronJob; write the output of `kubectl get cronjobs -A -o yaml`")
    found.note("", SANDBOX)
    for each in objects:
        if each not in cron_jobs:
            found.note(_key(each), f"the kind {each.get('kind')} is not imported")
    for each in cron_jobs:
        _add(found, each, options)
    return found


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        loaded = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise refuse(f"is not YAML: {' '.join(str(error).split())}") from None
    for each in loaded:
        items = each.get("items") if isinstance(each, dict) and str(each.get("kind", "")).endswith("List") else [each]
        yield from (item for item in items or () if isinstance(item, dict))


def _key(item: Mapping[str, Any]) -> str:
    about = _part(item, "metadata")
    return "/".join(filter(None, (about.get("namespace"), str(about.get("name") or "unnamed"))))


def _add(found: Imported, item: Mapping[str, Any], options: Options) -> None:
    key, spec = _key(item), _part(item, "spec")
    job = _part(_part(spec, "jobTemplate"), "spec")
    pod = _part(_part(job, "template"), "spec")
    document: Document = {"name": key}
    try:
        document["schedule_expr"], zone = read_schedule(str(spec.get("schedule", "")))
    except InvalidInputError as error:
        found.note(key, f"not imported: {error}")
        return
    document |= _zone(found, key, spec.get("timeZone") or zone or options.timezone)
    containers = pod.get("containers") or [{}]
    argv = [*map(str, containers[0].get("command") or ()), *map(str, containers[0].get("args") or ())]
    if not containers[0].get("command"):
        found.note(key, "not imported: the command is in the image, which cannot be run here; write it as `command`")
        return
    document["payload"] = {"type": "program", "argv": argv}
    document |= _policies(found, key, spec, job)
    document |= _container(found, key, containers[0])
    found.note(key, f"the image {containers[0].get('image')} is not used; its programs must be on the worker")
    found.note(key, *unread(spec, _SPEC), *unread(job, _JOB), *_pod_notes(pod, containers))
    if any("$(" in word for word in argv):
        found.note(key, "$(NAME) in the command is not replaced here; use a shell and $NAME")
    found.add(key, document)


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = item.get(name)
    return part if isinstance(part, Mapping) else {}


def _zone(found: Imported, key: str, zone: str | None) -> Document:
    if zone is None:
        found.note(key, "no timeZone: the schedule is read in UTC, in the cluster in the zone of its controller")
        return {}
    return {"timezone": zone}


def _policies(found: Imported, key: str, spec: Mapping[str, Any], job: Mapping[str, Any]) -> Document:
    document: Document = {"overlap_policy": _OVERLAPS.get(str(spec.get("concurrencyPolicy", "Allow")), "allow")}
    if (seconds := spec.get("startingDeadlineSeconds")) is not None:
        document |= {"misfire_policy": "skip", "misfire_grace_seconds": min(int(seconds), _LARGEST_GRACE)}
        found.note(key, "startingDeadlineSeconds: each instant within this time runs late, in the cluster the newest")
    if spec.get("suspend"):
        document["enabled"] = False
    if retries := int(job.get("backoffLimit", _USUAL_BACKOFF_LIMIT)):
        document["retry_policy"] = {"max_retries": min(retries, 100), **_BACKOFF}
    if (seconds := job.get("activeDeadlineSeconds")) is not None:
        document["timeout_seconds"] = seconds
        found.note(key, "activeDeadlineSeconds is for all attempts together; timeout_seconds is for each attempt")
    else:
        found.note(key, "no activeDeadlineSeconds: the cluster sets no time limit; here it is 300 s")
    return document


def _container(found: Imported, key: str, container: Mapping[str, Any]) -> Document:
    document: Document = {}
    for variable in container.get("env") or ():
        source = _part(_part(variable, "valueFrom"), "secretKeyRef")
        if "valueFrom" not in variable:
            document.setdefault("env", {})[variable["name"]] = str(variable.get("value", ""))
        elif source:
            name = f"{source.get('name')}-{source.get('key')}"
            document.setdefault("secrets", {})[variable["name"]] = name
            found.note(key, f"the variable {variable['name']} needs the secret {name}: `scheduler secrets set {name}`")
        else:
            found.note(key, f"the variable {variable['name']} is not imported: its value comes from the cluster")
    limits = _part(_part(container, "resources"), "limits")
    if "memory" in limits and (size := megabytes(str(limits["memory"]))):
        document["limits"] = {"memory_mb": size}
    found.note(key, *unread(limits, {"memory"}), *unread(container, _CONTAINER))
    return document


def _pod_notes(pod: Mapping[str, Any], containers: list[Any]) -> Iterator[str]:
    yield from unread(pod, {"containers", "restartPolicy"})
    if pod.get("restartPolicy") == "OnFailure":
        yield "restartPolicy OnFailure keeps the pod of a failed attempt; here each attempt has a new directory"
    if len(containers) > 1:
        yield f"{len(containers) - 1} further containers are not imported"
