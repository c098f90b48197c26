"""The user of grants: runs that write to the operator's directories have it, so that their files stay theirs.

Unlike a user of the run's own, several runs and daemons of the host may have it at once. So nothing is killed or
counted by that user id. At `strict` namespaces keep the runs apart. At `standard` they are held as jobs of a plain
service are: by the filter, the file broker, and Landlock, which must be able to confine signals.
"""

from __future__ import annotations

from scheduler_service.sandbox.contract.layers import Layer, layers_with_granted_user
from scheduler_service.sandbox.contract.spec import Isolation
from scheduler_service.sandbox.kernel import landlock

_REFUSAL = (
    "this host cannot confine the signals of runs that share SCHEDULER_GRANTS_USER: its Landlock has ABI {abi}, and "
    "ABI {needed} is needed (Linux 6.12); use the level strict, or unset SCHEDULER_GRANTS_USER"
)


def why_not_shared(layers: frozenset[Layer]) -> str:
    """Return why no run may have the user of grants on this host; "" if one may."""
    if Layer.PID_NAMESPACE in layers or landlock.abi() >= landlock.SCOPE_ABI:
        return ""
    return _REFUSAL.format(abi=landlock.abi(), needed=landlock.SCOPE_ABI)


def isolation_with_granted_user(isolation: Isolation) -> Isolation:
    """Return what a run with the user of grants records."""
    layers = layers_with_granted_user(frozenset(map(Layer, isolation.layers)))
    return Isolation(isolation.level, tuple(sorted(layers)))
