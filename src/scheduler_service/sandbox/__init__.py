"""Runs untrusted commands; stands alone and imports nothing else of this project."""

from scheduler_service.sandbox.choice import Choice, ChosenSandbox, create
from scheduler_service.sandbox.contract.environment import PythonEnvironment
from scheduler_service.sandbox.contract.network_policy import NetworkPolicy
from scheduler_service.sandbox.contract.spec import (
    Cancel,
    Command,
    End,
    Isolation,
    Level,
    Limits,
    OnOutput,
    Outcome,
    Program,
    PythonCode,
    Sandbox,
    SandboxError,
    Script,
    Spec,
    Usage,
)
from scheduler_service.sandbox.probe import Finding, best_level, probe
from scheduler_service.sandbox.subprocess_sandbox import SubprocessSandbox
from scheduler_service.sandbox.zygote_sandbox import ZygoteSandbox

__all__ = [
    "Cancel",
    "Choice",
    "ChosenSandbox",
    "Command",
    "End",
    "Finding",
    "Isolation",
    "Level",
    "Limits",
    "NetworkPolicy",
    "OnOutput",
    "Outcome",
    "Program",
    "PythonCode",
    "PythonEnvironment",
    "Sandbox",
    "SandboxError",
    "Script",
    "Spec",
    "SubprocessSandbox",
    "Usage",
    "ZygoteSandbox",
    "best_level",
    "create",
    "probe",
]
