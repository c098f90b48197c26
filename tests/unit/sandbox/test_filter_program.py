"""The system call filter, interpreted as the kernel does, compared with its tables."""

from __future__ import annotations

import errno
import itertools
import socket
import struct
from functools import cache

import pytest

from scheduler_service.sandbox.kernel import seccomp
from scheduler_service.sandbox.kernel import syscall_table as table
from scheduler_service.sandbox.kernel.filter_program import ALLOW, FAIL, KILL_PROCESS, write_program
from scheduler_service.sandbox.kernel.seccomp import Policy, Sockets, assemble
from scheduler_service.sandbox.kernel.syscall_table import ASK, ArgumentRule
from scheduler_service.sandbox.kernel.syscalls import MACHINES, machine

HERE = MACHINES.index(machine())
REFUSED, ABSENT = FAIL | errno.EPERM, FAIL | errno.ENOSYS
_EVERYBODYS = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
POLICIES = [
    *(
        Policy((), Sockets.BROKERED, namespaced, shared_ids, own_files)
        for namespaced, shared_ids, own_files in itertools.product((True, False), repeat=3)
    ),
    *(
        Policy(families, sockets, namespaced=False, shared_ids=True, own_files=False)
        for families, sockets in (
            ((socket.AF_UNIX,), Sockets.BROKERED),
            (_EVERYBODYS, Sockets.BROKERED),
            ((), Sockets.PAIRED),
            (_EVERYBODYS, Sockets.FREE),
        )
    ),
]
_FLAGS = (7, 10, 17, 26, 132, 0x80, 0o4000, 0x1_0080, 0x2_0080, 0x4_0000)
ARGUMENTS = (0, 1, 2, 4, *_FLAGS, 0x5412, 0x541C, 0x8912, 0x1000_0000, 0x2000_0000, 0xFFFF_FF9C, 0xFFFF_FFFF)
CALLS = (*range(table.NEWEST + 20), 0x4000_0000, 0xFFFF_FFFF)


def answer(program: bytes, number: int, arguments: tuple[int, ...] = (0,) * 6, architecture: int | None = None) -> int:
    """Return the program's answer to one call."""
    return work_through(program, number, arguments, architecture)[0]


def work_through(
    program: bytes, number: int, arguments: tuple[int, ...] = (0,) * 6, architecture: int | None = None
) -> tuple[int, int]:
    """Interpret the program for one call. Return its answer and the number of steps."""
    own = table.ARCHITECTURES[machine()] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, own, 0, *arguments)
    instructions = read(program)
    loaded = place = 0
    for steps in itertools.count(1):
        code, if_true, if_false, value = instructions[place]
        place += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", data, value)
            case 0x05:
                place += value
            case 0x15:
                place += if_true if loaded == value else if_false
            case 0x35:
                place += if_true if loaded >= value else if_false
            case 0x45:
                place += if_true if loaded & value else if_false
            case 0x06:
                return value, steps
    raise AssertionError("it never ends")


@cache
def read(program: bytes) -> list[tuple[int, ...]]:
    """Return the instructions of a program: code, two jumps and a value."""
    return list(struct.iter_unpack("=HBBI", program))


def expected(policy: Policy, number: int, arguments: tuple[int, ...]) -> int:
    """Return the answers that the tables ask for, without any search."""
    if number > table.NEWEST:
        return ABSENT
    for calls, action in seccomp._denied(policy):
        if number in {numbers[HERE] for numbers in calls.values()}:
            return action
    for rule in seccomp._rules(policy):
        if rule.numbers[HERE] == number and not passes(rule, arguments):
            return REFUSED if rule.otherwise is None else rule.otherwise
    return ALLOW


def passes(rule: ArgumentRule, arguments: tuple[int, ...]) -> bool:
    if rule.when is not None and arguments[rule.when[0]] != rule.when[1]:
        return True
    argument = arguments[rule.argument]
    judged = {
        table.Test.AMONG: argument in rule.values,
        table.Test.NOT_AMONG: argument not in rule.values,
        table.Test.NO_BITS_OF: not (argument & rule.values[0] if rule.values else 0),
        table.Test.OUTSIDE: not (rule.values and rule.values[0] <= argument <= rule.values[-1]),
        table.Test.IS_ZERO: argument == 0,
        table.Test.NEVER: False,
    }
    return judged[rule.test]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_filter_answers_as_its_tables(policy: Policy) -> None:
    program = assemble(policy)
    for number in CALLS:
        assert answer(program, number) == expected(policy, number, (0,) * 6), number


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_filter_judges_arguments_as_its_tables(policy: Policy) -> None:
    program = assemble(policy)
    for rule in seccomp._rules(policy):
        for first, argument in itertools.product((0, socket.AF_UNIX, socket.AF_INET, socket.SOL_TCP), ARGUMENTS):
            given = [first] * 6
            given[rule.argument] = argument
            number = rule.numbers[HERE]
            assert answer(program, number, tuple(given)) == expected(policy, number, tuple(given)), (rule, given)


def test_rule_reads_the_lower_half_of_an_argument() -> None:
    program = write_program({}, [ArgumentRule((7, 7), 0, table.Test.AMONG, (1,))], beyond=10)
    assert answer(program, 7, (1 << 32 | 1, 0, 0, 0, 0, 0)) == ALLOW


def test_rule_reads_both_halves_of_a_pointer() -> None:
    program = write_program({}, [ArgumentRule((7, 7), 4, table.Test.IS_ZERO, (), ASK)], beyond=10)
    pointers = (0, 1, 1 << 32, 1 << 32 | 1)
    assert [answer(program, 7, (0, 0, 0, 0, pointer, 0)) for pointer in pointers] == [ALLOW, ASK, ASK, ASK]


def test_answer_wins_over_a_rule() -> None:
    program = write_program({7: ASK}, [ArgumentRule((7, 7), 0, table.Test.AMONG, (1,))], beyond=10)
    assert answer(program, 7) == ASK


def test_next_rule_applies_when_the_condition_does_not_hold() -> None:
    rules = [
        ArgumentRule((7, 7), 0, table.Test.AMONG, (1,), FAIL, (1, 5)),
        ArgumentRule((7, 7), 0, table.Test.AMONG, (2,)),
    ]
    program = write_program({}, rules, beyond=10)
    assert [answer(program, 7, (first, second, 0, 0, 0, 0)) for first, second in ((2, 5), (1, 5), (2, 6), (1, 6))] == [
        FAIL,
        REFUSED,
        ALLOW,
        REFUSED,
    ]


def test_call_is_skipped_when_the_processor_lacks_it() -> None:
    program = write_program({-1: REFUSED}, [ArgumentRule((-1, -1), 0, table.Test.AMONG, (1,))], beyond=10)
    assert [answer(program, number) for number in (0, 9, 10, 0xFFFF_FFFF)] == [ALLOW, ALLOW, ABSENT, ABSENT]


def test_every_branch_is_reached_when_the_program_is_large() -> None:
    answers = {number: FAIL | number for number in range(0, 2000, 2)}
    program = write_program(answers, [], beyond=2000)
    for number in range(2000):
        assert answer(program, number) == answers.get(number, ALLOW)


def test_process_is_killed_when_it_calls_as_another_processor() -> None:
    assert answer(assemble(POLICIES[0]), 0, architecture=0x4000_0003) == KILL_PROCESS


def test_filter_answers_within_a_few_steps() -> None:
    """The kernel executes the filter for each number when it is enforced, and at each call of a job."""
    program = assemble(POLICIES[0])
    assert max(work_through(program, number)[1] for number in CALLS if number != table.SETSOCKOPT[HERE]) < 25
