"""What one needs to test a flow of one's own: a call one can drive by events, and a cursor over its steps.

* `PracticeCall` needs no phone, no model and no network. Every method posts one event, and gives the step it led to.
* Time passes only where a test says so (`after=`, `time_up`, `wait`), so a five-minute call takes milliseconds.
* The methods named after what a caller does (`verify` … `go_ahead`) are the usual way through a call, a piece each.

An example::

    call = PracticeCall().verify().agree().start("120.00").open()
    call.key_in_card()
    call.go_ahead()
    call.report(PaymentSucceeded, confirmation="ch_1")

    assert "paid" in call.said()
    assert call.state is State.PAYMENT_COMPLETED
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.fold import ANSWERS
from payagent.flow.machine import Engine
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import FIELDS, Field, Pace, State
from payagent.flow.step import Step
from payagent.flow.table import Flow, build

ACCOUNT = Account("A-1", "Ada Payer", has_hsa=True)
BILL = Bill("B-1", "clinic visit", Money(Decimal("600.00"), "USD"))
OTHER_BILL = Bill("B-2", "lab work", Money(Decimal("80.00"), "USD"))
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@lru_cache(maxsize=16)
def _engine(flow: Flow) -> Engine:
    """One for all calls of a table: building it takes longer than a call."""
    return Engine(flow)


class PracticeCall:
    """One call of `flow`, answered and connected to its first relay. `steps` is its whole record."""

    watcher: ClassVar[Callable[[PracticeCall], object] | None] = None
    """Is shown every new call: how `payagent.testing.plugin` comes to their records."""

    def __init__(self, flow: Flow | None = None, call_sid: str = "CA1") -> None:
        flow = flow or build()
        self.call = Call(flow, call_sid, _engine(flow))
        self.now = START
        self.steps: list[Step] = []
        self._orders: dict[str, str] = {}
        if PracticeCall.watcher:
            PracticeCall.watcher(self)
        self.post(ev.CallStarted("*1234"))
        self.post(ev.RelayConnected("VX-1"))

    # One event

    def decide(self, event: ev.Event, after: float = 0) -> Step | None:
        """The step that `event` would lead to `after` seconds from now; nothing happens."""
        return self.call.decide(event, self.now + timedelta(seconds=after))

    def post(self, event: ev.Event, after: float = 0) -> Step | None:
        """The step that `event` leads to `after` seconds from now; None if it is not worth a record."""
        step = self.decide(event, after)
        self.now += timedelta(seconds=after)
        if step is not None:
            self.call.apply(step)
            self.steps.append(step)
            for n, order in enumerate(step.orders):
                self._orders[type(order).__name__] = do.order_key(step.call_sid, step.seq, n)
        return step

    def say(self, words: str = "yes", after: float = 0) -> Step:
        """The caller says something."""
        return self._posted(ev.CallerSpoke(words), after)

    def tool(self, name: str, after: float = 0, **arguments: object) -> Step:
        """The model calls a tool in its current turn (or without one, where it has none)."""
        return self._posted(ev.ToolCalled(self.call.facts.turn, "call-1", name, json.dumps(arguments)), after)

    def answer(self, kind: type[ev.OrderAnswer], after: float = 0, **values: Any) -> Step:
        """The latest order of the kind that `kind` answers comes back so."""
        order = (
            self._orders[ANSWERS[kind]] if kind in ANSWERS else ""
        )  # the others change nothing, whatever they answer
        return self._posted(kind(order=order, **values), after)

    def report(self, kind: type[ev.PayReport], after: float = 0, **values: Any) -> Step:
        """A payment callback: of the current session and field, unless `values` say otherwise."""
        facts = self.call.facts
        known: dict[str, Any] = {"session": facts.payment.session or f"PK-{facts.payment.no}"}
        if "field" in kind.__dataclass_fields__:
            known["field"] = facts.capturing
        return self._posted(kind(**{**known, **values}), after)

    def time_up(self, timer: str) -> Step:
        """Time passes until `timer` is due, and it is over."""
        running = next((t for t in self.call.timers if t.name == timer), None)
        assert running is not None, f"no {timer} runs in {self.state}: {[t.name for t in self.call.timers]}"
        self.now = max(self.now, running.due)
        return self._posted(ev.TimeUp(timer, running.armed))

    def wait(self, seconds: float) -> list[Step]:
        """The steps of all timers that are due while nothing else happens for so long."""
        end, before = self.now + timedelta(seconds=seconds), len(self.steps)
        while due := [timer for timer in self.call.timers if timer.due <= end]:
            self.time_up(min(due, key=lambda timer: timer.due).name)
        self.now = end
        return self.steps[before:]

    def _posted(self, event: ev.Event, after: float = 0) -> Step:
        step = self.post(event, after)
        assert step is not None, f"{event} is not worth a record here"
        return step

    # What there is to see

    @property
    def flow(self) -> Flow:
        """The table that decides."""
        return self.call.flow

    @property
    def state(self) -> State:
        """Where the call is."""
        return self.call.state

    @property
    def offered(self) -> tuple[str, ...]:
        """The tools the model is offered now."""
        return self.call.offered(self.now)

    def said(self) -> list[str]:
        """The fixed sentences of the last step."""
        return [order.sentence for order in self.steps[-1].orders if isinstance(order, do.Say)]

    def ordered(self, *kinds: type[do.Order]) -> list[do.Order]:
        """All orders of these kinds in the whole call."""
        return [order for step in self.steps for order in step.orders if isinstance(order, kinds)]

    def cursor(self) -> Cursor:
        """A cursor before the first step."""
        return Cursor(self.steps)

    # The usual way through a call

    def verify(self) -> PracticeCall:
        """The caller is found, and the balance of two bills is told: the older one is the one to pay."""
        self.say("Ada Payer, first of May 1990")
        self.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
        self.answer(ev.IdentityMatched, account=ACCOUNT)
        self.answer(ev.BillsRead, bills=(BILL, OTHER_BILL))
        return self

    def agree(self) -> PracticeCall:
        """The caller agrees to the balance."""
        self.say("that is right")
        self.tool("confirm_balance", agreed=True)
        return self

    def start(self, amount: str = "600.00") -> PracticeCall:
        """The caller chooses an amount, and the bill is held."""
        self.say("this much, please")
        self.tool("start_payment", amount=amount)
        self.answer(ev.BillHeld)
        return self

    def open(self) -> PracticeCall:
        """Twilio opens the payment session."""
        self.answer(ev.PayOpened, session=f"PK-{self.call.facts.payment.no}")
        return self

    def listen(self, name: str) -> PracticeCall:
        """Twilio listens for the field: the model asks for it, if that is its part."""
        if self.call.flow.pace is Pace.MODEL:
            self._think()
            self.tool(FIELDS[name].tool)
        self.answer(ev.CaptureAccepted, field=name)
        return self

    def key_in(self, name: str, last_four: str = "4242", card_type: str = "visa") -> PracticeCall:
        """The caller keys in the field, and Twilio takes it."""
        self.listen(name)
        self.report(ev.KeyPressed, after=1)
        self.report(ev.FieldCaptured, after=2, last_four=last_four, card_type=card_type)
        return self

    def key_in_card(self, last_four: str = "4242", but: Sequence[str] = ()) -> PracticeCall:
        """The caller keys in every field that the profile takes, `but` for these."""
        for field in self.fields:
            if field.name not in but:
                self.key_in(field.name, last_four)
        return self

    def go_ahead(self) -> PracticeCall:
        """The caller gives the go-ahead, where it is asked for: the charge is with the processor."""
        if self.state is State.READY_TO_COMPLETE:
            self.say("yes, go ahead")
            self.tool("complete_payment_processing")
        return self

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the profile, in order."""
        return self.call.flow.profile.fields

    def _think(self) -> None:
        """A model that has no turn gets one by the caller's next words."""
        if not self.call.facts.turn:
            self.say("go on")


class Cursor:
    """Goes forward over steps: each `next` looks behind the one found last."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._at = 0

    def next(self, trigger: str = "", *, to: State | None = None, says: str = "", row: str = "") -> Step:
        """The next step of this trigger, that moves there, says this sentence, was decided by this row.

        Raises:
            AssertionError: there is none; its text shows the steps from here on.
        """
        for n in range(self._at, len(self._steps)):
            step = self._steps[n]
            if _fits(step, trigger, to, says, row):
                self._at = n + 1
                return step
        wanted = " ".join(part for part in (trigger, to and f"→ {to}", says and f"“{says}”", row) if part)
        rest = "\n".join(told(step) for step in self._steps[max(0, self._at - 2) :])
        raise AssertionError(f"no step {wanted} behind step {self._at}; the steps there are:\n{rest}")


def _fits(step: Step, trigger: str, to: State | None, says: str, row: str) -> bool:
    return (
        (not trigger or ev.trigger_of(step.event) == trigger)
        and (to is None or (step.after is to and step.before is not to))
        and (not says or any(isinstance(order, do.Say) and order.sentence == says for order in step.orders))
        and (not row or step.row == row)
    )


def told(step: Step) -> str:
    """A step in one line."""
    orders = [f"“{o.sentence}”" if isinstance(o, do.Say) else type(o).__name__ for o in step.orders]
    moved = f"{step.before} → {step.after}" if step.before is not step.after else str(step.before)
    refused = f" (refused: {step.refused})" if step.refused else ""
    return f"{step.seq:>4} {ev.trigger_of(step.event)}: {moved} {', '.join(orders)}{refused}".rstrip()
