"""One tab's telephone: a line of its own, the call that is on, and whoever plays the caller.

All of it runs in one event loop, whose clock is the tab's (`tempo`). A line takes any number of calls, one after the
other, so that what was paid stays paid; a scenario, another pace, profile or model begin with a fresh line and book.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

from payagent import rehearsal
from payagent.accounts.demo import DEMO
from payagent.demo import offers
from payagent.demo.drawing import flow_of
from payagent.demo.feed import Feed
from payagent.demo.sheet import Sheet
from payagent.demo.switches import Switches
from payagent.demo.tempo import Tempo
from payagent.flow import effects as do
from payagent.flow.call import Call
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.lab import caller
from payagent.lab import scenario as scenarios
from payagent.lab.line import LabCall
from payagent.lab.scenario import Expectation, Scenario
from payagent.rehearsal import RealModel, Stage

PATIENCE_SECONDS = 900.0  # of the tab's clock: the longest scenario waits for more than one of the flow's deadlines
MODEL_TRIES = 2  # the program asks once more by itself
LONGEST_GOODBYE_SECONDS = 10.0

Model = Literal["scripted", "real"]


@dataclass(frozen=True, slots=True)
class Leisure:
    """The pauses that are there for whoever looks on, in seconds of the tab's clock.

    Between two pieces of the model's words; after a word heard and a key pressed; before a card is keyed in.
    """

    piece: float = 0.09
    word: float = 0.24
    key: float = 0.14
    card: float = 1.2


class NoCall(Exception):
    """There is no call to do that in."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a line is set up for."""

    pace: Literal["model", "automatic"] = "model"
    profile: Literal["card", "card_postal_code"] = "card"
    model: Model = "scripted"

    def scenario(self) -> Scenario:
        """A line that nobody's script is played on."""
        return Scenario(
            name="browser",
            description="a person plays the caller",
            pace=self.pace,
            profile=self.profile,
            steps=(),
            expect=Expectation(end="caller_hung_up"),
        )


@dataclass(slots=True)
class _Line:
    """A line that is up, and what it was set up for; `plan` is None for a scenario's."""

    stage: Stage
    plan: Plan | None
    scenario: Scenario
    sheet: Sheet
    closing: AsyncExitStack


class Booth:
    """The telephone of one tab; its record lies in `directory` under `name`."""

    def __init__(
        self,
        feed: Feed,
        tempo: Tempo,
        directory: Path,
        name: str,
        real_model: RealModel | None,
        leisure: Leisure,
    ) -> None:
        self._feed = feed
        self._tempo = tempo
        self._directory = directory
        self._name = name
        self._real_model = real_model
        self._leisure = leisure
        self._line: _Line | None = None
        self._call: LabCall | None = None
        self._switches = Switches()
        self._who = DEMO[0]
        self._keys: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._owed = _owed()
        self._changing = asyncio.Lock()

    # -- a call begins and ends

    async def ring(self, plan: Plan, account: str) -> None:
        """Begin a call as the person with this account; one that is on is hung up first."""
        async with self._changing:
            await self._hang_up()
            if self._line is None or self._line.plan != plan:
                await self._connect(plan.scenario(), plan)
            assert self._line is not None
            self._who = offers.known(DEMO, account) or DEMO[0]
            await self._place(self._line, "+15550100")

    async def play(self, name: str) -> None:
        """Begin this scenario's call on a fresh line, and have its caller played.

        Raises:
            FileNotFoundError: there is no scenario of that name.
        """
        chosen = scenarios.load(name)
        async with self._changing:
            await self._hang_up()
            await self._connect(chosen, None)
            assert self._line is not None
            call = await self._place(self._line, chosen.caller)
            self._start(self._play(self._line, call))

    async def hang_up(self) -> None:
        """Put the phone down; whoever plays a scenario's caller stops."""
        async with self._changing:
            await self._hang_up()

    async def reset(self) -> None:
        """Hang up and forget what was paid."""
        async with self._changing:
            await self._hang_up()
            await self._disconnect()
            self._feed.add("people", people=self.people())

    async def close(self) -> None:
        """Take the line down."""
        async with self._changing:
            await self._hang_up()
            await self._disconnect()
        self._feed.close()

    def people(self) -> list[dict[str, object]]:
        """Who the caller may pretend to be, and what they still owe."""
        return [
            {
                "account": who.account.id,
                "name": who.account.name,
                "says": offers.introduction(who, who.account.language),
                "owes": [
                    {"bill": bill.description, "amount": f"{self._owed[bill.id]:.2f}"}
                    for bill in who.bills
                    if self._owed[bill.id] > 0
                ],
            }
            for who in DEMO
        ]

    # -- what the caller does

    async def say(self, words: str) -> None:
        """Say something."""
        await self._on().say(words)

    async def press(self, keys: str) -> None:
        """Press keys."""
        await self._on().press(keys)

    async def interrupt(self, heard: str | None) -> None:
        """Talk over the agent; `heard` is what was played so far, if that is known."""
        if not await self._on().interrupt(heard):
            self._feed.add("not_interruptible")

    async def drop_line(self) -> None:
        """Cut the relay's socket."""
        self._start(self._on().drop_line())

    async def use_card(self, name: str) -> None:
        """Key this card in: the field that is listened for now, and those that follow.

        Raises:
            KeyError: there is no such card.
        """
        self._keys = dict(offers.demo_cards(self._tempo.now().date())[name].keys)
        self._key_in(0)

    async def switch(self, switches: Switches) -> None:
        """Switch faults on and off, for the call that is on and the next ones."""
        self._switch(switches)

    def _switch(self, switches: Switches) -> None:
        self._switches = switches
        if self._line:
            self._line.stage.twilio.faults = switches.faults(self._line.scenario.faults)
            self._line.stage.model.fail_next = [500] * MODEL_TRIES * switches.model_error
        self._feed.add("faults", on=switches.data())

    # -- the line

    async def _connect(self, scenario: Scenario, plan: Plan | None) -> None:
        await self._disconnect()
        self._feed.add("line", what="starting")
        sheet = Sheet(self._feed, flow_of(scenario.pace, scenario.profile))
        closing = AsyncExitStack()
        stage = await closing.enter_async_context(
            rehearsal.stage(
                scenario.model_copy(update={"name": self._name}),
                directory=self._directory,
                scale=1.0,
                observer=_Both(sheet, self),
                watchers=[sheet, self._watch],
                clock=self._tempo.now,
                chunk_seconds=self._leisure.piece,
                real_model=self._real_model if plan and plan.model == "real" else None,
            )
        )
        self._line = _Line(stage, plan, scenario, sheet, closing)
        self._switch(self._switches)

    async def _disconnect(self) -> None:
        if self._line:
            line, self._line = self._line, None
            await line.closing.aclose()
        self._owed = _owed()

    async def _place(self, line: _Line, number: str) -> LabCall:
        self._keys = {}
        line.sheet.begin(
            pace=line.scenario.pace,
            profile=line.scenario.profile,
            scenario="" if line.plan else line.scenario.name,
            description="" if line.plan else line.scenario.description,
            model=line.plan.model if line.plan else "scripted",
            people=self.people(),
            faults=self._switches.data(),
            rate=self._tempo.rate,
            database=str(line.stage.database),
        )
        self._call = await line.stage.twilio.place_call(number)
        self._feed.add("placed", sid=self._call.sid)
        return self._call

    async def _play(self, line: _Line, call: LabCall) -> None:
        """Play the scenario's caller to the end, and tell whether all was as expected."""
        result = await caller.play(
            line.scenario,
            line.stage.twilio,
            model=line.stage.model,
            patience=PATIENCE_SECONDS,
            manner=caller.Manner(self._leisure.word, self._leisure.key),
            call=call,
        )
        self._feed.add("played", ok=result.ok, problems=list(result.problems))

    async def _hang_up(self) -> None:
        """End the call that is on, however it stands."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        call, self._call = self._call, None
        if call and not call.end:
            try:
                await asyncio.wait_for(call.hang_up(), LONGEST_GOODBYE_SECONDS)
            except TimeoutError:
                await call.abandon()

    def _on(self) -> LabCall:
        """The call that is on.

        Raises:
            NoCall: none is.
        """
        if self._call is None or self._call.end:
            raise NoCall
        return self._call

    # -- what follows from what happens

    def _watch(self, call: Call, step: Step, offered: Sequence[str]) -> None:
        """A step was recorded: offer what fits now, go on keying in, and spring what waits for a move."""
        self._feed.add("sayings", sayings=offers.sayings(step.after, call.facts.language, self._who))
        for order in step.orders:
            if isinstance(order, do.CreditBill) and order.bill in self._owed:
                self._owed[order.bill] = max(self._owed[order.bill] - order.amount.amount, Decimal(0))
                self._feed.add("people", people=self.people())
        self._key_in(self._leisure.card)
        moved = step.before is not step.after and step.after not in (State.ENDED, State.HANDING_OFF)
        if moved and self._switches.lost_socket and self._call and not self._call.end:
            self._spent(lost_socket=False)
            self._start(self._call.drop_line())
        if self._switches.model_error and self._line and not self._line.stage.model.fail_next:
            self._spent(model_error=False)

    def on_rest(self) -> None:
        """A payment request was answered; an error that was to hit one has hit it."""
        if self._switches.rest_error and self._line:
            left, all_of_it = self._line.stage.twilio.faults, self._switches.faults(self._line.scenario.faults)
            if left.rest_error != all_of_it.rest_error:
                self._spent(rest_error=False)

    def _spent(self, **off: bool) -> None:
        self._switch(replace(self._switches, **off))

    def _key_in(self, after: float) -> None:
        """Key in what the chosen card has for the field that is listened for, once."""
        sessions = self._line.stage.twilio.sessions if self._line else []
        listening = sessions[-1].active if sessions and not sessions[-1].end else ""
        keys = self._keys.pop(listening, "")
        if keys and self._call:
            self._start(self._type(self._call, keys, after))

    async def _type(self, call: LabCall, keys: str, after: float) -> None:
        await asyncio.sleep(after)
        for key in keys:
            await call.press(key)
            await asyncio.sleep(self._leisure.key)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _owed() -> dict[str, Decimal]:
    """What a fresh book says of each bill."""
    return {bill.id: bill.owed.amount for who in DEMO for bill in who.bills}


class _Both:
    """Shows what happens on the line, and tells the booth of what it waits for."""

    def __init__(self, sheet: Sheet, booth: Booth) -> None:
        self._sheet = sheet
        self._booth = booth

    def on(self, kind: str, **details: object) -> None:
        """Something happened on the line."""
        self._sheet.on(kind, **details)
        if kind == "rest":
            self._booth.on_rest()
