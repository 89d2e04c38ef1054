"""The longest silences: every state, and everything that can fail to come in it, on a clock that jumps.

`python tests/flow/silence.py` writes the table beside it, `silence.md`; a test says when it is stale. A caller
*hears* fixed sentences, the prompt of a capture (spoken once Twilio listens) and the end of the call; words of the
model are not counted, since a model may have none. Speaking takes no time here: all figures count from the end of
what was said last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from clocked_call import (
    AUTOMATIC,
    MODEL,
    Rehearsal,
    asking,
    at_amount,
    at_balance,
    at_cancelled,
    at_cancelling,
    at_completed,
    at_declined,
    at_entry,
    at_field,
    at_identity,
    at_processing,
    at_ready,
    at_unknown,
    balance_told,
    closing_for_a_person,
    holding,
    leaving_for_a_person,
    opened,
    opening,
    told,
)

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import FIELDS, FINAL, State
from payagent.flow.step import Step

TABLE = Path(__file__).with_name("silence.md")
WATCHED = 600
"""Seconds that each silence is watched for."""
FIRST_WORD = 8
"""Seconds after which a model without a word is given up (`MODEL_FIRST_WORD_SECONDS`)."""


@dataclass(frozen=True)
class Silence:
    """One row: where, in which pace, what never comes, the longest time without a word, and what is heard then."""

    state: State
    pace: str
    missing: str
    seconds: float
    then: str


Way = Callable[[], Rehearsal]


def asked(way: Way) -> Way:
    """The caller says something there, and a turn of the model begins."""

    def go() -> Rehearsal:
        line = way()
        line.post(ev.CallerSpoke("what now?"))
        return line

    return go


def looked_up() -> Rehearsal:
    line = at_identity()
    line.tool("verify_user", '{"full_name": "Ada Payer", "date_of_birth": "1990-05-01"}')
    return line


def unlistened(flow: Flow) -> Way:
    """A capture was ordered, and Twilio never says that it listens."""

    def go() -> Rehearsal:
        line = opened(flow)
        if line.call.state is State.CARD_NUMBER_DUE:
            line.tool("capture_payment_card_number")
        return line

    return go


def keyed(flow: Flow) -> Way:
    """Some keys were pressed, and nothing more is heard."""

    def go() -> Rehearsal:
        line = at_entry(flow)
        line.post(ev.KeyPressed("PK1", "card_number"), after=1)
        return line

    return go


def processing(flow: Flow) -> Rehearsal:
    if flow is MODEL:
        return at_processing()
    line = at_field("postal_code", flow)
    asking(line)
    line.post(ev.FieldCaptured("PK1", "postal_code", (), "4242", "visa"))
    return line


ALL_OF_IT = "the whole of the model's turn (a fault of the program)"
FIRST = "the model's first word"
LISTENS = "Twilio's word that it listens"


def cases() -> Iterator[tuple[str, str, Way]]:
    """Pace, what never comes, and the way there."""
    for name, flow in (("model", MODEL), ("automatic", AUTOMATIC)):
        yield name, "an answer to the hold of the bill", partial(holding, flow)
        yield name, "an answer to the create, and every callback", partial(opening, flow)
        yield name, FIRST, asked(partial(opening, flow))
        yield name, LISTENS, unlistened(flow)
        for field in FIELDS:
            yield name, "a key", partial(entering, field, flow)
            yield name, FIRST, asked(partial(entering, field, flow))
        yield name, "another key, and every callback", keyed(flow)
        yield name, "a result", partial(processing, flow)
    for way in (at_identity, balance_told, at_amount, at_ready, at_completed, at_declined, at_cancelled):
        pace = "model" if way is at_ready else "both"
        yield pace, "a word of the caller", way
        yield pace, FIRST, asked(way)
        yield pace, ALL_OF_IT, asked(way)
    for field in FIELDS:
        yield "model", FIRST, partial(at_field, field)
        yield "model", "the model's tool: it only talks", partial(talked, field)
        yield "model", ALL_OF_IT, partial(at_field, field)
    yield "both", "an answer to the look-up", looked_up
    yield "both", "the bills", at_balance
    yield "both", "an answer to the cancel", at_cancelling
    yield "both", "anything", at_unknown
    yield "both", "an answer to the cancel", closing_for_a_person
    yield "both", "Twilio's question what next", leaving_for_a_person


def entering(field: str, flow: Flow) -> Rehearsal:
    return asking(at_field(field, flow))


def talked(field: str) -> Rehearsal:
    """The model talked, and did not ask for the field."""
    line = at_field(field)
    line.turn_ends()
    return line


def hears(step: Step) -> bool:
    """Whether the caller hears something by this step."""
    heard = (do.Say, do.RouteCall, do.HangUp, do.EndRelay)
    return step.after in FINAL or any(isinstance(order, heard) for order in step.orders)


def measured(pace: str, missing: str, way: Way) -> Silence:
    """Watch one silence, to the end of the state or for ten minutes.

    Twilio answers every capture that the clock orders, but where that is what never comes; a model without a word is
    given up after its eight seconds.
    """
    line = way()
    state, last = line.call.state, line.now
    end = last + timedelta(seconds=WATCHED)
    longest, then = 0.0, "nothing"
    while line.call.state is state and line.now < end:
        step = failed(line) if missing == FIRST and line.call.facts.turn else line.tick()
        heard = hears(step) or (missing != LISTENS and listening(line))
        gap = (line.now - last).total_seconds()
        if missing == FIRST and then != "nothing":
            break
        if (heard or step.after is not state) and gap > longest:
            longest, then = gap, told(step) or "the prompt"
        last = line.now if heard else last
    return Silence(state, pace, missing, round(longest), then)


def failed(line: Rehearsal) -> Step:
    """The model is given up, if no timer comes before that."""
    give_up = line.now + timedelta(seconds=FIRST_WORD)
    if min(timer.due for timer in line.call.timers) < give_up:
        return line.tick()
    step = line.post(ev.ModelFailed(line.call.facts.turn, "timeout_first_word"), after=FIRST_WORD)
    assert step is not None
    return step


def listening(line: Rehearsal) -> bool:
    """Twilio accepts the capture that was just ordered; whether the caller is asked then."""
    if not line.call.facts.awaits("Capture"):
        return False
    step = line.post(ev.CaptureAccepted(line.order("Capture"), line.call.facts.capturing))
    return step is not None and hears(step)


def rows() -> list[Silence]:
    """All silences, in the order of the states."""
    order = list(State)
    found = [measured(*case) for case in cases()]
    return sorted(found, key=lambda row: (order.index(row.state), row.pace, row.missing))


def text() -> str:
    """The table as it is filed."""
    lines = [f"| {row.state} | {row.pace} | {row.missing} | {row.seconds} s | {row.then} |" for row in rows()]
    return "\n".join([*HEAD, *lines, ""])


HEAD = (
    "# How long a caller may hear nothing",
    "",
    "Written by `python tests/flow/silence.py` from the running tables with their default waits; a test says when it",
    "is stale. Each row: one thing never comes, nor anything that depends on it; the longest time from the end of the",
    "last sentence until the caller hears the next, and what that is. A model that has begun to speak and falls silent",
    "is given up after the same eight seconds; a relay that is lost is waited for fifteen (`LINE_LOST_SECONDS`). While",
    "keys are moving nobody talks over them, and each key starts the waits of its field anew.",
    "",
    "| state | pace | what never comes | the caller hears nothing for | then |",
    "|---|---|---|---|---|",
)

if __name__ == "__main__":
    TABLE.write_text(text())
