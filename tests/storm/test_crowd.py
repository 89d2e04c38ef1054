"""A book full of made-up people, whom the lab's callers can name."""

from __future__ import annotations

import pytest

from payagent.accounts.identity import normal_name, parse_birth_date
from payagent.lab.hearing import birth_date, full_name
from payagent.storm.crowd import NAMES, crowd, holder


def test_everybody_is_somebody_else() -> None:
    """Names, accounts and bills are of one person each, and something is owed."""
    entries = list(crowd(len(NAMES)))

    assert len({normal_name(entry.account.name) for entry in entries}) == len(NAMES) > 500
    assert len({entry.account.id for entry in entries}) == len({entry.bills[0].id for entry in entries}) == len(NAMES)
    assert min(entry.bills[0].owed.amount for entry in entries) >= 100


def test_what_a_caller_says_is_understood() -> None:
    """The scripted model hears the name and the date that the book has."""
    for entry in crowd(100):
        said = f"My name is {holder(entry).name}, and I was born on {holder(entry).born}."

        assert full_name(said) == entry.account.name
        assert parse_birth_date(birth_date(said)) == entry.birth_date


def test_there_are_so_many_and_no_more() -> None:
    """More than there are cannot be had."""
    with pytest.raises(ValueError, match=f"there are {len(NAMES)} made-up people"):
        list(crowd(len(NAMES) + 1))
