"""System call filters as programs of the kernel's classic BPF; see the kernel's seccomp_filter.rst.

The kernel executes the program at each call of a job, and once for every number when the filter is enforced. So the
program is a binary search: a call needs some ten comparisons, where a list of all numbers would need hundreds.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Mapping

from scheduler_service.sandbox.kernel.syscall_table import ARCHITECTURES, ArgumentRule, Test
from scheduler_service.sandbox.kernel.syscalls import MACHINES, machine

ALLOW, FAIL, KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
"""Answers to a call, besides ASK. An error number is added to FAIL."""

_LOAD, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_FURTHEST = 255  # a conditional jump has 8 bits for its distance
Code = list[bytes]


def write_program(answers: Mapping[int, int], rules: Iterable[ArgumentRule], beyond: int) -> bytes:
    """Return the filter for this processor, as instructions (struct sock_filter).

    `answers` has the answers to calls by their numbers; a negative number is no call. `rules` judge the arguments of
    others. All remaining calls are allowed, but those from the number `beyond` on do not exist (ENOSYS). A call made
    for another processor kills the process.
    """
    fixed = {number: [_instruction(_RETURN, action)] for number, action in answers.items()}
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, ARCHITECTURES[machine()], 1, 0),
        _instruction(_RETURN, KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
        *_search(_ranges(_judgements(rules) | fixed, beyond)),
    ]
    return b"".join(program)


def _judgements(rules: Iterable[ArgumentRule]) -> dict[int, Code]:
    judged: dict[int, Code] = {}
    for rule in rules:
        judged.setdefault(rule.numbers[MACHINES.index(machine())], []).extend(_judge(rule))
    return {number: [*code, _instruction(_RETURN, ALLOW)] for number, code in judged.items()}


def _ranges(special: Mapping[int, Code], beyond: int) -> list[tuple[int, Code]]:
    """Return the first number of each range of calls that are answered alike, from 0 on."""
    allow, absent = [_instruction(_RETURN, ALLOW)], [_instruction(_RETURN, FAIL | errno.ENOSYS)]
    numbers = [number for number in special if 0 <= number < beyond]
    ranges: list[tuple[int, Code]] = []
    for first in sorted({0, *numbers, *(number + 1 for number in numbers), beyond}):
        code = special.get(first, allow) if first < beyond else absent
        if not ranges or ranges[-1][1] != code:
            ranges.append((first, code))
    return ranges


def _search(ranges: list[tuple[int, Code]]) -> Code:
    """Return a binary search for the range of the call's number. Each branch ends with an answer."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _search(ranges[:middle]), _search(ranges[middle:])
    first = ranges[middle][0]
    if len(low) <= _FURTHEST:
        return [_instruction(_AT_LEAST, first, len(low), 0), *low, *high]
    return [_instruction(_AT_LEAST, first, 0, 1), _instruction(_JUMP, len(low)), *low, *high]


def _judge(rule: ArgumentRule) -> Code:
    """Return the test of one argument, after which the program continues unless the call is refused."""
    refusal = FAIL | errno.EPERM if rule.otherwise is None else rule.otherwise
    code = [_load(rule.argument), *_tests(rule), _instruction(_RETURN, refusal)]
    if rule.when is None:
        return code
    argument, value = rule.when
    return [_load(argument), _instruction(_EQUAL, value, 0, len(code)), *code]


def _load(argument: int, half: int = 0) -> bytes:
    """Return the load of an argument's lower half, or of its upper one. Both processors are little-endian."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * argument + 4 * half)


def _tests(rule: ArgumentRule) -> Code:
    """Return instructions that jump over the refusal, which follows, if the argument passes."""
    count = len(rule.values)
    match rule.test:
        case Test.AMONG:
            return [_instruction(_EQUAL, value, count - place, 0) for place, value in enumerate(rule.values)]
        case Test.NOT_AMONG:
            to_refusal = [_instruction(_EQUAL, value, count - place, 0) for place, value in enumerate(rule.values)]
            return [*to_refusal, _instruction(_EQUAL, rule.values[0], 0, 1)]
        case Test.NO_BITS_OF:
            return [_instruction(_ANY_BIT, rule.values[0], 0, 1)]
        case Test.OUTSIDE:
            first, last = rule.values
            return [_instruction(_AT_LEAST, first, 0, 2), _instruction(_AT_LEAST, last + 1, 1, 0)]
        case Test.IS_ZERO:
            upper = _load(rule.argument, half=1)
            return [_instruction(_EQUAL, 0, 0, 2), upper, _instruction(_EQUAL, 0, 1, 0)]
        case Test.NEVER:
            return []


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
