"""A book of made-up people for a storm: as many accounts as are wanted, each with one bill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from payagent.accounts.protocol import Entry
from payagent.flow.money import Account, Bill, Money
from payagent.lab.storm import Holder

_FIRST = """
Adam Alma Boris Carla David Elena Felix Greta Henry Irene Jacob Karen Leo Maria Nils Olive Peter Quinn Rosa Simon
Tessa Ulla Victor Wanda Xavier Yvonne Zeno
"""
_LAST = """
Abbott Baker Carter Dalton Ellis Foster Graham Harper Irving Jensen Keller Lawson Miller Norton Osborn Parker Quincy
Ramsey Sutton Turner Upton Vance Walker Yates Ziegler
"""
NAMES = tuple(f"{first} {last}" for last in _LAST.split() for first in _FIRST.split())
"""Nobody is called as anybody else."""


def crowd(count: int) -> Iterator[Entry]:
    """The first `count` people of the crowd; always the same ones.

    Raises:
        ValueError: there are not so many.
    """
    if count > len(NAMES):
        raise ValueError(f"there are {len(NAMES)} made-up people")
    for n, name in enumerate(NAMES[:count]):
        bill = Bill(f"B-{n:05}", "office visit", Money(Decimal(10_000 + 137 * n % 70_000) / 100, "USD"))
        yield Entry(Account(f"S-{n:05}", name), _born(n), (bill,))


def holder(entry: Entry) -> Holder:
    """The account holder as the lab's callers know it."""
    born = entry.birth_date
    return Holder(entry.account.name, f"{born:%B} {born.day}, {born.year}")


def _born(n: int) -> date:
    return date(1940 + n % 60, 1 + n % 12, 1 + n % 28)
