"""The Kubernetes manifests: complete, in step with the settings, and confined."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.deploy.documented import ROLES, ROOT, documented, known_variables

FOLDER = ROOT / "deploy/kubernetes"


@cache
def objects() -> list[dict[str, Any]]:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [found for name in listed for found in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects() if found["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: found["spec"]["template"] for name, found in (of_kind("Deployment") | of_kind("Job")).items()}


def container_of(role: str) -> dict[str, Any]:
    (container,) = pods()[role]["spec"]["containers"]
    return dict(container)


def test_kustomization_lists_every_file_and_role() -> None:
    listed = set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"])

    assert listed == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(pods()) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_pod_runs_a_documented_command_without_privileges(role: str) -> None:
    pod, container = pods()[role]["spec"], container_of(role)

    assert documented(container["command"])
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["seccompProfile"]) == (
        True,
        {"type": "RuntimeDefault"},
    )
    assert not pod["automountServiceAccountToken"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_every_variable_is_a_setting() -> None:
    assert set(of_kind("ConfigMap")["scheduler"]["data"]) <= known_variables()


@pytest.mark.parametrize("role", ["api", "beat", "worker"])
def test_role_has_two_pods_a_disruption_budget_and_a_probe(role: str) -> None:
    assert of_kind("Deployment")[role]["spec"]["replicas"] >= 2
    assert of_kind("PodDisruptionBudget")[role]["spec"]["maxUnavailable"] == 1
    assert "livenessProbe" in container_of(role)


def test_every_selector_matches_pods() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods().values()]
    selectors = [found["spec"]["selector"] for found in of_kind("Service").values()]
    selectors += [found["spec"]["selector"]["matchLabels"] for found in of_kind("PodDisruptionBudget").values()]

    assert all(any(selector.items() <= label.items() for label in labels) for selector in selectors)


def test_beats_reach_the_internet_and_workers_do_not() -> None:
    policies = of_kind("NetworkPolicy")
    out = {name: policy["spec"] for name, policy in policies.items() if "Egress" in policy["spec"]["policyTypes"]}

    assert set(out) == {"scheduler", "alerts"}
    assert out["alerts"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "beat"
    (rule,) = out["alerts"]["egress"]
    blocks = {block["ipBlock"]["cidr"]: block["ipBlock"]["except"] for block in rule["to"]}
    assert set(blocks) == {"0.0.0.0/0", "::/0"}
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(blocks["0.0.0.0/0"])


def test_worker_has_longer_to_stop_than_its_drain() -> None:
    drain_seconds = float(of_kind("ConfigMap")["scheduler"]["data"]["SCHEDULER_DRAIN_SECONDS"])

    assert pods()["worker"]["spec"]["terminationGracePeriodSeconds"] >= drain_seconds + 10


def test_workers_are_scaled_by_an_existing_metric() -> None:
    (metric,) = of_kind("HorizontalPodAutoscaler")["worker"]["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    sources = (ROOT / "src/scheduler_service").rglob("*.py")

    assert any(name in path.read_text(encoding="utf-8") or "queue_length" in path.name for path in sources), name
    assert Path(ROOT / "deploy").is_dir()
