"""A call: a state, facts and timers; `decide` says what an event leads to, `apply` makes it so.

`decide` changes nothing, so a step that could not be recorded has not happened. `apply` cannot fail. A call is its
steps: `replay` gives the same call again, without asking a guard.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from payagent.errors import IllegalMove
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import Facts, replace
from payagent.flow.fold import entered, is_late, learn, ordered
from payagent.flow.guards import KEY_RECORDED_EVERY
from payagent.flow.machine import Engine
from payagent.flow.orders import say_where_we_are
from payagent.flow.rows import Row, View
from payagent.flow.sentences import SENTENCES
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.flow.table import Flow
from payagent.flow.tools import TOOLS, Arguments, BadArguments, parse
from payagent.flow.waits import arm

_REPORTS = get_args(ev.PayReport)
_ENDS = (ev.PaymentSucceeded, ev.PaymentFailed, ev.SessionRefused)
DONE = "Done. What follows is said to the caller by a fixed sentence; add nothing."
LATE_ANSWER = "late_answer"
LATE = "Too late: the caller has spoken or the call has moved on."


class Call:
    """One call. `flow` is the table it is decided by."""

    __slots__ = ("_ahead", "call_sid", "engine", "facts", "flow", "seq", "state", "timers")

    def __init__(self, flow: Flow, call_sid: str, engine: Engine | None = None) -> None:
        self.flow = flow
        self.engine = engine or Engine(flow)
        self.call_sid = call_sid
        self.state = State.VERIFYING_IDENTITY
        self.facts = Facts(language=flow.languages[0])
        self.timers: tuple[Timer, ...] = ()
        self.seq = 0
        self._ahead: tuple[Step, Facts] | None = None
        """The step decided last with the facts it leads to, so that `apply` need not work them out again."""

    def decide(self, event: ev.Event, at: datetime) -> Step | None:
        """What `event` at `at` (UTC) leads to; None if it is not worth a record.

        Not worth one are: a callback already seen in this capture, a key pressed within two seconds of the last one
        recorded, a timer of an older wait, and the end of a turn that was superseded.
        """
        if self._is_noise(event, at):
            return None
        if isinstance(event, ev.ToolCalled):
            return self._decide_tool(event, at)
        view = self._view(event, None, at)
        row, _ = self.engine.fire(self.trigger_of(event), view)
        if row is None and isinstance(event, ev.OutcomeResolved):
            return self._refuse(event, at, "This call's outcome is not unknown.", ())
        return self._step(event, at, view, row, "")

    def _decide_tool(self, event: ev.ToolCalled, at: datetime) -> Step:
        if not event.turn or event.turn != self.facts.turn:
            return self._refuse(event, at, LATE, ())
        if event.name not in TOOLS or (self.state, event.name) not in self.flow.by_trigger:
            return self._refuse_tool(event, at, f"There is no tool {event.name[:40]!r} at this point of the call.")
        try:
            arguments = parse(event.name, event.arguments)
        except BadArguments as error:
            return self._refuse_tool(event, at, str(error))
        view = self._view(event, arguments, at)
        row, refusal = self.engine.fire(event.name, view)
        if row is None:
            return self._refuse_tool(event, at, refusal)
        return self._step(event, at, view, row, DONE)

    def _refuse_tool(self, event: ev.ToolCalled, at: datetime, words: str) -> Step:
        """The model is told in words and may go on; after too many refusals the state's own sentence is said."""
        if self.facts.refusals + 1 < self.flow.limits.refused_tools:
            return self._refuse(event, at, words, (do.Think(),))
        said = say_where_we_are.orders(self._view(event, None, at))
        return self._refuse(event, at, words, said or (do.Say("say_again", (), SENTENCES["say_again"].interruptible),))

    def _refuse(self, event: ev.Event, at: datetime, words: str, orders: tuple[do.Order, ...]) -> Step:
        facts = self._fold(self.facts, event, at, self.state, words, orders)
        return self._made(event, at, self.state, "", words, words, orders, facts)

    def _step(self, event: ev.Event, at: datetime, view: View, row: Row | None, reply: str) -> Step:
        orders = tuple(order for effect in row.effects for order in effect.orders(view)) if row else ()
        after = row.dest if row and row.dest else self.state
        facts = self._fold(view.now, event, at, after, "", orders)
        return self._made(event, at, after, row.id if row else "", "", reply, orders, facts)

    def _made(
        self,
        event: ev.Event,
        at: datetime,
        after: State,
        row: str,
        refused: str,
        reply: str,
        orders: tuple[do.Order, ...],
        facts: Facts,
    ) -> Step:
        fired = event.timer if isinstance(event, ev.TimeUp) else ""
        timers = arm(after, facts, self.timers, fired, self.seq + 1, at, self.flow.limits)
        step = Step(
            self.call_sid,
            self.seq + 1,
            at,
            event,
            self.state,
            after,
            row,
            refused,
            reply,
            orders,
            timers,
            self.flow.version,
        )
        self._ahead = step, facts
        return step

    def _fold(
        self, facts: Facts, event: ev.Event, at: datetime, after: State, refused: str, orders: tuple[do.Order, ...]
    ) -> Facts:
        """`facts` (which have learned the event, unless it was refused) after the move and its orders."""
        if refused:
            facts = replace(facts, refusals=facts.refusals + 1) if orders else facts
        if after is not self.state:
            facts = entered(facts, ev.trigger_of(event), self.state, after, at)
        return ordered(facts, orders, self.call_sid, self.seq + 1) if orders else facts

    def apply(self, step: Step) -> None:
        """Make a recorded step so.

        Raises:
            IllegalMove: the step is not this call's next one.
        """
        if step.call_sid != self.call_sid or step.seq != self.seq + 1 or step.before is not self.state:
            raise IllegalMove(f"step {step.seq} of {step.call_sid} does not follow step {self.seq} of {self.call_sid}")
        ahead, facts = self._ahead or (None, self.facts)
        self.facts = facts if ahead is step else self._facts_after(step)
        self.state, self.seq, self.timers, self._ahead = step.after, step.seq, step.timers, None

    def _facts_after(self, step: Step) -> Facts:
        facts = self.facts
        if not step.refused:
            facts = learn(facts, step.event, _arguments(step.event), self.flow.limits, step.at)
        return self._fold(facts, step.event, step.at, step.after, step.refused, step.orders)

    def twin(self) -> Call:
        """A call of its own in the very same place."""
        twin = object.__new__(Call)
        twin.flow, twin.engine, twin.call_sid = self.flow, self.engine, self.call_sid
        twin.state, twin.facts, twin.timers, twin.seq = self.state, self.facts, self.timers, self.seq
        twin._ahead = self._ahead
        return twin

    def replay(self, steps: Iterable[Step]) -> Call:
        """This call after those steps."""
        for step in steps:
            self.apply(step)
        return self

    def offered(self, at: datetime) -> tuple[str, ...]:
        """The tools the model is given now: open in the state, and not ruled out by what is known already."""
        view = self._view(None, None, at)
        return tuple(
            name
            for name in self.flow.tools[self.state]
            if any(
                all(guard.holds(view) for guard in row.guards if guard.offer)
                for row in self.flow.by_trigger[self.state, name]
            )
        )

    def _view(self, event: ev.Event | None, arguments: Arguments | None, at: datetime) -> View:
        now = learn(self.facts, event, arguments, self.flow.limits, at) if event else self.facts
        return View(
            self.call_sid,
            self.state,
            self.facts,
            now,
            event,
            arguments,
            at,
            self.flow.limits,
            self.flow.routes,
            self.flow.languages,
        )

    def trigger_of(self, event: ev.Event) -> str:
        """The word to look rows up by; a callback of another session than the current one has words of its own."""
        facts = self.facts
        if is_late(facts, event) and not isinstance(event, ev.PayOpened):
            return LATE_ANSWER
        if not isinstance(event, _REPORTS):
            return ev.trigger_of(event)
        if facts.is_ours(event.session):
            first_word = not facts.payment.session and not isinstance(event, _ENDS)
            return "payment_session_started" if first_word else ev.trigger_of(event)
        if isinstance(event, ev.PaymentSucceeded):
            return ev.EARLIER_PAYMENT_SUCCEEDED
        return "payment_session_started" if isinstance(event, ev.PaymentSessionStarted) else ev.OTHER_SESSION_REPORTED

    def _is_noise(self, event: ev.Event, at: datetime) -> bool:
        facts = self.facts
        if isinstance(event, _REPORTS) and event.digest and event.digest in facts.seen:
            return True
        match event:
            case ev.TimeUp(timer=name, armed=armed):
                return not any(t.name == name and t.armed == armed for t in self.timers)
            case ev.TurnEnded(turn=turn) | ev.ModelFailed(turn=turn) | ev.ClaimStopped(turn=turn):
                return turn != facts.turn
            case ev.KeyPressed(field=field) if field == facts.capturing and facts.key_at:
                # After a time-out each one counts: the new capture waits until the keys are quiet.
                return not facts.key_lost_at and at - facts.key_at < KEY_RECORDED_EVERY
        return False


def _arguments(event: ev.Event) -> Arguments | None:
    """A recorded tool call's arguments; those that are not recorded (`verify_user`) change no fact."""
    if not isinstance(event, ev.ToolCalled):
        return None
    try:
        return parse(event.name, event.arguments)
    except BadArguments:
        return None
