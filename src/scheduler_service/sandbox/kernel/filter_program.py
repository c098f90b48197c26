"""Writing a system call filter as a program of the kernel's classic BPF; see the kernel's seccomp_filter.rst.

The kernel works through the program at each call of a job, and once for every number when the filter is enforced. So
it is a tree: a call's answer is some ten comparisons away, where a list of all numbers would be hundreds long.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Mapping

from scheduler_service.sandbox.kernel.syscall_table import ARCHITECTURES, ArgumentRule, Test
from scheduler_service.sandbox.kernel.syscalls import MACHINES, machine

ALLOW, FAIL, KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
"""What can be answered to a call, beside ASK; FAIL with an error number added."""

_LOAD, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_FURTHEST = 255
Code = list[bytes]


def write_program(answers: Mapping[int, int], rules: Iterable[ArgumentRule], beyond: int) -> bytes:
    """Write the filter for this processor, as instructions (struct sock_filter).

    `answers` says what is answered to which call, `rules` judge the arguments of others; a negative number is no call.
    From the number `beyond` on nothing exists (ENOSYS), and what neither speaks of is allowed. A call made for another
    processor kills the process.
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
    """Find the range that the call's number lies in by halving; each branch ends with an answer."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    low, high = _search(ranges[:middle]), _search(ranges[middle:])
    first = ranges[middle][0]
    if len(low) <= _FURTHEST:
        return [_instruction(_AT_LEAST, first, len(low), 0), *low, *high]
    return [_instruction(_AT_LEAST, first, 0, 1), _instruction(_JUMP, len(low)), *low, *high]


def _judge(rule: ArgumentRule) -> Code:
    """Test one argument, and go on after it unless the call is refused."""
    refusal = FAIL | errno.EPERM if rule.otherwise is None else rule.otherwise
    code = [_load(rule.argument), *_tests(rule), _instruction(_RETURN, refusal)]
    if rule.when is None:
        return code
    argument, value = rule.when
    return [_load(argument), _instruction(_EQUAL, value, 0, len(code)), *code]


def _load(argument: int, half: int = 0) -> bytes:
    """Load the lower half of an argument, or the upper one if `half` is 1: both processors are little-endian."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * argument + 4 * half)


def _tests(rule: ArgumentRule) -> Code:
    """Jump over the refusal, which follows, if the argument passes."""
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
