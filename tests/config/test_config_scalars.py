import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppcls.untrusted.yaml_reader import parse_fraction, parse_scalar

AS_WRITTEN = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": 0,
    "-7": -7,
    "+7": 7,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "1e-4": 1e-4,
    "1E4": 10000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-.5e+2": -50.0,
    "6.02e23": 6.02e23,
    ".inf": math.inf,
    "-.INF": -math.inf,
}
TEXT = (  # noqa: SIM905
    "yes no on off y n Yes NO None none nULL tRUE 1_000 12:30 1:30:00 0b101 0o8 0xG 0O17 -0x1 2001-12-14 1/2 "
    "inf nan -nan . .e5 1e 1e+ + - 1.2.3 e4 1,000 ١٢ 0x 0o"
).split()


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_the_core_schema_of_yaml_1_2(text):
    value = parse_scalar(text)
    assert (type(value), value) == (type(AS_WRITTEN[text]), AS_WRITTEN[text])


def test_nan_is_a_number():
    assert math.isnan(parse_scalar(".nan")) and math.isnan(parse_scalar(".NaN"))


@pytest.mark.parametrize("text", TEXT)
def test_all_else_is_text(text):
    assert parse_scalar(text) == text


def test_a_whole_number_of_many_digits_is_read_as_infinite_and_raises_nothing():
    assert parse_scalar("9" * 300) == int("9" * 300)
    assert parse_scalar("9" * 5000) == math.inf


@given(st.integers(-(10**30), 10**30))
def test_whole_numbers_read_as_python_writes_them(number):
    assert parse_scalar(str(number)) == number
    assert type(parse_scalar(str(number))) is int


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_as_python_writes_them(number):
    value = parse_scalar(repr(number))
    assert type(value) is float
    assert math.copysign(1, value) == math.copysign(1, number) and value == number


@given(st.text())
def test_any_text_is_a_scalar_and_a_fraction_or_none(text):
    assert isinstance(parse_scalar(text), (type(None), bool, int, float, str))
    value = parse_fraction(text)
    assert value is None or "/" in text


@pytest.mark.parametrize("text", ["1.0/255.0", "1./255.", "1/255", " 1 / 255 ", "1e0/2.55e2"])
def test_fractions(text):
    assert parse_fraction(text) == 1 / 255


@pytest.mark.parametrize("text", ["1/2/3", "a/b", "1/", "/2", "1//2", "(1)/2", "1/2+1", "__import__('os')/1", "0x1/2"])
def test_what_is_no_fraction_is_not_evaluated(text):
    assert parse_fraction(text) is None


def test_a_fraction_by_zero():
    with pytest.raises(ZeroDivisionError):
        parse_fraction("1.0/0")


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
def test_a_fraction_is_the_quotient(above, below):
    assert parse_fraction(f"{above!r}/{below!r}") == above / below
