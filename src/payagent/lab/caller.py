"""Plays a scenario's caller against the app and says, readably, what was not as expected.

Waits are real time with a generous cap (`patience`): order is asserted, never duration. A wait that breaks its cap
ends the play and names what was heard so far.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from payagent.lab.account import Charge, LabAccount
from payagent.lab.brain import Brain
from payagent.lab.line import LabCall, Routes
from payagent.lab.model import ScriptedModel
from payagent.lab.observer import Observer
from payagent.lab.scenario import Expectation, Scenario, Step
from payagent.lab.twilio import StandInTwilio, utc_now

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario: `problems` is empty when all was as expected."""

    scenario: Scenario
    call_sid: str
    problems: tuple[str, ...]
    spoken: tuple[str, ...]
    charges: tuple[Charge, ...]
    sessions: tuple[str, ...]
    end: str

    @property
    def ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems

    def report(self) -> str:
        """The play in words: the verdict, each problem, what was said, the money."""
        lines = [f"{self.scenario.name}: {'as expected' if self.ok else 'NOT as expected'} (call {self.call_sid})"]
        lines += [f"  - {problem}" for problem in self.problems]
        lines += ["  heard:", *(f"    {words}" for words in self.spoken)]
        charges = ", ".join(f"{c.amount:.2f} {c.currency} ({c.confirmation})" for c in self.charges) or "nothing"
        lines.append(f"  charged: {charges}; sessions: {list(self.sessions)}; end: {self.end or 'still going on'}")
        return "\n".join(lines)


def stand_in(
    scenario: Scenario,
    *,
    scale: float,
    account: LabAccount | None = None,
    observer: Observer | None = None,
    now: Callable[[], datetime] = utc_now,
) -> StandInTwilio:
    """The stand-in Twilio this scenario asks for: its faults and words, and what becomes of hand-offs."""
    routes = Routes(scenario.queue_result, scenario.dial_status)
    return StandInTwilio(
        account,
        faults=scenario.faults,
        dialect=scenario.dialect,
        scale=scale,
        routes=routes,
        observer=observer,
        now=now,
    )


def scripted_model(scenario: Scenario) -> ScriptedModel:
    """The scripted model this scenario asks for."""
    return ScriptedModel(Brain(scenario.model))


@dataclass(frozen=True, slots=True)
class Manner:
    """How a scripted caller takes their time, in unscaled seconds; at once unless told otherwise."""

    seconds_a_word: float = 0.0
    seconds_a_key: float = 0.0
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


AT_ONCE = Manner()


class Disappointed(Exception):
    """The caller waited in vain; says for what, and what was heard."""


async def play(
    scenario: Scenario,
    twilio: StandInTwilio,
    *,
    model: ScriptedModel | None = None,
    scale: float = 1.0,
    patience: float = PATIENCE_SECONDS,
    manner: Manner = AT_ONCE,
    call: LabCall | None = None,
) -> Result:
    """Ring, do the steps, wait for the end, and compare. `scale` is the stand-in's; `patience` is in real seconds.

    `call` is one that was placed already.
    """
    call = call or await twilio.place_call(scenario.caller)
    problems: list[str] = []
    try:
        await _Steps(call, scale, patience, manner).walk(scenario.steps)
        if not await call.until(lambda: bool(call.end), patience):
            raise Disappointed(f"the call did not end; {_last_words(call.spoken)}")
        await asyncio.wait_for(twilio.settle(), patience)
    except Disappointed as disappointment:
        problems.append(str(disappointment))
        await call.abandon()
    except TimeoutError:
        problems.append("callbacks or a charge were still under way when the call was long over")
    problems += _differences(scenario.expect, call, twilio)
    problems += [f"violation: {text}" for text in twilio.violations]
    problems += _model_problems(scenario.expect, model)
    return Result(
        scenario,
        call.sid,
        tuple(problems),
        tuple(call.spoken),
        tuple(twilio.charges),
        tuple(session.end for session in twilio.sessions),
        call.end,
    )


class _Steps:
    """Does the steps one by one; `mark` is how many talk cycles were heard when the last one was done."""

    def __init__(self, call: LabCall, scale: float, patience: float, manner: Manner) -> None:
        self._call = call
        self._scale = scale
        self._patience = patience
        self._manner = manner
        self._mark = 0

    async def walk(self, steps: tuple[Step, ...]) -> None:
        """Do the steps.

        Raises:
            Disappointed: the words a step waits for did not come.
        """
        for number, step in enumerate(steps, 1):
            await self._await_words(number, step)
            await self._take_in(step)
            self._mark = len(self._call.spoken)
            await self._do(step)

    async def _await_words(self, number: int, step: Step) -> None:
        call, words = self._call, re.compile(step.when, re.IGNORECASE)
        over = step.deed == "interrupt"

        def heard() -> bool:
            fresh = [*call.spoken[self._mark :], *([call.speaking] if over else [])]
            return not step.when or bool(words.search("\n".join(fresh)))

        in_time = await call.until(lambda: heard() or bool(call.end), self._patience)
        if heard() and not call.end:
            return
        why = f"the call ended ({call.end})" if in_time else f"{self._patience:g} s went by"
        raise Disappointed(
            f"step {number} ({step.deed}) waited for {step.when!r}, but {why}; {_last_words(call.spoken)}"
        )

    async def _take_in(self, step: Step) -> None:
        """The time it takes to hear what was said; who interrupts does not wait for the end of it."""
        words = " ".join(self._call.spoken[self._mark :]).split()
        heard = len(words) / 3 if step.deed == "interrupt" else len(words)
        await self._manner.pause(heard * self._manner.seconds_a_word)

    async def _press(self, keys: str) -> None:
        pause = self._manner.seconds_a_key
        for part in keys if pause else [keys]:
            await self._call.press(part)
            await self._manner.pause(pause)

    async def _do(self, step: Step) -> None:
        call = self._call
        match step.deed:
            case "say":
                await call.say(step.say, partials=step.partials)
            case "press":
                await self._press(step.press)
            case "interrupt":
                await call.interrupt()
                await call.say(step.interrupt)
            case "hang_up":
                await call.hang_up()
            case "drop_line":
                await call.drop_line()
            case "wait":
                await asyncio.sleep(step.wait * self._scale)
            case _:
                assert_never(step.deed)


def _last_words(spoken: list[str]) -> str:
    return "heard so far: " + (" | ".join(spoken) or "nothing")


def _differences(expect: Expectation, call: LabCall, twilio: StandInTwilio) -> list[str]:
    charged = tuple(charge.amount for charge in twilio.charges)
    sessions = tuple(session.end for session in twilio.sessions)
    problems = [
        f"{what}: expected {wanted}, was {found}"
        for what, wanted, found in (
            ("end", expect.end, call.end),
            ("charged", [str(amount) for amount in expect.charged], [str(amount) for amount in charged]),
            ("sessions", list(expect.sessions), list(sessions)),
        )
        if wanted != found
    ]
    problems += _unheard(expect.heard, "\n".join(call.spoken))
    problems += [
        f"heard {each!r}" for each in expect.not_heard if re.search(each, "\n".join(call.spoken), re.IGNORECASE)
    ]
    return problems + _unmet(expect.followed, call.followed)


def _unheard(expressions: tuple[str, ...], text: str) -> list[str]:
    """What did not come, or not after the one before it."""
    at = 0
    for each in expressions:
        found = re.compile(each, re.IGNORECASE).search(text, at)
        if found is None:
            return [f"never heard {each!r}" + (" after what came before it" if at else "")]
        at = found.end()
    return []


def _unmet(wanted: tuple[str, ...], followed: list[str]) -> list[str]:
    rest = iter(followed)
    missing = [each for each in wanted if each not in rest]
    return [f"followed: {missing} missing, in this order, from {followed}"] if missing else []


def _model_problems(expect: Expectation, model: ScriptedModel | None) -> list[str]:
    if model is None:
        return []
    problems = [f"violation: {text}" for text in model.violations]
    if expect.model_requests is not None and len(model.requests) > expect.model_requests:
        problems.append(f"{len(model.requests)} model requests, {expect.model_requests} are enough")
    return problems
