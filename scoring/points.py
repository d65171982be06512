"""Exact points (分): strict reading, plain writing, one named rounding. Never float."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction

ZERO = Decimal(0)

#: Places kept by a division for which the notice prints no places (the notice itself: 三位小数, L468).
QUOTIENT_PLACES = 6

#: Digits accepted on each side of the decimal point.
MAX_WHOLE_DIGITS = 12
MAX_PLACES = 6

#: Sums and products must be exact: a result that would need rounding raises instead.
EXACT = Context(prec=100, rounding=ROUND_HALF_UP, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDING = Context(prec=200, rounding=ROUND_HALF_UP)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)


class PointsError(ValueError):
    """A text or number that is not an exact amount of points."""


def parse_points(text: str, *, signed: bool = False) -> Decimal:
    """Read points (分) or a measured number strictly: ASCII digits, at most one dot, no exponent, no blank.

    A leading minus is read only with `signed=True`. Float, int and Decimal are refused with TypeError.
    """
    value = read_exact(text)
    if text.startswith("-") and not signed:
        raise PointsError(f"“{text}”不能是负数")
    problem = size_problem(value)
    if problem:
        raise PointsError(f"“{text}”{problem}")
    return value


def read_exact(text: str) -> Decimal:
    """Read what `format_points` wrote, of any size and sign."""
    if not isinstance(text, str):
        raise TypeError(f"points are read from text, not from {type(text).__name__}")
    if not _NUMBER.fullmatch(text):
        raise PointsError(f"“{text}”不是有效的数:请用半角数字书写,例如 3 或 0.5")
    return Decimal(text)


def size_problem(value: Decimal) -> str | None:
    """What is wrong with the magnitude of a number, in Chinese; None when it can be computed with exactly."""
    if not value.is_finite():
        return "不是有限的数"
    _, digits, exponent = value.as_tuple()
    if -exponent > MAX_PLACES and any(digits[exponent + MAX_PLACES :]):
        return f"小数位数过多,最多{MAX_PLACES}位"
    if value and value.adjusted() >= MAX_WHOLE_DIGITS:
        return f"整数位数过多,最多{MAX_WHOLE_DIGITS}位"
    return None


def require_points(value: Decimal | None, name: str) -> None:
    """Refuse anything but a finite, non-negative Decimal (or None): a float has already lost the exact value."""
    if value is None:
        return
    if not isinstance(value, Decimal):
        raise TypeError(f"{name} must be Decimal, not {type(value).__name__}")
    if not value.is_finite() or value < 0:
        raise PointsError(f"{name}:{value}不是有效的分值")


def format_points(value: Decimal) -> str:
    """Write points (分) plainly and exactly: no exponent, no trailing zeros ("0.5", "18", "0.195")."""
    if not isinstance(value, Decimal):
        raise TypeError(f"points are Decimal, not {type(value).__name__}")
    if not value.is_finite():
        raise PointsError(f"{value}不是有限的数")
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_half_up(value: Decimal, places: int) -> Decimal:
    """四舍五入 to `places` decimal places, ties away from zero (L468 保留三位小数): 0.1945 → 0.195."""
    if not isinstance(value, Decimal):
        raise TypeError(f"points are Decimal, not {type(value).__name__}")
    return value.quantize(Decimal((0, (1,), -places)), rounding=ROUND_HALF_UP, context=_ROUNDING)


def quotient(numerator: Decimal, denominator: Decimal, places: int = QUOTIENT_PLACES) -> Decimal:
    """numerator ÷ denominator, rounded once and half-up from the exact fraction (both ≥ 0, denominator > 0)."""
    exact = Fraction(numerator) / Fraction(denominator)
    scaled = (exact * 10**places * 2 + 1) // 2
    return Decimal(scaled).scaleb(-places, context=_ROUNDING)


def is_rounded(numerator: Decimal, denominator: Decimal, result: Decimal) -> bool:
    """Whether `result` had to be rounded from numerator ÷ denominator."""
    return Fraction(numerator) != Fraction(result) * Fraction(denominator)
