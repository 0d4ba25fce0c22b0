"""Money as integer minor units, so that parts sum to their total exactly.

One minor unit is 10^-8 of the quote currency. Prices and quantities are exact decimals; a value
`price x quantity` is rounded once, half to even, and every cost component is a difference of such
rounded values, so that the components telescope to the total whatever the rounding did.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction

MINOR_DIGITS = 8
"""Decimal digits of the quote currency that one minor unit stands for."""
MINOR_PER_UNIT: int = 10**MINOR_DIGITS

# wide enough that no product of decimals of a ledger, or of one and a float, is rounded before we
# round it on purpose; what is wider still is an error there and counted in fractions instead
EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])


def to_minor(amount: Decimal | Fraction | int) -> int:
    """Return an amount of the quote currency in minor units, rounded half to even.

    Example:
        >>> to_minor(Decimal("26.3725275"))
        2637252750
        >>> to_minor(Decimal("0.000000005")), to_minor(Decimal("0.000000015"))
        (0, 2)
    """
    if isinstance(amount, Decimal):
        try:
            return int(amount.scaleb(MINOR_DIGITS, EXACT).to_integral_value(ROUND_HALF_EVEN))
        except Inexact:
            pass  # more digits than the context has
    return round(Fraction(amount) * MINOR_PER_UNIT)


def value_minor(price: Decimal, quantity: Decimal) -> int:
    """Return `price x quantity` in minor units, rounded once, half to even.

    Example:
        >>> value_minor(Decimal("95900.1"), Decimal("0.5"))
        4795005000000
    """
    try:
        return to_minor(EXACT.multiply(price, quantity))
    except Inexact:
        return to_minor(Fraction(price) * Fraction(quantity))


def quotient_minor(quantity: Decimal, price: Decimal) -> int:
    """Return `quantity / price` in minor units, rounded once, half to even.

    It is what contracts that settle in their base asset are worth: `quantity` quote units at a
    price in quote units for one base unit.

    Example:
        >>> quotient_minor(Decimal(10_000), Decimal(30_000))
        33333333
    """
    return to_minor(Fraction(quantity) / Fraction(price))


def minor_text(amount_minor: int) -> str:
    """Return minor units as exact decimal text with all digits.

    Example:
        >>> minor_text(-2637252750)
        '-26.37252750'
    """
    sign = "-" if amount_minor < 0 else ""
    whole, fraction = divmod(abs(amount_minor), MINOR_PER_UNIT)
    return f"{sign}{whole}.{fraction:0{MINOR_DIGITS}d}"


def from_minor_text(text: str) -> int:
    """Return minor units of `minor_text`'s text; raises ValueError on anything else.

    Example:
        >>> from_minor_text("-26.37252750")
        -2637252750
    """
    body = text.removeprefix("-")
    whole, point, fraction = body.partition(".")
    if not (point and whole.isdecimal() and fraction.isdecimal() and len(fraction) == MINOR_DIGITS):
        raise ValueError(f"not an amount with {MINOR_DIGITS} decimals: {text!r}")
    value: int = int(whole) * MINOR_PER_UNIT + int(fraction)
    return -value if text.startswith("-") else value


def from_minor(amount_minor: int) -> Decimal:
    """Return minor units as a Decimal of the quote currency."""
    return EXACT.multiply(Decimal(amount_minor), Decimal(1).scaleb(-MINOR_DIGITS))


def bps(amount_minor: int, notional_minor: int) -> float:
    """Return an amount in basis points of a notional; nan where the notional is 0.

    Python divides two ints to the nearest float, so the figure does not depend on any order.

    Example:
        >>> bps(5, 10_000)
        5.0
    """
    return amount_minor * 10_000 / notional_minor if notional_minor else float("nan")


def split_exactly(total: int, weights: Sequence[int]) -> list[int]:
    """Split an integer in proportion to weights so that the parts sum to it (largest remainder).

    Ties go to the earlier part.

    Args:
        total: The integer to split, any sign.
        weights: Non-negative integers, not all 0.

    Example:
        >>> split_exactly(-10, [1, 1, 1])
        [-4, -3, -3]
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all 0")
    size = abs(total)
    parts = [size * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(size * weights[i] % whole), i))
    for i in by_remainder[: size - sum(parts)]:
        parts[i] += 1
    return [-part for part in parts] if total < 0 else parts
