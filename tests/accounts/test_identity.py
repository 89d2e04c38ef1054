"""Names as they compare, and dates of birth in the ways people and models say and write them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from payagent.accounts.identity import normal_name, parse_birth_date

TODAY = date(2026, 11, 20)
MAY_FIRST = date(1990, 5, 1)

WAYS_TO_SAY_MAY_FIRST = [
    "1990-05-01",
    "1990-05-01T00:00:00Z",
    "1990/05/01",
    "19900501",
    "5/1/1990",
    "05/01/1990",
    "5.1.1990",
    "5-1-90",
    "5/1/90.",
    "05011990",
    "050190",
    "5 1 1990",
    "May 1, 1990",
    "  MAY 1st,   1990 ",
    "May 01 '90",
    "1 May 1990",
    "1-May-1990",
    "the 1st of May, 1990",
    "Tuesday, May 1, 1990",
    "1990 May 1",
    "May first nineteen ninety",
    "May first, nineteen-ninety",
    "May first ninety",
    "the first of May 1990",
    "May one, one nine nine zero",
    "five one nineteen ninety",
    "oh five oh one nineteen ninety",
    "zero five zero one one nine nine zero",
    "May first one thousand nine hundred and ninety",
    "May first nineteen hundred ninety",
    "I was born on May 1, 1990",
    "my date of birth is May first nineteen ninety.",
    "1 de mayo de 1990",
    "1º de mayo de 1990",
    "1ro. de mayo de 1990",
    "1/mayo/1990",
    "primero de mayo de mil novecientos noventa",
    "el uno de mayo del noventa",
    "uno de mayo de diecinueve noventa",
    "nací el 1 de mayo de 1990",
    "cero cinco cero uno mil novecientos noventa",
]


@pytest.mark.parametrize("text", WAYS_TO_SAY_MAY_FIRST)
def test_one_date_is_read_in_all_the_ways_it_is_told(text: str) -> None:
    """The 1st of May 1990 is the same date however it is written or said."""
    assert parse_birth_date(text, today=TODAY) == MAY_FIRST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/5/1990", date(1990, 4, 5)),
        ("13/5/1990", date(1990, 5, 13)),
        ("13051990", date(1990, 5, 13)),
        ("20101990", date(1990, 10, 20)),
        ("12/31/05", date(2005, 12, 31)),
        ("12/31/27", date(1927, 12, 31)),
        ("Feb 29 2000", date(2000, 2, 29)),
        ("May twenty nineteen ninety", date(1990, 5, 20)),
        ("May twenty-two two thousand one", date(2001, 5, 22)),
        ("May twenty two thousand one", date(2001, 5, 20)),
        ("five twenty twenty ten", date(2010, 5, 20)),
        ("May five nineteen oh five", date(1905, 5, 5)),
        ("veintidós de noviembre de dos mil uno", date(2001, 11, 22)),
        ("treinta y uno de enero de 1985", date(1985, 1, 31)),
        ("January 1, 1900", date(1900, 1, 1)),
        ("November 20, 2026", TODAY),
    ],
)
def test_what_could_be_two_dates_is_read_by_the_rules(text: str, expected: date) -> None:
    """Month before day unless over 12, a short year is never to come, and a day is not lost in the year after it."""
    assert parse_birth_date(text, today=TODAY) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello there",
        "May 1990",
        "May 1",
        "1990",
        "1990-05",
        "May twenty ten",
        "1/2/3",
        "May 1 199",
        "Feb 29 1999",
        "September thirty-first 1990",
        "13/13/1990",
        "0/0/1990",
        "May June 1990",
        "May 1 1990 1991",
        "May 1 1990 or May 2 1990",
        "May 1.5 1990",
        "May 1 1990 my account is 5",
        "1 1990 june",
        "nan May 1990",
        "December 31, 1899",
        "May 1 2990",
        "November 21, 2026",
        "5" * 5000,
    ],
)
def test_what_is_not_one_whole_possible_date_is_refused(text: str) -> None:
    """No year, no day, no such day, two dates, one to come or one before 1900: each is a ValueError."""
    with pytest.raises(ValueError, match=r"date of birth"):
        parse_birth_date(text, today=TODAY)


@pytest.mark.parametrize("text", ["Maytember 1 1990 secret", "13/13/1990", "May 1 2990", "May"])
def test_a_refusal_does_not_repeat_what_was_said(text: str) -> None:
    """The text is personal: it is neither in the message nor in a chained exception."""
    with pytest.raises(ValueError, match=r"date of birth") as caught:
        parse_birth_date(text, today=TODAY)

    assert text not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


MONTHS_ES = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()  # noqa: SIM905
)
STYLES = {
    "iso": lambda d: d.isoformat(),
    "us": lambda d: f"{d.month}/{d.day}/{d.year}",
    "us padded": lambda d: f"{d:%m-%d-%Y}",
    "compact": lambda d: f"{d:%m%d%Y}",
    "compact iso": lambda d: f"{d:%Y%m%d}",
    "month name": lambda d: f"{d:%B} {d.day}, {d.year}",
    "short month": lambda d: f"{d.day} {d:%b} {d.year}",
    "ordinal": lambda d: f"{d:%B} {num2words(d.day, to='ordinal_num')}, {d.year}",
    "spoken": lambda d: f"{d:%B} {num2words(d.day, to='ordinal')} {num2words(d.year, to='year')}",
    "spoken cardinal": lambda d: f"{d:%B} {num2words(d.day)} {num2words(d.year)}",
    "spoken of": lambda d: f"the {num2words(d.day, to='ordinal')} of {d:%B} {num2words(d.year, to='year')}",
    "digit by digit": lambda d: " ".join(num2words(int(digit)) for digit in f"{d:%m%d%Y}"),
    "spanish": lambda d: f"{d.day} de {MONTHS_ES[d.month - 1]} de {d.year}",
    "spoken spanish": lambda d: (
        f"{num2words(d.day, lang='es')} de {MONTHS_ES[d.month - 1]} de {num2words(d.year, lang='es')}"
    ),
}


@settings(deadline=None)
@given(days=st.integers(0, (TODAY - date(1900, 1, 1)).days), style=st.sampled_from(sorted(STYLES)))
def test_every_date_comes_back_from_every_style(days: int, style: str) -> None:
    """Writing any date from 1900 on in any style and reading it gives the date."""
    born = date(1900, 1, 1) + timedelta(days=days)

    assert parse_birth_date(STYLES[style](born), today=TODAY) == born


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    """Whatever is said, nothing but ValueError comes out."""
    try:
        born = parse_birth_date(text, today=TODAY)
    except ValueError:
        return
    assert date(1900, 1, 1) <= born <= TODAY


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("John Doe", "john doe"),
        ("  JOHN   DOE. ", "john doe"),
        ("José García-López", "jose garcia lopez"),
        ("Jose\u0301 Garci\u0301a Lo\u0301pez", "jose garcia lopez"),
        ("Sinéad O'Connor", "sinead oconnor"),
        ("Sinéad O\u2019Connor", "sinead oconnor"),
        ("J. R. Müller", "j r muller"),
        ("Łukasz Sørensen", "lukasz sorensen"),
        ("Strauß", "strauss"),
        ("\U0001d400da \u0130nan", "ada inan"),
        ("", ""),
    ],
)
def test_names_compare_without_case_accents_and_punctuation(name: str, expected: str) -> None:
    """A name is found however it is written."""
    assert normal_name(name) == expected


@settings(deadline=None)
@given(st.text(max_size=30))
def test_a_normal_name_is_already_normal(name: str) -> None:
    """Taking the normal form twice changes nothing, so that stored and spoken names meet."""
    assert normal_name(normal_name(name)) == normal_name(name)
