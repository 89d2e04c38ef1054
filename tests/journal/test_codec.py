"""The codec: every event and order there is comes back as it was, and nothing personal is written."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.errors import JournalFailed
from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.money import Account, Money
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.flow.tools import ARGUMENTS_LENGTH, TOOLS
from payagent.journal.codec import (
    RECORDED,
    SPOKEN,
    Entry,
    decode,
    decode_order,
    decode_timers,
    encode,
    time_text,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
STEP = Step("CA1", 1, NOON, ev.CallerHungUp(), State.READY_TO_COMPLETE, State.ENDED, "row", "", "", (), (), "f1")

st.register_type_strategy(Decimal, st.decimals(0, 10_000, places=2, allow_nan=False, allow_infinity=False))
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))  # a NUL is replaced (see test_words)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


def made(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of a dataclass with every field drawn, those with a default too."""
    return st.builds(kind, **{name: st.from_type(hint) for name, hint in get_type_hints(kind).items()})


def read(entry: Entry) -> Step:
    return decode(entry.record, entry.words.text if entry.words else "")


@pytest.mark.parametrize("kind", get_args(ev.Event))
def test_every_event_comes_back(kind: type[ev.Event]) -> None:
    """Each class of the union, whatever its fields hold, is read as it was written."""

    @given(made(kind))
    def check(event: ev.Event) -> None:
        if isinstance(event, ev.ToolCalled):
            known = event.name in TOOLS and event.name != "verify_user"
            event = replace(event, arguments=event.arguments[:ARGUMENTS_LENGTH] if known else "{}")
        if isinstance(event, ev.CallStarted):
            event = replace(event, caller=event.caller.replace("\n", ""))
        step = replace(STEP, event=event)
        assert read(encode(step)) == step

    check()


@pytest.mark.parametrize("kind", get_args(fx.Order))
def test_every_order_comes_back(kind: type[fx.Order]) -> None:
    """Each class of the union, whatever its fields hold, is read as it was written; but for a person's identity."""

    @given(made(kind))
    def check(order: fx.Order) -> None:
        if isinstance(order, fx.LookUpIdentity):
            order = fx.LookUpIdentity()
        step = replace(STEP, orders=(fx.Think(), order))
        assert read(encode(step)) == step

    check()


@given(made(Timer), st.sampled_from(State), st.sampled_from(State), TEXT, st.datetimes(timezones=st.just(UTC)))
def test_whole_step_comes_back(timer: Timer, before: State, after: State, text: str, at: datetime) -> None:
    """States, words of refusal and reply, times and timers are read as they were written."""
    step = replace(STEP, at=at, before=before, after=after, row=text, refused=text, reply=text, timers=(timer,))
    entry = encode(step)

    assert read(entry) == step
    assert decode_timers(entry.record) == (timer,)


def test_record_is_canonical() -> None:
    """Keys are sorted, there are no spaces, money is text and time is UTC with all its digits."""
    here = timezone(timedelta(hours=-5))
    order = fx.CreditBill("B1", "CA1:1", Money(Decimal("12.10"), "USD"), "ch_1")
    record = encode(replace(STEP, at=datetime(2026, 11, 2, 7, tzinfo=here), orders=(order,))).record

    assert record == json.dumps(json.loads(record), sort_keys=True, separators=(",", ":")).encode()
    assert b'"at":"2026-11-02T12:00:00.000000+00:00"' in record
    assert b'"amount":{"amount":"12.10","currency":"USD"}' in record
    assert b'"v":1' in record


@pytest.mark.parametrize(
    "event", [ev.CallerSpoke("Humphrey"), ev.AgentSpoke("s", "Humphrey"), ev.CallerInterrupted("Humphrey")]
)
def test_spoken_words_stand_beside_the_record(event: ev.Event) -> None:
    """The record holds the digest of the words, not the words; without them it decodes with none."""
    entry = encode(replace(STEP, event=event))

    assert entry.words is not None
    assert entry.words.text == "Humphrey"
    assert b"Humphrey" not in entry.record
    assert entry.words.digest.encode() in entry.record
    assert "Humphrey" not in repr(decode(entry.record))


@pytest.mark.parametrize(
    "event", [ev.CallerSpoke("May 5th"), ev.AgentSpoke("s", "May 5th"), ev.CallerInterrupted("May 5th")]
)
def test_words_of_the_identity_check_are_masked(event: ev.Event) -> None:
    """What either side says while the caller is being identified is kept without dates; later it is kept as said."""
    checking = encode(replace(STEP, event=event, before=State.VERIFYING_IDENTITY))
    later = encode(replace(STEP, event=event))

    assert checking.words is not None
    assert checking.words.text == "# #th"
    assert later.words is not None
    assert later.words.text == "May 5th"


def test_identity_is_never_written() -> None:
    """Neither the tool's arguments nor the order's values reach the record, in any state."""
    event = ev.ToolCalled("t", "c", "verify_user", '{"full_name": "John Doe", "date_of_birth": "1990-05-01"}')
    record = encode(replace(STEP, event=event, orders=(fx.LookUpIdentity("John Doe", "1990-05-01"),))).record

    assert b"Doe" not in record
    assert b"1990" not in record
    assert decode(record).event == replace(event, arguments="{}")


def test_a_tool_that_there_is_not_is_written_without_its_arguments() -> None:
    """A model that misspells `verify_user` sends a birth date all the same."""
    event = ev.ToolCalled("t", "c", "verifyUser", '{"date_of_birth": "1990-05-01"}')
    record = encode(replace(STEP, event=event)).record

    assert decode(record).event == replace(event, arguments="{}")
    assert b"1990" not in record


@pytest.mark.parametrize(
    ("event", "erased"),
    [
        (ev.CallStarted("***0100", "a1b2c3"), ev.CallStarted("", "")),
        (
            ev.IdentityMatched("o", Account("A-1", "Humphrey Bogart", "es", has_hsa=True)),
            ev.IdentityMatched("o", Account("A-1", "", "es", has_hsa=True)),
        ),
        (
            ev.ToolCalled("t", "c", "human_agent_handoff", '{"reason": "Mr Bogart is moving"}'),
            ev.ToolCalled("t", "c", "human_agent_handoff", "{}"),
        ),
    ],
)
def test_who_called_stands_beside_the_record(event: ev.Event, erased: ev.Event) -> None:
    """So that it can be erased as words are, what a model says of them too; which account was paid for stays."""
    entry = encode(replace(STEP, event=event))

    assert read(entry).event == event
    assert decode(entry.record).event == erased
    assert not [word for word in (b"0100", b"a1b2c3", b"Bogart") if word in entry.record]


def test_records_of_before_keep_who_called() -> None:
    """Where it still stands in the record itself, it is read from there."""
    entry = encode(replace(STEP, event=ev.CallStarted("***0100", "a1b2c3")))
    plain = json.loads(entry.record)
    plain["event"] = {"type": "CallStarted", "caller": "***0100", "caller_id": "a1b2c3"}

    assert decode(json.dumps(plain).encode()).event == ev.CallStarted("***0100", "a1b2c3")


def test_long_arguments_are_cut() -> None:
    """A model's ramblings do not swell the record."""
    bill = encode(replace(STEP, event=ev.ToolCalled("t", "c", "check_pending_bill", "y" * 9000)))
    person = encode(replace(STEP, event=ev.ToolCalled("t", "c", "human_agent_handoff", "y" * 9000)))
    event = decode(bill.record).event

    assert isinstance(event, ev.ToolCalled)
    assert len(event.arguments) == ARGUMENTS_LENGTH
    assert person.words is not None
    assert len(person.words.text) == ARGUMENTS_LENGTH


def test_unlisted_class_is_refused() -> None:
    """What the list of recorded fields does not name is not written by accident."""
    with pytest.raises(JournalFailed, match="object has no place"):
        encode(replace(STEP, orders=(object(),)))  # type: ignore[arg-type]


def test_lone_surrogates_do_not_stop_the_record() -> None:
    """Text that is not Unicode, which a model's JSON can carry, is recorded with a `?` in its place."""
    event = decode(encode(replace(STEP, event=ev.ToolCalled("t", "c", "start_payment", "caf\ud800"))).record).event

    assert event == ev.ToolCalled("t", "c", "start_payment", "caf?")


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":1}',
        encode(STEP).record.replace(b'"v":1', b'"v":2'),
        encode(STEP).record.replace(b"CallerHungUp", b"CallerSneezed"),
        encode(STEP).record.replace(b'"ended"', b'"elsewhere"'),
        encode(STEP).record.replace(b'"orders":[]', b'"orders":[{"type":"CancelPay"}]'),
        encode(STEP).record.replace(b'"orders":[]', b'"orders":7'),
    ],
)
def test_unreadable_records_fail(record: bytes) -> None:
    """Another version, an unknown class or state, a missing field: all are one error."""
    with pytest.raises(JournalFailed):
        decode(record)


@pytest.mark.parametrize("n", [0, 1])
def test_only_durable_orders_are_found_again(n: int) -> None:
    """A sentence is not an order to be taken up by another worker, and one that is not there is an error."""
    record = encode(replace(STEP, orders=(fx.Say("goodbye"),))).record

    with pytest.raises(JournalFailed):
        decode_order(record, n)


def test_unreadable_timers_fail() -> None:
    """Timers of another version are not guessed at."""
    with pytest.raises(JournalFailed):
        decode_timers(b'{"v":2,"timers":[]}')


def test_times_sort_as_texts() -> None:
    """Whole seconds and fractions, of any zone, sort as the moments do."""
    moments = [
        NOON,
        NOON + timedelta(microseconds=1),
        NOON.astimezone(timezone(timedelta(hours=9))) + timedelta(seconds=1),
    ]

    assert sorted(map(time_text, moments)) == [time_text(moment) for moment in moments]


def test_no_field_of_an_event_is_forgotten() -> None:
    """The list of recorded fields and the classes agree: what is left out is left out on purpose."""
    left_out = {
        f"{kind.__name__}.{field.name}"
        for kind in (*get_args(ev.Event), *get_args(fx.Order))
        for field in fields(kind)
        if field.name not in RECORDED[kind] and field.name != SPOKEN.get(kind)
    }
    assert left_out == {"LookUpIdentity.full_name", "LookUpIdentity.date_of_birth"}
