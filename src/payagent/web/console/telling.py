"""What a call's page shows, read off its steps and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payagent.errors import IllegalMove
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Facts
from payagent.flow.hand_off import card
from payagent.flow.states import FINAL, Outcome, State
from payagent.flow.step import Step, Timer
from payagent.flow.table import Flow
from payagent.review.stays import Stay, stays
from payagent.review.trace import lines, masked

CARD_NAMES = {  # but for the call's SID, which the page bears already
    "reason": "Reason",
    "state": "State",
    "verified": "Caller verified",
    "amount": "Amount",
    "currency": "Currency",
    "lastFour": "Card's last four",
    "attempts": "Payments tried",
    "lastError": "Last error",
    "payment": "Payment",
    "nextSafeAction": "Next safe action",
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person said became of an unknown payment."""

    at: datetime
    outcome: str
    reference: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class CallTold:
    """A call of at least one step. `facts` and `hand_off` are None when the steps are not those of one whole call."""

    call_sid: str
    state: State
    started: datetime
    updated: datetime
    entered: datetime
    steps: int
    caller: str
    facts: Facts | None
    handed_off: bool
    hand_off: list[tuple[str, str]] | None
    waits: tuple[Timer, ...]
    stays: list[Stay]
    resolutions: list[Resolution]

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.state in FINAL

    @property
    def outcome(self) -> Outcome:
        """What became of the latest payment, as far as the record tells."""
        return self.facts.outcome if self.facts else Outcome.NONE

    @property
    def is_owed_an_answer(self) -> bool:
        """Whether a person has to find out what became of the payment."""
        return self.outcome is Outcome.UNKNOWN

    @property
    def length(self) -> timedelta:
        """From the first step to the last."""
        return self.updated - self.started


def told(steps: Sequence[Step], flow: Flow) -> CallTold:
    """The call of these steps, at least one."""
    first, last = steps[0], steps[-1]
    entered = next((step.at for step in reversed(steps) if step.before is not step.after), first.at)
    left = next((step.before for step in reversed(steps) if _hands_off(step)), None)
    try:
        call = Call(flow, first.call_sid).replay(steps)
    except IllegalMove:  # a step is missing: the record's check names it
        call = None
    return CallTold(
        call_sid=first.call_sid,
        state=last.after,
        started=first.at,
        updated=last.at,
        entered=entered,
        steps=len(steps),
        caller=first.event.caller if isinstance(first.event, ev.CallStarted) else "",
        facts=call.facts if call else None,
        handed_off=left is not None,
        hand_off=_card(call, left) if call else None,
        waits=tuple(sorted(last.timers, key=lambda timer: timer.due)),
        stays=stays(lines(steps)),
        resolutions=[
            Resolution(step.at, step.event.outcome, step.event.reference, step.event.who, masked(step.event.why))
            for step in steps
            if isinstance(step.event, ev.OutcomeResolved) and not step.refused
        ],
    )


def _hands_off(step: Step) -> bool:
    return step.after is State.HANDING_OFF and step.before is not State.HANDING_OFF


def _card(call: Call, left: State | None) -> list[tuple[str, str]]:
    """The hand-off card in words; what it leaves open is left out."""
    shown = card(call, left or call.state)
    return [
        (words, _in_words(name, shown[name])) for name, words in CARD_NAMES.items() if shown[name] not in (None, "")
    ]


def _in_words(name: str, value: object) -> str:
    match name:
        case "verified":
            return "yes" if value else "no"
        case "state" | "payment":
            return str(value).replace("_", " ")
        case "reason":
            return masked(str(value).replace("_", " "))
        case _:
            return str(value)
