"""Numbers as they are spoken, and the digits they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from payagent.phone.spoken_numbers import folded, numbers


def read(text: str) -> list[str]:
    """The digits of each number in `text`."""
    return [number.digits for number in numbers([folded(word) for word in text.replace("-", " ").split()])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("four two four two", ["4", "2", "4", "2"]),
        ("0042 42", ["0042", "42"]),
        ("forty-two forty two", ["42", "42"]),
        ("twenty oh five", ["20", "0", "5"]),
        ("eleven nineteen ninety", ["11", "19", "90"]),
        ("double four", ["44"]),
        ("triple oh", ["000"]),
        ("doble cuatro triple 7", ["44", "777"]),
        ("double forty-two", ["442"]),
        ("double double four", ["44"]),
        ("double", []),
        ("double trouble four", ["4"]),
        ("forty two hundred", ["4200"]),
        ("42 hundred 4 thousand", ["4200", "4000"]),
        ("4242 hundred", ["4242", "100"]),
        ("9" * 5000 + " hundred", ["9" * 5000, "100"]),
        ("a hundred a thousand", ["100", "1000"]),
        ("four hundred and five", ["405"]),
        ("one hundred two hundred", ["100", "200"]),
        ("five hundred and twenty two hundred", ["520", "200"]),
        ("five hundred and one hundred", ["500", "100"]),
        ("five hundred and then one", ["500", "1"]),
        ("four thousand two hundred forty two", ["4242"]),
        ("four thousand two hundred four thousand", ["4200", "4000"]),
        ("cuarenta y dos", ["42"]),
        ("cuarenta dos", ["40", "2"]),
        ("veintidós dieciséis", ["22", "16"]),
        ("cien ciento uno doscientas", ["100", "101", "200"]),
        ("mil quinientos cuatro mil doscientos cuarenta y dos", ["1500", "4242"]),
        ("cuatro mil doscientos cuarenta y dos", ["4242"]),
        ("cuatro mil cincuenta y seis mil", ["4000", "56000"]),
        ("no numbers here, once", ["11"]),
        ("two hundred 4242", ["200", "4242"]),
        ("", []),
    ],
)
def test_spoken_numbers_become_digits(text: str, expected: list[str]) -> None:
    """Each number is read as long as it can be, and no longer."""
    assert read(text) == expected


@settings(deadline=None)
@given(st.integers(1, 9999), st.sampled_from(["en", "es"]))
def test_every_number_to_ten_thousand_is_read_in_both_languages(value: int, language: str) -> None:
    """What num2words says is read back as one number."""
    assert read(num2words(value, lang=language).replace(",", "")) == [str(value)]


@settings(deadline=None)
@given(st.lists(st.integers(10, 99), min_size=1, max_size=9), st.sampled_from(["en", "es"]))
def test_pairs_in_a_row_stay_pairs(pairs: list[int], language: str) -> None:
    """Numbers of two digits, said one after another, do not run together."""
    assert "".join(read(" ".join(num2words(pair, lang=language) for pair in pairs))) == "".join(map(str, pairs))


@pytest.mark.parametrize(
    ("text", "longest"), [("two hundred five", 4), ("four thousand two hundred forty two", 9), ("42", 2), ("mil", 4)]
)
def test_the_longest_reading_counts_hundreds_and_thousands_apart(text: str, longest: int) -> None:
    """ "Two hundred five" may be 200 and 5: four digits."""
    [number] = numbers(text.split())

    assert number.longest == longest


def test_a_number_knows_its_words() -> None:
    """From its first word to before the word after it."""
    [number] = numbers(["pay", "forty", "two", "dollars"])
    hundreds = [(number.first, number.after) for number in numbers(["five", "hundred", "and", "one", "hundred", "and"])]

    assert (number.first, number.after) == (1, 3)
    assert hundreds == [(0, 3), (3, 5)]


@pytest.mark.parametrize(
    ("word", "expected"), [("Dieciséis", "dieciseis"), ("FOUR", "four"), ("٤٢", "42"), ("\uff14\uff12", "42")]
)
def test_words_are_folded(word: str, expected: str) -> None:
    """Case and accents go, all the world's numerals become ours."""
    assert folded(word) == expected
