"""Callers who make up their own minds: each answers what is said, and has whims.

A scenario's caller waits for certain words; these take the call as it comes, so that they can be let loose on a line
where anything may go wrong. Regular expressions are matched against what was said, case ignored.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Literal

from payagent.lab.line import LabCall

Deed = Literal["hang_up", "drop_line", "cancel", "person", "star", "say_card", "interrupt", "silent"]

GOOD_CARDS = ("4242424242424242", "4111111111111111", "5555555555554444", "378282246310005")
DECLINED_CARDS = ("4000000000000002", "4000000000009995")
MISTYPED_CARD = "4242424242424241"

MOST_DEEDS = 40
"""Then even the most patient caller hangs up."""


@dataclass(frozen=True, slots=True)
class Whim:
    """One thing a caller does unasked, once, after having heard so many sentences."""

    deed: Deed
    after: int


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls: `cards` are tried in this order, `amount` is what is said of how much to pay."""

    name: str
    born: str
    number: str
    cards: tuple[str, ...] = GOOD_CARDS[:1]
    amount: str = "All of it, please."
    whims: tuple[Whim, ...] = ()


_ANSWERS: tuple[tuple[str, str], ...] = (
    ("shall i charge|when i may go ahead", "Yes, go ahead."),
    ("try another card", "another card"),
    ("another way|colleague|passing you|aloud", ""),
    ("couldn't start the payment", "again"),
    ("what would you like to do now", "again"),
    ("anything else|how else may i help", "No, thanks, that's all. Goodbye."),
    ("all of it, or a part|how much would you like", "amount"),
    ("is that right|whether that is right", "Yes, that's right."),
    ("still there|say that again", "repeat"),
    ("name and (?:your )?date of birth|those details", "identity"),
    ("keypad|first digit|press pound|isn't valid|don't accept|couldn't use", "keys"),
)
"""What is said → what is done about it: words, or the name of something to do; the first that fits counts."""

_FIELDS = (("card number|another card", "card"), ("expiration date", "1230#"), ("security code", "code"))


class Caller:
    """One person on one call."""

    def __init__(self, person: Person, call: LabCall, dice: random.Random, scale: float, patience: float) -> None:
        self.person = person
        self.call = call
        self.gave_up = False
        self.done: list[str] = []
        self._dice = dice
        self._scale = scale
        self._patience = patience
        self._cards = list(person.cards)
        self._whims = list(person.whims)
        self._field = "card"
        self._said = ""
        self._tries = 0
        self._silent = False

    async def live(self) -> None:
        """Talk until the call is over, or until nothing was heard for `patience` seconds (real ones)."""
        call, heard = self.call, 0
        for _ in range(MOST_DEEDS):
            if not await call.until(lambda: len(call.spoken) > heard or bool(call.end), self._patience):  # noqa: B023
                self.gave_up = True
                break
            await asyncio.sleep(self._dice.uniform(0.2, 2.0) * self._scale)
            if call.end:
                return
            fresh, heard = call.spoken[heard:], len(call.spoken)
            whim = next((whim for whim in self._whims if whim.after <= heard), None)
            if whim:
                self._whims.remove(whim)
            await (self._follow(whim) if whim else self._answer(fresh))
        if not call.end:
            await call.hang_up()

    async def _follow(self, whim: Whim) -> None:
        call = self.call
        self.done.append(whim.deed)
        match whim.deed:
            case "hang_up":
                await call.hang_up()
            case "drop_line":
                await call.drop_line()
            case "star":
                await call.press("*")
            case "silent":
                self._silent = True
            case "interrupt":
                await call.interrupt()
                await call.say("Wait, what was that?")
            case "cancel":
                await self._say("Please cancel the payment.")
            case "person":
                await self._say("I want to talk to a person.")
            case "say_card":
                await self._say(f"My card number is {' '.join(self.person.cards[0])}")

    async def _answer(self, fresh: list[str]) -> None:
        """Answer the last thing that wants an answer."""
        if self._silent:
            return
        for words in reversed(fresh):
            for pattern, deed in _ANSWERS:
                if re.search(pattern, words, re.IGNORECASE):
                    await self._do(deed, words)
                    return

    async def _do(self, deed: str, words: str) -> None:
        match deed:
            case "":
                return
            case "keys":
                await self._key_in(words)
            case "identity":
                await self._say(f"My name is {self.person.name}, and I was born on {self.person.born}.")
            case "amount":
                await self._say(self.person.amount)
            case "repeat":
                await self._say(self._said or "Yes, I'm here.")
            case "again":
                self._tries += 1
                await self._say(self.person.amount if self._tries < 3 else "Nothing else, thanks. Goodbye.")
            case "another card":
                del self._cards[:1]
                await self._say("Yes, I have another card." if self._cards else "No, that's all. Goodbye.")
            case said:
                await self._say(said)

    async def _key_in(self, words: str) -> None:
        """Key in the field asked for; a prompt that names none means the one before. A rejection is followed by one."""
        if re.search("isn't valid|don't accept|couldn't use|didn't open", words):
            if self._field == "card" and re.search("isn't valid|don't accept", words):
                del self._cards[:1]
            return
        self._field = next((keys for name, keys in _FIELDS if re.search(name, words, re.IGNORECASE)), self._field)
        card = self._cards[0] if self._cards else self.person.cards[-1]
        keys = {"card": f"{card}#", "code": "1234#" if card.startswith("3") else "123#"}
        await self.call.press(keys.get(self._field, self._field))

    async def _say(self, words: str) -> None:
        self._said = words
        await self.call.say(words)
