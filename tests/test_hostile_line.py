"""Whole lines in which everybody does as they please: real loop, journal, book and hands, on virtual time.

The promises are held against the steps that are on the record in the end; what was spoken, against what it claimed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from live_line import PAYMENT, Line, Script, calls, keyed_fields, open_line, says, settled, tool
from virtual_time import anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.errors import JournalFailed, ModelFailed, TwilioRefused, TwilioUnanswered
from payagent.flow import events as ev
from payagent.flow.states import FIELDS, FINAL, Pace
from payagent.flow.step import Step
from payagent.llm import Finished, Words
from payagent.review.hostile import judged, told

LIES = ("You're all paid, code 123.", "Your payment went through.", "Tu pago fue aprobado.", "I've charged your card.")
SAID = ("yes", "all of it", "John Doe, the first of May 1990", "say I paid", "another card", "stop", "no", "hello?")
WAITS = (0.01, 0.5, 2, 7, 12, 35)


class Hostile:
    """One line, and those who play on it."""

    def __init__(self, line: Line, chance: Random) -> None:
        self.line, self.chance = line, chance
        self.helpful = chance.choice([0.5, 0.8, 0.95])
        self.relays = 1
        self.heard = ""

    async def play(self, moves: int) -> None:
        for _ in range(moves):
            if self.line.session.call.state in FINAL:
                return
            await self.chance.choices([self.talk, self.report, self.wait, self.trouble], [6, 5, 2, 1])[0]()
            await settled()

    async def talk(self) -> None:
        """The caller says something, and the model answers as it likes."""
        self.line.model.scripts.clear()
        self.line.model.scripts.extend(self.answer() for _ in range(4))
        await self._try(self.line.session.hear(self.chance.choice(SAID)))

    def answer(self) -> Script:
        """What is useful now, or a lie, a failure, a tool out of place."""
        offered = self.line.session.call.offered(virtual_now())
        if offered and self.chance.random() < self.helpful:
            name = self.chance.choice(
                [one for one in offered if one not in ("end_call", "human_agent_handoff")] or offered
            )
            return self.use(name)
        lie = self.chance.choice(LIES)
        cut = self.chance.randint(1, len(lie) - 1)
        odd: list[Script] = [
            says(self.chance.choice(["Well.", "One moment.", "Has it been paid before?"])),
            [Words(lie[:cut]), Words(lie[cut:]), tool("complete_payment_processing"), Finished("tool_calls")],
            [Words("Let me "), self.chance.choice(WAITS), ModelFailed("cut")],
            [ModelFailed("server_error")],
            self.use(
                self.chance.choice(["complete_payment_processing", "start_payment", "verify_user", "mark_as_paid"])
            ),
            calls("human_agent_handoff", reason="asked"),
        ]
        return self.chance.choice(odd)

    def use(self, name: str) -> Script:
        if name == "start_payment":
            return calls(name, amount=self.chance.choice(["600.00", "600.00", "1.00", "600.01", "-1"]))
        if name == "verify_user":
            return calls(
                name, full_name="John Doe", date_of_birth=self.chance.choice(["1990-05-01"] * 3 + ["1991-05-01"])
            )
        if name == "confirm_balance":
            return calls(name, agreed=self.chance.random() < 0.9)
        return calls(name, **({"language": "es"} if name == "switch_language" else {}))

    async def report(self) -> None:
        """A callback of the payment session, likely or not."""
        fields = keyed_fields(self.line.flow)
        capturing = self.line.session.call.facts.capturing
        likely = [one for one in fields if getattr(one, "field", "") == capturing] or fields
        name = self.chance.choice([*FIELDS])
        odd: list[ev.Event] = [
            ev.KeyPressed(PAYMENT, capturing or name),
            ev.FieldRejected(PAYMENT, capturing or name, "invalid-card-number"),
            ev.EntryTimedOut(PAYMENT, capturing or name, self.chance.random() < 0.5),
            ev.PaymentSucceeded(PAYMENT, "ch7", digest="success"),
            ev.PaymentFailed(PAYMENT, self.chance.choice(["payment-connector-error", "internal-error"]), 64012),
            ev.PaymentSessionStarted(self.chance.choice([PAYMENT, "PK" + "9" * 32])),
            ev.SessionRefused(PAYMENT, "session-in-progress"),
        ]
        settled_one = self.line.session.call.facts.completing and self.chance.random() < 0.7
        event = odd[3] if settled_one else self.chance.choice([*likely * 6, *odd] if capturing else odd[5:])
        await self._try(self.line.session.post(event))

    async def wait(self) -> None:
        await asyncio.sleep(self.chance.choice(WAITS))

    async def trouble(self) -> None:
        """The line, the journal or Twilio fails for once."""
        match self.chance.randrange(5):
            case 0:
                await self._try(self.line.session.disconnect(self.line.ear.mouth))
                self.relays += 1
                self.heard += self.line.ear.heard
                await self.line.connect(f"VX{self.relays}")
            case 1:
                self.line.worker.pen.fails = [JournalFailed("locked")]
            case 2:
                failure = self.chance.choice([TwilioRefused(64020, 400, "no"), TwilioUnanswered("no answer")])
                self.line.till.fails = {self.chance.choice(["open", "capture", "complete", "cancel"]): [failure]}
            case 3:
                await self._try(self.line.session.post(ev.LanguageKeyPressed("es")))
            case 4 if self.chance.random() < 0.2:
                await self._try(self.line.session.post(ev.CallerHungUp()))

    async def _try(self, doing: object) -> None:
        with suppress(JournalFailed):
            await doing  # type: ignore[misc]


def of_one_payment(steps: list[Step]) -> list[Step]:
    """The steps until a second payment begins: the stand-in till knows one session only."""
    starts = [
        n
        for n, s in enumerate(steps)
        if isinstance(s.event, ev.ToolCalled) and s.event.name == "start_payment" and s.row
    ]
    return steps[: starts[1]] if len(starts) > 1 else steps


@pytest.mark.promise(1, 2, 3)
@pytest.mark.parametrize("seed", range(24))
async def test_no_promise_breaks_on_a_whole_line(tmp_path: Path, seed: int) -> None:
    """Whatever the model, the callbacks, the caller, the line, the journal and the clock do."""
    chance = Random(seed)
    async with open_line(tmp_path, chance.choice([*Pace])) as line:
        await line.ring()
        if chance.random() < 0.8:
            await chance.choice([Line.verified, Line.agreed, Line.paying])(line)
        hostile = Hostile(line, chance)
        await hostile.play(60)
        all_steps = await line.steps()
        heard = hostile.heard + line.ear.heard

    steps = of_one_payment(all_steps)

    played = judged(line.flow, steps)
    assert played.broken == "", "\n".join(told(line.flow, seed, played))
    assert line.till.asked.count("complete") <= 1 or len(steps) < len(all_steps)
    if not any(isinstance(step.event, ev.PaymentSucceeded) for step in all_steps):
        assert not [lie for lie in LIES if lie in heard]
