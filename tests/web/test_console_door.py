"""The door's limits: who counts as one caller, how much is remembered, how many may wait."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from office import CHEAP, NAME, PASSWORD, Clock

from payagent.web.console import door, guesses
from payagent.web.console.door import Door, TryAgain
from payagent.web.console.guesses import Guesses, network
from payagent.web.console.passwords import made


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("", "unix", False),
    ],
)
def test_an_ipv6_customer_has_one_address_among_all_of_theirs(one: str, other: str, same: bool) -> None:
    """A /64 counts as one caller, an IPv4 address however it is written; what is no address counts as it is."""
    assert (network(one) == network(other)) is same


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are tried, the oldest failures are forgotten first."""
    monkeypatch.setattr(guesses, "MOST_KEYS", 3)
    kept = Guesses(1, 1, Clock())
    for n in range(10):
        kept.failed(f"name {n}", "", f"mark {n}")

    assert not kept.wait("", "", "mark 6")
    assert all(kept.wait("", "", f"mark {n}") for n in (7, 8, 9))


def test_what_is_long_past_is_forgotten() -> None:
    """Nothing is kept of failures that no longer count."""
    clock = Clock()
    kept = Guesses(1, 1, clock)
    kept.failed("eve", "203.0.113.7", "")
    clock.go_on(minutes=15)

    assert not kept.wait("eve", "203.0.113.7", "")
    assert kept._failed == {}


def test_a_name_counts_however_it_is_written() -> None:
    """Small or capital letters are no way around the limit."""
    kept = Guesses(1, 9, Clock())
    kept.failed("Eve", "203.0.113.7", "")

    assert kept.wait("eVE", "203.0.113.8", "")


async def test_only_so_many_wait_and_those_who_are_known_wait_for_each_other_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crowd of guessers is sent away unlooked at; a browser that has logged in before has a queue of its own."""
    monkeypatch.setattr(door, "LONGEST_QUEUE", 2)
    entry = Door({NAME: str(made(PASSWORD, **CHEAP))}, Guesses(9, 9, Clock()))
    crowd = [entry.opens("eve", "x", "203.0.113.7", "") for _ in range(5)]
    *answers, known = await asyncio.gather(*crowd, entry.opens(NAME, PASSWORD, "203.0.113.7", "mark"))

    assert answers.count(False) == 2
    assert answers.count(TryAgain(timedelta(seconds=5))) == 3
    assert known is True


async def test_guesses_sent_at_once_are_counted_one_by_one() -> None:
    """Ten at the same moment do not all get in before the first is counted."""
    entry = Door({NAME: str(made(PASSWORD, **CHEAP))}, Guesses(2, 9, Clock()))
    answers = await asyncio.gather(*(entry.opens(NAME, "wrong", "203.0.113.7", "") for _ in range(5)))

    assert answers.count(False) == 2
