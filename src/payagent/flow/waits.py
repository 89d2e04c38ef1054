"""How long a call waits: which timers run in a state, and when each is due.

Deadlines are stored with the step, so that any worker can sweep them. A timer that is armed anew carries the number of
the step that armed it; a `TimeUp` of an older arming is ignored. Every state but the last has at least one timer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache

from payagent.flow.facts import Facts, Pay
from payagent.flow.limits import Limits
from payagent.flow.states import FIELDS, Line, State
from payagent.flow.step import Timer

_TALKING = frozenset(
    {
        State.VERIFYING_IDENTITY,
        State.CONFIRMING_BALANCE,
        State.CHOOSING_AMOUNT,
        State.READY_TO_COMPLETE,
        State.PAYMENT_COMPLETED,
        State.PAYMENT_DECLINED,
        State.PAYMENT_CANCELLED,
    }
)
_DUE = frozenset(f.due for f in FIELDS.values())
_ENTRY = frozenset(f.entry for f in FIELDS.values())

Due = tuple[str, datetime]


def arm(
    state: State, facts: Facts, running: tuple[Timer, ...], fired: str, seq: int, at: datetime, limits: Limits
) -> tuple[Timer, ...]:
    """The timers that run after step `seq` at `at`; `fired` is the timer that caused it, if one did.

    A timer whose due time has not changed goes on running as it was armed.
    """
    kept = {t.name: t for t in running if t.name != fired}
    timers = []
    for name, due in _wanted(state, facts, kept, fired, at, limits):
        old = kept.get(name)
        timers.append(old if old and old.due == due else Timer(name, seq, due))
    return tuple(timers)


def _wanted(
    state: State, facts: Facts, kept: dict[str, Timer], fired: str, at: datetime, limits: Limits
) -> Iterator[Due]:
    entered = facts.entry_since or at
    spoken = max(at, facts.speaking_until) if facts.speaking_until else at
    thinking = _seconds(limits.turn_seconds if facts.turn else 0)

    if facts.line is Line.LOST and state is not State.ENDED:
        lost = kept.get("line_overdue")
        yield "line_overdue", lost.due if lost else at + _seconds(limits.line_lost_seconds)
    if state in _TALKING:
        looking = _seconds(limits.look_up_seconds if facts.awaits("LookUpIdentity") or facts.awaits("ReadBills") else 0)
        yield "silence", spoken + thinking + looking + _seconds(limits.silence_seconds)
    elif state in _DUE:
        yield "due_overdue", spoken + thinking + _seconds(limits.due_seconds)
    elif state in _ENTRY:
        yield from _entry(facts, kept, fired, at, spoken, entered, limits)
    else:
        yield from _other(state, facts, kept, fired, at, spoken, entered, limits)


def _entry(
    facts: Facts, kept: dict[str, Timer], fired: str, at: datetime, spoken: datetime, entered: datetime, limits: Limits
) -> Iterator[Due]:
    """While the caller keys in: keys and words restart the waits for a key, nothing restarts the total."""
    moved = facts.waiting_since or at
    asked = at if "entry_waiting" not in kept else max(moved, spoken if spoken > at else moved)
    for name, since, seconds in (
        ("entry_waiting", asked, limits.entry_prompt_seconds),
        ("entry_person", moved, limits.entry_person_seconds),
        ("entry_total", entered, limits.entry_total_seconds),
    ):
        due = (at if name == fired else since) + _seconds(seconds)  # one that was over starts anew
        yield name, max(due, kept[name].due) if name in kept else due
    if facts.key_lost_at:
        yield "recapture", facts.key_lost_at + _seconds(limits.quiet_keys_seconds)


def _other(
    state: State,
    facts: Facts,
    kept: dict[str, Timer],
    fired: str,
    at: datetime,
    spoken: datetime,
    entered: datetime,
    limits: Limits,
) -> Iterator[Due]:
    match state:
        case State.STARTING_PAYMENT:
            yield "start_overdue", entered + _seconds(limits.start_seconds)
        case State.PROCESSING_PAYMENT:
            working, over = kept.get("still_working"), entered + _seconds(limits.unknown_seconds)
            again = working.due if working else at + _seconds(limits.still_working_seconds)
            if again < over:  # not in the same breath as the truth
                yield "still_working", again
            yield "result_overdue", over
        case State.CANCELLING_PAYMENT:
            yield "cancel_overdue", entered + _seconds(_close_seconds(facts, limits))
        case State.PAYMENT_OUTCOME_UNKNOWN:
            longest = entered + _seconds(limits.entry_prompt_seconds)  # whoever goes on talking is handed over too
            yield "hand_over", min(spoken + _seconds(limits.due_seconds), longest)
        case State.HANDING_OFF if not facts.leaving:
            yield "cancel_overdue", entered + _seconds(limits.cancel_seconds)
        case State.HANDING_OFF if not facts.routes_tried:
            yield "leave_overdue", spoken + _seconds(limits.line_lost_seconds)
        case State.HANDING_OFF:
            routed = kept.get("hand_off_overdue")
            yield "hand_off_overdue", routed.due if routed else at + _seconds(limits.hand_off_seconds)


def _close_seconds(facts: Facts, limits: Limits) -> float:
    """A session whose SID is not known yet gets the time its create may take."""
    return limits.start_seconds if facts.pay in (Pay.HOLDING, Pay.OPENING) else limits.cancel_seconds


@cache
def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
