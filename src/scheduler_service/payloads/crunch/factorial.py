"""The exact factorial of n."""

from decimal import MAX_EMAX, Context, Inexact, localcontext
from decimal import Decimal as Exact
from math import lgamma, log


def compute(n: int) -> dict[str, object]:
    """Return n!, computed by multiplying halves of the range so that the factors have similar sizes.

    The computation is decimal, because converting a binary integer of n bits to digits takes time quadratic in n.
    """
    digits = int(lgamma(n + 1) / log(10)) + 2
    with localcontext(Context(prec=digits, Emax=MAX_EMAX, traps=[Inexact])):
        value = f"{_product(1, n):f}"
    return {"operation": "factorial", "n": n, "value": value, "digits": len(value)}


def _product(first: int, last: int) -> Exact:
    if first >= last:
        return Exact(max(last, 1))
    middle = (first + last) // 2
    return _product(first, middle) * _product(middle + 1, last)
