"""Reads assignments in Python source without executing it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from scheduler_service.features.apply.importers.imported import refuse

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Mult: lambda left, right: left * right,
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Div: lambda left, right: left / right,
}
_MAX_FACTOR = 10**9


class Unknown:
    """A value that only the program itself knows."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, such as `crontab(hour=3)`."""

    name: str
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)

    def argument(self, place: int, name: str) -> Any:
        """Return an argument by its name or place, or None."""
        if name in self.named:
            return self.named[name]
        return self.positional[place] if place < len(self.positional) else None


def read_settings(text: str, names: Iterable[str]) -> dict[str, Any]:
    """Return the values that a source assigns to names: `X = …`, `app.conf.x = …` and `app.conf.update(x=…)`.

    Raise `InvalidInputError` if it is not Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise refuse(f"is not Python: {error}") from None
    wanted = frozenset(names)
    return {name: _value(value) for name, value in _assignments(tree) if name in wanted}


def _assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((_last_name(target), node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield _last_name(node.target), node.value
        elif isinstance(node, ast.Call) and _last_name(node.func) == "update":
            yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)


def _last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, or of a text index: `c` of `a.b.c` and of `a["c"]`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def _value(node: ast.expr) -> Any:  # noqa: PLR0911 (one for each kind of expression)
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand)
            return -value if isinstance(value, int | float) else Unknown()
        case ast.BinOp(left=left, op=operator, right=right):
            return _calculated(operator, _value(left), _value(right))
        case ast.Call():
            return _call(node)
    return Unknown()


def _calculated(operator: ast.operator, left: Any, right: Any) -> Any:
    calculate = _ARITHMETIC.get(type(operator))
    numbers = (left, right)
    if calculate is None or not all(isinstance(each, int | float) and abs(each) < _MAX_FACTOR for each in numbers):
        return Unknown()
    try:
        return calculate(left, right)
    except ZeroDivisionError:
        return Unknown()


def _call(node: ast.Call) -> Any:
    positional = tuple(map(_value, node.args))
    named = {keyword.arg: _value(keyword.value) for keyword in node.keywords if keyword.arg}
    name = _last_name(node.func)
    if name == "timedelta":
        try:
            return timedelta(*positional, **named)
        except (TypeError, OverflowError):
            return Unknown()
    return Call(name, positional, named)
