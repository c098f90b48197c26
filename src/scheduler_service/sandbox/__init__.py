"""Runs untrusted commands; stands alone and imports nothing else of this project."""

from scheduler_service.sandbox.choice import Choice, ChosenSandbox, create
from scheduler_service.sandbox.environment import PythonEnvironment
from scheduler_service.sandbox.network_policy import NetworkPolicy
from scheduler_service.sandbox.plain import PlainSandbox
from scheduler_service.sandbox.probe import Finding, best_level, probe
from scheduler_service.sandbox.spec import (
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
from scheduler_service.sandbox.warm import WarmSandbox

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
    "PlainSandbox",
    "Program",
    "PythonCode",
    "PythonEnvironment",
    "Sandbox",
    "SandboxError",
    "Script",
    "Spec",
    "Usage",
    "WarmSandbox",
    "best_level",
    "create",
    "probe",
]
