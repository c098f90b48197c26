"""The exact n-th Fibonacci number, with F(0) = 0 and F(1) = 1."""

from decimal import MAX_EMAX, Context, Inexact, localcontext
from decimal import Decimal as Exact


def compute(n: int) -> dict[str, object]:
    """Return F(n) by fast doubling: F(2k) = F(k) (2 F(k+1) - F(k)) and F(2k+1) = F(k)² + F(k+1)².

    The computation is decimal, because converting a binary integer of n bits to digits takes time quadratic in n.
    """
    with localcontext(Context(prec=n // 4 + 10, Emax=MAX_EMAX, traps=[Inexact])):
        current, following = Exact(0), Exact(1)
        for bit in f"{n:b}":
            doubled = current * (2 * following - current)
            following = current * current + following * following
            current = doubled
            if bit == "1":
                current, following = following, current + following
        value = f"{current:f}"
    return {"operation": "fibonacci", "n": n, "value": value, "digits": len(value)}
