"""Exact reading, plain writing, one named rounding."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.points import (
    PointsError,
    format_points,
    parse_points,
    quotient,
    read_exact,
    require_points,
    round_half_up,
)


@pytest.mark.parametrize("text", ["0", "0.5", "18", "0.25", "100", "0.195", "999999999999.999999", "0.10", "0.1000000"])
def test_reads_plain_decimals(text):
    assert parse_points(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0.5 ",
        " 1",
        ".5",
        "5.",
        "00.5",
        "01",
        "1e2",
        "1E-2",
        "NaN",
        "Infinity",
        "-Infinity",
        "+1",
        "0. 1",
        "0,5",
        "1_000",
        "二分",
        "\uff10.\uff15",
        "\uff11",
        "\u0663",
        "0.1234567",
        "1000000000000",
        "0x1",
        "1.2.3",
        "0.5\n",
    ],
)
def test_refuses_everything_else_with_a_chinese_reason(text):
    with pytest.raises(PointsError) as error:
        parse_points(text)
    assert "“" in str(error.value)


@pytest.mark.parametrize("value", [0.5, 1, Decimal("0.5"), None, True, b"1"])
def test_points_are_read_from_text_only(value):
    with pytest.raises(TypeError):
        parse_points(value)


def test_a_sign_is_read_only_where_allowed():
    assert parse_points("-0.5", signed=True) == Decimal("-0.5")
    with pytest.raises(PointsError, match="负数"):
        parse_points("-0.5")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.50", "0.5"),
        ("18", "18"),
        ("1E+2", "100"),
        ("0.195", "0.195"),
        ("-0", "0"),
        ("0.000", "0"),
        ("100", "100"),
        ("1E-7", "0.0000001"),
        ("-0.10", "-0.1"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.1"),
    ],
)
def test_writes_plainly_and_exactly(value, text):
    assert format_points(Decimal(value)) == text


def test_writing_refuses_what_is_not_an_exact_number():
    for value in (0.5, 1, "1"):
        with pytest.raises(TypeError):
            format_points(value)
    with pytest.raises(PointsError):
        format_points(Decimal("NaN"))


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("0.1945", 3, "0.195"),
        ("0.1944", 3, "0.194"),
        ("0.5", 0, "1"),
        ("2.5", 0, "3"),
        ("-0.5", 0, "-1"),
        ("1", 2, "1"),
    ],
)
def test_ties_go_away_from_zero(value, places, expected):
    assert round_half_up(Decimal(value), places) == Decimal(expected)


def test_rounding_ignores_the_ambient_precision_and_floats():
    with localcontext() as context:
        context.prec = 3
        assert round_half_up(Decimal("123456.7895"), 3) == Decimal("123456.790")
        assert format_points(Decimal("123456.7895")) == "123456.7895"
    with pytest.raises(TypeError):
        round_half_up(0.1945, 3)


def test_quotient_rounds_the_exact_fraction_once():
    assert quotient(Decimal("0.2") * 389, Decimal(400), 3) == Decimal("0.195")
    assert quotient(Decimal(2), Decimal(3)) == Decimal("0.666667")
    # 0.4999999… of a unit must not be rounded up by rounding twice
    assert quotient(Decimal("0.499999999"), Decimal(1000), 3) == Decimal("0")


def test_amounts_of_points_are_finite_and_not_negative():
    require_points(None, "points")
    require_points(Decimal(0), "points")
    with pytest.raises(TypeError):
        require_points(0.5, "points")
    for bad in ("-1", "NaN", "Infinity"):
        with pytest.raises(PointsError):
            require_points(Decimal(bad), "points")


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6, allow_nan=False))
def test_writing_and_reading_are_inverse(value):
    assert read_exact(format_points(value)) == value


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 6))
def test_quotient_is_the_nearest(numerator, denominator, places):
    result = quotient(Decimal(numerator), Decimal(denominator), places)
    distance = Fraction(result) - Fraction(numerator, denominator)
    assert -Fraction(1, 2 * 10**places) < distance <= Fraction(1, 2 * 10**places)
    assert round_half_up(result, places) == result
