"""The system calls that a job must do without, or has to ask for. Data for `seccomp`, for x86_64 and aarch64.

A number of -1 means that the processor's kernel has no such call.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from enum import StrEnum

NEWEST = 462
"""mseal(2) of Linux 6.10, the newest call that was reviewed; from 424 on all processors share the numbers."""

ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""AUDIT_ARCH_…: a call made for another processor (32-bit code, say) has other numbers, so it is refused as a whole."""

Numbers = tuple[int, int]

ADMINISTRATION: dict[str, Numbers] = {
    # Most of these need a capability anyway. Without the call, a mistake in the kernel's check does no harm.
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "create_module": (174, -1),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "vhangup": (153, 58),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    "_sysctl": (156, -1),
    "uselib": (134, -1),
    "ustat": (136, -1),
    "sysfs": (139, -1),
    "modify_ldt": (154, -1),
}
NAMESPACES_AND_MOUNTS: dict[str, Numbers] = {
    # A new user namespace gives a job all capabilities in it, and with them much of the kernel's untested code.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
}
OTHER_PROCESSES: dict[str, Numbers] = {
    # They read, write or steer other processes; jobs of the service's user could reach the service with them.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "perf_event_open": (298, 241),
}
KERNEL_ATTACK_SURFACE: dict[str, Numbers] = {
    # Hardly any program needs these, and keyrings and file handles pass by namespaces and Landlock.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lsm_set_self_attr": (460, 460),
}
WITH_FALLBACK: dict[str, Numbers] = {
    # These answer ENOSYS, as an older kernel would, and callers have another way.
    "clone3": (435, 435),  # its flags are behind a pointer, where no filter can look
    "openat2": (437, 437),  # so is the mode of the file that it makes, which may have set-user-ID
    "io_uring_setup": (425, 425),  # its operations pass by every filter
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),  # memory that no limit counts
    "memfd_secret": (447, 447),
    "io_setup": (206, 0),  # takes from a number that the whole host has, fs.aio-max-nr
}
PERSISTENT_IPC: dict[str, Numbers] = {
    # Without an IPC namespace these leave something behind, and reach what others left.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
FILE_WATCHES: dict[str, Numbers] = {
    # Landlock does not rule on these. A watch on a directory tells the names of all that others make in it.
    "inotify_init": (253, -1),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
}
OLD_TIME_CHANGES: dict[str, Numbers] = {
    # Landlock does not rule on these. Who may write a file may set its times to now, and some files anybody may write.
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
}
BROKERED_TIME_CHANGES: dict[str, Numbers] = {
    # The same, but ordinary programs want it for their own files; see `file_broker`.
    "utimensat": (280, 88),
}
BROKERED_FILE_CHANGES: dict[str, Numbers] = {
    # They matter where a job has the user id of the service, or of grants, whose files it owns.
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, -1),
    "lchown": (94, -1),
    "fchown": (93, 55),
    "fchownat": (260, 54),
}
BROKERED_ALLOCATION: dict[str, Numbers] = {
    # It takes any amount of disk in an instant, and RLIMIT_FSIZE does not hold for what lies beyond a file's end.
    "fallocate": (285, 47),
}
BROKERED_SHARED_MEMORY: dict[str, Numbers] = {
    # What shm_open(3), sem_open(3) and their kin call. Where /dev/shm is the host's, a supervisor gives a job its own.
    "open": (2, -1),
    "openat": (257, 56),
    "unlink": (87, -1),
    "unlinkat": (263, 35),
    "link": (86, -1),
    "linkat": (265, 37),
}
BROKERED_ADDRESSES: dict[str, Numbers] = {
    # What they name is behind a pointer, where no filter can look; see `socket_broker`.
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),  # names none, but gives a socket that has no address one that all can reach
}
WITH_OLDER_FORM: dict[str, Numbers] = {"fchmodat2": (452, 452)}
EXTENDED_ATTRIBUTES: dict[str, Numbers] = {
    # Landlock does not rule on these either, and a file that anybody may write takes attributes from anybody. They
    # answer ENOTSUP, as a file system without attributes does: `cp -p`, `install` and `sed -i` then go on without.
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
}


class Test(StrEnum):
    """How an argument is judged: its lower 32 bits, but all of it for IS_ZERO."""

    AMONG = "among"
    NOT_AMONG = "not_among"
    NO_BITS_OF = "no_bits_of"
    OUTSIDE = "outside"  # of a range, given as its first and its last value
    IS_ZERO = "is_zero"
    NEVER = "never"  # whatever the argument is, it does not pass


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """`numbers` goes on to its next rule, and in the end is allowed, only if its argument (0 is the first) passes.

    `otherwise` is what the filter answers if it does not pass: None stands for a failure with EPERM. With `when`, an
    argument and a value, the rule applies only to calls whose argument has that value.
    """

    numbers: Numbers
    argument: int
    test: Test
    values: tuple[int, ...]
    otherwise: int | None = None
    when: tuple[int, int] | None = None


CLONE, SOCKET, SOCKETPAIR, IOCTL = (56, 220), (41, 198), (53, 199), (16, 29)
SENDTO, SENDMSG, SENDMMSG, SETSOCKOPT = (44, 206), (46, 211), (307, 269), (54, 208)
MMAP = (9, 222)
_NEW_NAMESPACES = 0x7E02_0080  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | NEWTIME
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into a terminal as if at its keyboard
_TIOCSETD = 0x5423  # loads line disciplines into the kernel, some of them old and hardly ever used
_MSG_FASTOPEN = 0x2000_0000  # connects without connect(2), where Landlock would look
_FIRST_OF_INTERFACES, _LAST_OF_INTERFACES = 0x8910, 0x89FF  # ioctls that list and change interfaces and routes
_SOCKET_FLAGS = (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
USUAL_TYPES = tuple(kind | flags for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) for flags in _SOCKET_FLAGS)
CONNECTED_TYPES = tuple(kind | flags for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET) for flags in _SOCKET_FLAGS)
USUAL_PROTOCOLS = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP)  # no ICMP, MPTCP, SCTP, UDP-Lite
_ITSELF = (0,)
_FAIL = 0x0005_0000  # SECCOMP_RET_ERRNO, with an error number added
PRETEND_SUCCESS = _FAIL
"""Answers 0 to a call that is not made (SECCOMP_RET_ERRNO with the error number 0)."""
ASK = 0x7FC0_0000
"""Has the supervisor answer (SECCOMP_RET_USER_NOTIF); see `file_broker`."""
_SET_DUMPABLE = 4
_MAP_HUGETLB, _SHM_HUGETLB = 0x4_0000, 0o4000
_BUFFER_SIZES = (socket.SO_SNDBUF, socket.SO_RCVBUF)
_SOCKET_PROGRAMS = (26, 50, 51, 52)  # SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, …_EBPF

_SET_LEASE, _WATCH_DIRECTORY = 1024, 1026  # fcntl(2): F_SETLEASE, F_NOTIFY
_SET_ID_BITS = 0o6000  # set-user-ID, set-group-ID

COMMON_RULES = (
    ArgumentRule(CLONE, 0, Test.NO_BITS_OF, (_NEW_NAMESPACES,)),
    ArgumentRule(IOCTL, 1, Test.NOT_AMONG, (_TIOCSTI, _TIOCLINUX, _TIOCSETD)),
    ArgumentRule(IOCTL, 1, Test.OUTSIDE, (_FIRST_OF_INTERFACES, _LAST_OF_INTERFACES)),
    # A lease on a file that a job may read stops others from opening it; a watch tells the names of what others make.
    ArgumentRule((72, 25), 1, Test.NOT_AMONG, (_SET_LEASE, _WATCH_DIRECTORY)),
    # A program with these bits, in a directory of the operator, would lend the job's user id to everybody on the host.
    *(
        ArgumentRule(numbers, argument, Test.NO_BITS_OF, (_SET_ID_BITS,))
        for numbers, argument in (((90, -1), 1), ((91, 52), 1), ((268, 53), 2), ((452, 452), 2))  # chmod … fchmodat2
    ),
    *(
        ArgumentRule(numbers, argument, Test.NO_BITS_OF, (_SET_ID_BITS,))
        for numbers, argument in (((2, -1), 2), ((257, 56), 3), ((85, -1), 1), ((133, -1), 1), ((259, 33), 2))
    ),  # open, openat, creat, mknod, mknodat
    ArgumentRule((135, 92), 0, Test.AMONG, (0, 0xFFFF_FFFF)),  # personality: only to ask
    # Programs that hold secrets do this and want to hear no error. But memory and files of such a process go uncounted.
    ArgumentRule((157, 167), 0, Test.NOT_AMONG, (_SET_DUMPABLE,), PRETEND_SUCCESS),  # prctl
    ArgumentRule(SOCKETPAIR, 0, Test.AMONG, (socket.AF_UNIX,)),
    ArgumentRule(SENDTO, 3, Test.NO_BITS_OF, (_MSG_FASTOPEN,)),
    ArgumentRule(SENDMSG, 2, Test.NO_BITS_OF, (_MSG_FASTOPEN,)),
    ArgumentRule(SENDMMSG, 3, Test.NO_BITS_OF, (_MSG_FASTOPEN,)),
    # These options send somewhere else than the address says: through another interface, or by way of another host.
    ArgumentRule(SETSOCKOPT, 2, Test.NOT_AMONG, (25, 62), when=(1, socket.SOL_SOCKET)),  # SO_BINDTODEVICE, …IFINDEX
    # IP_OPTIONS, IP_RETOPTS, IP_FREEBIND, IP_TRANSPARENT, IP_MULTICAST_IF, IP_UNICAST_IF, joining a multicast group
    ArgumentRule(SETSOCKOPT, 2, Test.NOT_AMONG, (4, 7, 15, 19, 32, 35, 39, 42, 46, 50), when=(1, socket.IPPROTO_IP)),
    # IPV6_2292PKTOPTIONS, IPV6_2292RTHDR, IPV6_MULTICAST_IF, IPV6_JOIN_GROUP, MCAST_JOIN_…, IPV6_PKTINFO,
    # IPV6_RTHDR, IPV6_UNICAST_IF, IPV6_FREEBIND
    ArgumentRule(
        SETSOCKOPT, 2, Test.NOT_AMONG, (5, 6, 17, 20, 42, 46, 50, 57, 75, 76, 78), when=(1, socket.IPPROTO_IPV6)
    ),
    # Kernel memory that no limit counts. The kernel, too, takes the size of a buffer only as a wish, so callers go on.
    ArgumentRule(SETSOCKOPT, 2, Test.NOT_AMONG, _BUFFER_SIZES, PRETEND_SUCCESS, (1, socket.SOL_SOCKET)),
    ArgumentRule(SETSOCKOPT, 2, Test.NOT_AMONG, _SOCKET_PROGRAMS, when=(1, socket.SOL_SOCKET)),
    ArgumentRule(MMAP, 3, Test.NO_BITS_OF, (_MAP_HUGETLB,), _FAIL | errno.ENOMEM),  # as where the host has none
    ArgumentRule((29, 194), 2, Test.NO_BITS_OF, (_SHM_HUGETLB,)),  # shmget
)
BROKERED_PROCESS_CHANGES: dict[str, tuple[Numbers, int]] = {
    # The call, and the argument that names a process: 0 for the caller itself.
    "prlimit64": ((302, 261), 0),
    "sched_setaffinity": ((203, 122), 0),
    "sched_setscheduler": ((144, 119), 0),
    "sched_setparam": ((142, 118), 0),
    "sched_setattr": ((314, 274), 0),
    "setpriority": ((141, 140), 1),
    "ioprio_set": ((251, 30), 1),
}
ITSELF_ONLY_RULES = (
    # These reach every process of the same user. Of the processes of its own run the supervisor allows a job to do so.
    ArgumentRule(BROKERED_PROCESS_CHANGES["setpriority"][0], 0, Test.AMONG, (0,)),  # PRIO_PROCESS
    ArgumentRule(BROKERED_PROCESS_CHANGES["ioprio_set"][0], 0, Test.AMONG, (1,)),  # IOPRIO_WHO_PROCESS
    *(
        ArgumentRule(numbers, argument, Test.AMONG, _ITSELF, ASK)
        for numbers, argument in BROKERED_PROCESS_CHANGES.values()
    ),
)
