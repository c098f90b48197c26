"""The layers of containment, and the layers of each level."""

from __future__ import annotations

from enum import StrEnum

from scheduler_service.sandbox.contract.spec import Level


class Layer(StrEnum):
    """One means of containment. A run records the layers that it had."""

    PID_NAMESPACE = "pid_namespace"
    MOUNT_NAMESPACE = "mount_namespace"
    IPC_NAMESPACE = "ipc_namespace"
    NETWORK_NAMESPACE = "network_namespace"
    USER_NAMESPACE = "user_namespace"
    OWN_USER = "own_user"
    GRANTED_USER = "granted_user"
    CAPABILITIES = "capabilities"
    NO_NEW_PRIVILEGES = "no_new_privileges"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    SOCKET_BROKER = "socket_broker"
    RESOURCE_LIMITS = "resource_limits"
    WATCH = "watch"
    CGROUP = "cgroup"
    ENVIRONMENT = "environment"
    DESCRIPTORS = "descriptors"
    REAPER = "reaper"


_EVERYWHERE = frozenset(
    {
        Layer.CAPABILITIES,
        Layer.NO_NEW_PRIVILEGES,
        Layer.LANDLOCK,
        Layer.SECCOMP,
        Layer.SOCKET_BROKER,
        Layer.RESOURCE_LIMITS,
        Layer.WATCH,
        Layer.ENVIRONMENT,
        Layer.DESCRIPTORS,
        Layer.REAPER,
    }
)
_STRICT = frozenset({Layer.PID_NAMESPACE, Layer.MOUNT_NAMESPACE, Layer.IPC_NAMESPACE, Layer.NETWORK_NAMESPACE})


def layers_of(level: Level, *, as_root: bool) -> frozenset[Layer]:
    """Return the layers of a run at `level`. As root, each run has a user id of its own.

    No level promises a cgroup: it is added if the host delegates one.
    """
    if level is Level.NONE:
        return frozenset()
    layers = _EVERYWHERE | ({Layer.OWN_USER} if as_root else set())
    if level is Level.STRICT:
        layers |= _STRICT | (set() if as_root else {Layer.USER_NAMESPACE})
    return layers


def layers_with_granted_user(layers: frozenset[Layer]) -> frozenset[Layer]:
    """Return the layers of a run that writes to the operator's directories as the user of grants.

    Other runs, and daemons of the host, may have that user at the same time.
    """
    return layers - {Layer.OWN_USER} | {Layer.GRANTED_USER}
