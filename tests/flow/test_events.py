"""The events: each has one trigger and one party, cannot be changed, and has no room for card data."""

from __future__ import annotations

import dataclasses
import typing
from decimal import Decimal
from typing import Any, get_args

import pytest

from payagent.flow import events as ev
from payagent.flow.events import EARLIER_PAYMENT_SUCCEEDED, OTHER_SESSION_REPORTED, SIMPLE_TRIGGERS, snake, trigger_of
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Pace, Party, Profile
from payagent.flow.table import build
from payagent.flow.tools import TOOLS

EVENTS: tuple[type[Any], ...] = get_args(ev.Event)
REPORTS: tuple[type[Any], ...] = get_args(ev.PayReport)
ANSWERS: tuple[type[Any], ...] = get_args(ev.OrderAnswer)
WITH_WORDS_OF_THEIR_OWN = (ev.ToolCalled, ev.TimeUp, ev.OutcomeResolved)
"""Triggered by a tool's or a timer's name, or by an operator, who can be refused."""

VALUES: dict[object, object] = {
    str: "x",
    int: 7,
    bool: True,
    Account: Account("A-1", "Ada Payer"),
    tuple[Bill, ...]: (Bill("B-1", "clinic visit", Money(Decimal("600.00"), "USD")),),
    tuple[str, ...] | None: ("security_code",),
}
"""A value for every type that a field of an event may have; anything else is not for an event to carry."""


def sample(kind: type[Any]) -> Any:
    """One event of this class."""
    return kind(**{name: VALUES[hint] for name, hint in typing.get_type_hints(kind).items()})


def fields(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def named(kinds: tuple[type[Any], ...]) -> list[Any]:
    """The classes as parameters that are told apart by their names."""
    return [pytest.param(kind, id=kind.__name__) for kind in kinds]


# Triggers


def test_every_event_of_the_module_is_in_the_union() -> None:
    """An event that is not in the union could be neither journalled nor decided."""
    defined = {thing for thing in vars(ev).values() if isinstance(thing, type) and thing.__module__ == ev.__name__}

    assert defined == set(EVENTS)
    assert len(EVENTS) == len(set(EVENTS))
    assert {*REPORTS, *ANSWERS} < set(EVENTS)
    assert not {*REPORTS} & {*ANSWERS}


@pytest.mark.parametrize("kind", named(EVENTS))
def test_an_event_is_triggered_by_its_name_in_snake_case(kind: type[Any]) -> None:
    """So that the table, the diagram and the journal use one word; tools and timers have their own."""
    trigger = trigger_of(sample(kind))

    if kind in (ev.ToolCalled, ev.TimeUp):
        assert trigger == "x"
    else:
        assert "".join(word.capitalize() for word in trigger.split("_")) == kind.__name__
        assert trigger == snake(kind.__name__)


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        (ev.FieldCaptured("PK1", "card_number"), "field_captured"),
        (ev.CaptureOutOfSequence("PK1", "security_code"), "capture_out_of_sequence"),
        (ev.IdentityLookUpFailed("k"), "identity_look_up_failed"),
        (ev.RelayLost("VX1"), "relay_lost"),
        (ev.OutcomeResolved("paid", "ref", "ann", "seen"), "outcome_resolved"),
        (ev.ToolCalled("k", "c", "start_payment", "{}"), "start_payment"),
        (ev.ToolCalled("k", "c", "mark_as_paid", "{}"), "mark_as_paid"),
        (ev.TimeUp("silence", 3), "silence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_triggers_read_as_written_in_the_table(event: ev.Event, trigger: str) -> None:
    """A few by hand, an invented tool among them."""
    assert trigger_of(event) == trigger


def test_no_two_events_have_the_same_trigger() -> None:
    """A row would otherwise answer to two things; a tool or timer may not pose as a callback either."""
    names = [snake(kind.__name__) for kind in EVENTS]
    flow = build(profile=Profile.CARD_POSTAL_CODE)
    timers = {row.trigger for row in flow.rows if row.party is Party.CLOCK}

    assert len(names) == len(set(names))
    assert not {*TOOLS} & {*names, *SIMPLE_TRIGGERS}
    assert timers
    assert not timers & {*names, *SIMPLE_TRIGGERS, *TOOLS}


# Parties


def test_every_event_that_is_never_refused_has_a_party() -> None:
    """All but the tools, the timers and the operator; and the two words for callbacks of another session."""
    simple = {snake(kind.__name__) for kind in EVENTS if kind not in WITH_WORDS_OF_THEIR_OWN}

    assert SIMPLE_TRIGGERS.keys() == simple | {EARLIER_PAYMENT_SUCCEEDED, OTHER_SESSION_REPORTED}
    assert set(SIMPLE_TRIGGERS.values()) == {Party.LINE, Party.PROGRAM, Party.PAY}


@pytest.mark.parametrize(
    ("party", "kinds"),
    [
        ("line", "CallStarted RelayConnected RelayLost RelayFailed RelayEnded CallerHungUp HandOffAnswered"),
        ("line", "HandOffUnanswered CallerSpoke CallerInterrupted LanguageKeyPressed"),
        ("program", "AgentSpoke TurnEnded ModelFailed ClaimStopped IdentityMatched IdentityNotMatched"),
        ("program", "IdentityLookUpFailed"),
        ("program", "BillsRead BillsUnavailable BillHeld BillNotHeld BillCredited BillReleased"),
        ("pay", "PayOpened PayNotOpened PayOpenUnanswered CaptureAccepted CaptureRefused CompleteAccepted"),
        ("pay", "CompleteRefused CompleteUnanswered CancelAccepted CancelUnanswered"),
        ("pay", "PaymentSessionStarted CaptureBegan KeyPressed FieldCaptured FieldRejected EntryTimedOut"),
        ("pay", "CaptureOutOfSequence SessionRefused PaymentSucceeded PaymentFailed"),
    ],
)
def test_who_may_cause_what(party: str, kinds: str) -> None:
    """What Twilio says of a payment is pay's, of the call is the line's; what is looked up is the program's."""
    assert dict.fromkeys(kinds.split(), party) == {kind: SIMPLE_TRIGGERS[snake(kind)] for kind in kinds.split()}


@pytest.mark.parametrize("pace", Pace)
def test_the_table_names_the_same_parties(pace: Pace) -> None:
    """A row of another party would draw the arrow in the wrong colour."""
    rows = [row for row in build(pace, Profile.CARD_POSTAL_CODE).rows if row.trigger in SIMPLE_TRIGGERS]

    assert rows
    assert {row.id: row.party for row in rows} == {row.id: SIMPLE_TRIGGERS[row.trigger] for row in rows}


def test_a_callback_of_another_session_has_a_word_of_its_own() -> None:
    """By it the table tells a late success from anything else; these words stand in the record."""
    assert (EARLIER_PAYMENT_SUCCEEDED, OTHER_SESSION_REPORTED) == (
        "earlier_payment_succeeded",
        "other_session_reported",
    )


# What an event carries


def test_what_is_not_said_is_the_harmless_thing() -> None:
    """No card was spoken, no error given, and a callback that names no missing fields is not one that says none are."""
    assert ev.CallerSpoke("hello").card_cut is False
    assert ev.PaymentFailed("PK1", "internal-error").code == 0
    assert ev.CancelAccepted("k").code == 202
    assert ev.FieldCaptured("PK1", "card_number").required is None


@pytest.mark.parametrize("kind", named(EVENTS))
def test_an_event_cannot_be_changed(kind: type[Any]) -> None:
    """What was recorded is what happened."""
    event = sample(kind)

    assert event == sample(kind)
    assert hash(event) == hash(sample(kind))
    assert not hasattr(event, "__dict__")
    for name in fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(event, name, "other")


@pytest.mark.parametrize("kind", named(REPORTS))
def test_every_report_names_its_session_and_its_digest(kind: type[Any]) -> None:
    """The session says whose it is, the digest whether it was seen before; the digest may be missing."""
    hints = typing.get_type_hints(kind)
    required = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}

    assert hints["session"] is hints["digest"] is str
    assert "session" in required
    assert sample(kind).session == "x"
    assert kind(**{name: VALUES[hints[name]] for name in required}).digest == ""


@pytest.mark.promise(4)
@pytest.mark.parametrize("kind", named(REPORTS))
def test_no_report_has_room_for_card_data(kind: type[Any]) -> None:
    """Of the card only type and last four; a digit pressed leaves a yes, not a mask or a count."""
    known = {"session", "digest", "field", "required", "last_four", "card_type", "error", "digits"}
    known |= {"result", "code", "confirmation"}

    assert fields(kind) <= known
    assert typing.get_type_hints(kind).get("digits", bool) is bool
    assert fields(ev.KeyPressed) == {"session", "field", "digest"}


@pytest.mark.parametrize("kind", named(ANSWERS))
def test_every_answer_names_its_order_first(kind: type[Any]) -> None:
    """Recording the event marks that order done."""
    first = dataclasses.fields(kind)[0]

    assert (first.name, typing.get_type_hints(kind)["order"]) == ("order", str)
    assert first.default is dataclasses.MISSING


def test_only_answers_name_an_order() -> None:
    """Anything else that named one would mark it done."""
    assert {kind for kind in EVENTS if "order" in fields(kind)} == set(ANSWERS)
