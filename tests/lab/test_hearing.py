"""What callers say, read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payagent.lab import hearing


@pytest.mark.parametrize(
    ("said", "name", "date"),
    [
        ("My name is John Doe, and I was born on May 1st, 1990.", "John Doe", "May 1st, 1990"),
        ("John Doe, May first nineteen ninety", "John Doe", "May first nineteen ninety"),
        ("john doe 1990-05-01", "john doe", "1990-05-01"),
        ("I'm Zoë Müller, the first of May 1990.", "Zoë Müller", "the first of May 1990"),
        ("Hi, this is Alice Johnson, date of birth July 20 1992", "Alice Johnson", "July 20 1992"),
        ("I'm Maria Lopez, born 11/02/1978.", "Maria Lopez", "11/02/1978"),
        ("Me llamo Carlos García Ruiz, nací el 1 de mayo de 1990", "Carlos García Ruiz", "1 de mayo de 1990"),
        ("primero de mayo de mil novecientos noventa", "", "primero de mayo de mil novecientos noventa"),
        ("It's Jane Smith.", "Jane Smith", ""),
        ("I want to pay my bill", "", ""),
        ("May I speak to someone?", "", ""),
    ],
)
def test_names_and_dates_of_birth_are_taken_as_said(said: str, name: str, date: str) -> None:
    """Either may be missing."""
    assert (name, date) == (hearing.full_name(said), hearing.birth_date(said))


@pytest.mark.parametrize(
    ("said", "amounts"),
    [
        ("You owe six hundred dollars for office visit.", ["600"]),
        ("one hundred and twenty dollars and fifty cents", ["120.50"]),
        ("ciento veinte dólares con cincuenta centavos", ["120.50"]),
        ("Usted debe doscientos cincuenta dólares", ["250"]),
        ("200 dollars", ["200"]),
        ("$1,200.50", ["1200.50"]),
        ("one thousand two hundred", ["1200"]),
        ("two hundred, please", ["200"]),
        ("one dollar", ["1"]),
        ("the second one", []),
        ("I have two bills", []),
    ],
)
def test_amounts_are_read_in_digits_and_words(said: str, amounts: list[str]) -> None:
    """A bare small number is no amount."""
    assert [Decimal(amount) for amount in amounts] == hearing.amounts(said)
