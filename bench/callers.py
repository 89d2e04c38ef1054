"""Callers who pay: each rings the stand-in Twilio, says who they are, agrees, keys in a test card, and says goodbye."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter

from payagent.accounts.postgres import PostgresAccounts
from payagent.accounts.sql import Entry, SqlAccounts
from payagent.flow.money import Account, Bill, Money
from payagent.lab.line import LabCall
from payagent.lab.twilio import StandInTwilio

FIRST_BIRTHDAY = date(1930, 1, 1)
PATIENCE = 120.0
STEPS = (
    ("", "say", "My name is John Doe, and I was born on {birthday}."),
    ("is that right", "say", "Yes, that's right."),
    ("all of it", "say", "All of it, please."),
    ("key in your card number", "press", "4242424242424242#"),
    ("expiration date", "press", "1230#"),
    ("security code", "press", "123#"),
    ("shall I charge", "say", "Yes, go ahead."),
    ("anything else", "say", "No, thanks, that's all. Goodbye."),
)


AFTER_CALLBACK = slice(5, None, len(STEPS) - 1)
"""Of the waits of whole calls: those from a field's callback to the sentence that it alone leads to."""


def birthday(n: int) -> date:
    """Caller number `n` is known by it: all have one name."""
    return FIRST_BIRTHDAY + timedelta(days=n)


async def fill(book: Path | str, callers: int) -> None:
    """Put that many callers into the book (a file, or PostgreSQL's URL), each with one bill of 600 dollars."""
    accounts = SqlAccounts(book) if isinstance(book, Path) else PostgresAccounts(book)
    await accounts.open()
    await accounts.fill(
        [
            Entry(
                Account(f"A-{n}", "John Doe", "en", False),
                birthday(n),
                (Bill(f"B-{n}", "an office visit", Money(Decimal(600), "USD")),),
            )
            for n in range(callers)
        ]
    )
    await accounts.close()


async def pay(twilio: StandInTwilio, n: int) -> list[float]:
    """Caller number `n`'s whole call; the seconds from each of their deeds to the sentence it led to.

    Raises:
        RuntimeError: the call did not go as it should.
    """
    call = await twilio.place_call(f"+1555{n:07d}")
    waits, mark, since = [], 0, 0.0
    spoken = f"{birthday(n):%B} {birthday(n).day}, {birthday(n).year}"
    for awaited, deed, what in STEPS:
        if awaited:
            if not await call.until(lambda awaited=awaited, mark=mark: _said(call, mark, awaited), PATIENCE):
                raise RuntimeError(f"caller {n} waited in vain for {awaited!r}; heard {call.spoken[-3:]}")
            waits.append(perf_counter() - since)
        mark = len(call.spoken)
        if deed == "say":
            since = perf_counter()
            await call.say(what.format(birthday=spoken))
        else:
            await call.press(what[:-2])
            since = perf_counter()  # the last digit (or the pound key behind it) has the field's callback sent
            await call.press(what[-2:])
    await asyncio.wait_for(call.ended(), PATIENCE)
    return waits


def _said(call: LabCall, mark: int, words: str) -> bool:
    return any(re.search(words, said, re.IGNORECASE) for said in call.spoken[mark:])


async def pay_all(twilio: StandInTwilio, numbers: Sequence[int], at_once: int) -> list[float]:
    """All these callers pay, `at_once` at a time; all their waits."""
    turn = asyncio.Semaphore(at_once)

    async def one(n: int) -> list[float]:
        async with turn:
            return await pay(twilio, n)

    return [wait for waits in await asyncio.gather(*[one(n) for n in numbers]) for wait in waits]
