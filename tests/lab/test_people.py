"""Callers who make up their own minds, on a line that says what a test has it say."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from payagent.lab.line import LabCall
from payagent.lab.people import MISTYPED_CARD, MOST_DEEDS, Caller, Deed, Person, Whim

PERSON = Person("Ada Payer", "May 1, 1990", "+15550100")
ASKED = "Please tell me your full name and your date of birth."
WAITING = "I'm waiting for your keypad. Take your time."
CARD = "Please key in your card number on your phone's keypad, then press pound."
REJECTED = "That card number isn't valid. Let's try once more."


class Line:
    """A call that says `sentences`, one after each deed of the caller, and then nothing."""

    def __init__(self, *sentences: str, ends: bool = True) -> None:
        self.sentences = list(sentences[1:])
        self.spoken = list(sentences[:1])
        self.done: list[str] = []
        self.end = ""
        self._ends = ends

    async def until(self, holds: Any, seconds: float) -> bool:
        if not holds() and self.sentences:
            self.spoken.append(self.sentences.pop(0))
        if not holds() and self._ends:
            self.end = "hung_up_by_app"
        return bool(holds())

    async def say(self, words: str) -> None:
        self.done.append(words)

    async def press(self, keys: str) -> None:
        self.done.append(f"#{keys}")

    async def hang_up(self) -> None:
        self.done.append("hang up")
        self.end = "caller_hung_up"

    async def drop_line(self) -> None:
        self.done.append("drop line")

    async def interrupt(self) -> None:
        self.done.append("interrupt")


async def lived(line: Line, person: Person = PERSON) -> Caller:
    caller = Caller(person, cast(LabCall, line), random.Random(1), 0.0, 1.0)
    await caller.live()
    return caller


@pytest.mark.parametrize(
    ("said", "done"),
    [
        (ASKED, "My name is Ada Payer, and I was born on May 1, 1990."),
        ("You owe six hundred dollars for office visit. Is that right?", "Yes, that's right."),
        ("Would you like to pay all of it, or a part?", "All of it, please."),
        (CARD, "#4242424242424242#"),
        ("Please key in the expiration date as four digits, then press pound.", "#1230#"),
        ("Please key in the security code of your card, then press pound.", "#123#"),
        ("Thank you, I have everything. Shall I charge six hundred dollars now?", "Yes, go ahead."),
        ("Is there anything else I can do for you?", "No, thanks, that's all. Goodbye."),
        ("The payment was cancelled, nothing was charged. What would you like to do now?", "All of it, please."),
        ("I'm sorry, the card was declined. Would you like to try another card?", "No, that's all. Goodbye."),
        ("Are you still there?", "Yes, I'm here."),
    ],
)
async def test_what_is_said_is_answered(said: str, done: str) -> None:
    """Each question has its answer."""
    line = Line(said)
    await lived(line)

    assert line.done == [done]


@pytest.mark.parametrize(
    "said",
    [
        "I'm passing you to a colleague now.",
        "Please never say your card number aloud, use your phone's keypad.",
        "Well.",
    ],
)
async def test_what_wants_no_answer_gets_none(said: str) -> None:
    """The caller waits."""
    line = Line(said)
    await lived(line)

    assert line.done == []


async def test_a_prompt_without_a_field_means_the_one_before() -> None:
    """The keys are pressed again."""
    line = Line("Please key in the expiration date as four digits, then press pound.", WAITING)
    await lived(line)

    assert line.done == ["#1230#"] * 2


async def test_a_card_that_is_not_taken_is_followed_by_the_next() -> None:
    """At the prompt that follows the rejection, since only then the keypad listens."""
    line = Line(CARD, REJECTED, CARD)
    await lived(line, Person("Ada Payer", "May 1, 1990", "", (MISTYPED_CARD, "378282246310005")))

    assert line.done == [f"#{MISTYPED_CARD}#", "#378282246310005#"]


async def test_a_declined_card_is_followed_by_the_next() -> None:
    """As long as there is one; an amex has a longer code."""
    line = Line("Would you like to try another card?", CARD, "Please key in the security code, then press pound.")
    await lived(line, Person("Ada Payer", "May 1, 1990", "", ("4000000000000002", "378282246310005")))

    assert line.done == ["Yes, I have another card.", "#378282246310005#", "#1234#"]


async def test_what_was_said_is_said_again_when_asked() -> None:
    """The latest words."""
    line = Line(ASKED, "I'm sorry, could you say that again, please?")
    await lived(line)

    assert line.done[0] == line.done[1]


@pytest.mark.parametrize(
    ("deed", "done"),
    [
        ("hang_up", ["hang up"]),
        ("drop_line", ["drop line"]),
        ("star", ["#*"]),
        ("cancel", ["Please cancel the payment."]),
        ("person", ["I want to talk to a person."]),
        ("say_card", ["My card number is 4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2"]),
        ("interrupt", ["interrupt", "Wait, what was that?"]),
        ("silent", []),
    ],
)
async def test_a_whim_comes_once_in_the_place_of_an_answer(deed: Deed, done: list[str]) -> None:
    """And is noted."""
    line = Line(ASKED)
    caller = await lived(line, Person("Ada Payer", "May 1, 1990", "", whims=(Whim(deed, 1),)))

    assert line.done == done
    assert caller.done == [deed]


async def test_who_hears_nothing_hangs_up() -> None:
    """And says so."""
    line = Line("Well.", ends=False)
    caller = await lived(line)

    assert caller.gave_up
    assert line.done == ["hang up"]


async def test_nobody_talks_for_ever() -> None:
    """Then too the caller hangs up, but was not left in silence."""
    line = Line(*["Are you still there?"] * (MOST_DEEDS + 5))
    caller = await lived(line)

    assert line.done == ["Yes, I'm here."] * MOST_DEEDS + ["hang up"]
    assert not caller.gave_up
