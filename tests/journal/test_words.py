"""Spoken words: what is masked, and what the record keeps of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.journal.words import masked, salted


@pytest.mark.parametrize(
    ("spoken", "kept"),
    [
        ("born on May 5th, 1990", "born on # #th, ####"),
        ("5/1/90", "#/#/##"),
        ("the fifth of May nineteen ninety", "the # of # # #"),
        ("May first", "# #"),
        ("nineteen oh five", "# # #"),
        ("twenty-five", "#-#"),
        ("in December", "in #"),
        ("el veintitrés de mayo de mil novecientos noventa y uno", "el # de # de # # # y #"),
        ("veintitres de SEPTIEMBRE", "# de #"),
        ("tres doce ochenta", "# # #"),
        ("May I ask one moment, for the first time?", "May I ask one moment, for the first time?"),
        ("once more please", "once more please"),
        ("Zoë Müller", "Zoë Müller"),
        ("", ""),
    ],
)
def test_dates_and_numbers_are_masked(spoken: str, kept: str) -> None:
    """Digits, months and number words of both languages go; what only looks like one stays."""
    assert masked(spoken) == kept


@pytest.mark.promise(4)
@given(st.text())
def test_no_digit_survives(text: str) -> None:
    """No text keeps a decimal digit, of whatever script, and masking again changes nothing."""
    once = masked(text)

    assert not any(letter.isdecimal() for letter in once)
    assert masked(once) == once


def test_same_words_have_different_digests() -> None:
    """The record does not show that two callers said the same: each utterance has a salt of its own."""
    assert salted("yes").digest != salted("yes").digest


def test_what_no_database_takes_is_replaced() -> None:
    """Text that JSON can carry and a database cannot (lone surrogates, NUL) is kept readable."""
    assert salted("caf\ud800 \0").text == "caf? ?"
