"""The guards: each says yes and no, reads what it may, and has words for the reviewer and the model."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hand_made import ADA, FLOWS, NOON, VISIT, dollars, full, view

from payagent.flow import events as ev
from payagent.flow import guards as g
from payagent.flow.facts import Facts, Pay, Payment
from payagent.flow.money import Bill
from payagent.flow.rows import Guard, View
from payagent.flow.states import CARD_NUMBER, EXPIRATION_DATE, FIELDS, SECURITY_CODE, Line, Outcome, Profile
from payagent.flow.tools import ConfirmBalance, StartPayment, SwitchLanguage

NAMED = {guard.name: guard for guard in vars(g).values() if isinstance(guard, Guard)}
USED = {guard.name: guard for flow in FLOWS for row in flow.rows for guard in row.guards}
ALL = {**NAMED, **USED}


def now(**facts: Any) -> View:
    """Only what an event has just changed."""
    return view(Facts(), Facts(**facts))


def was(**facts: Any) -> View:
    """Only what was known before; what the event changed is of no account."""
    return view(Facts(**facts), Facts())


def on(event: ev.Event, **facts: Any) -> View:
    return view(full(**facts), event=event)


def start(amount: str) -> StartPayment:
    return StartPayment.model_validate({"amount": amount})


STARTED, FAILED, REFUSED = ev.PaymentSessionStarted, ev.PaymentFailed, ev.CompleteRefused
UNPAID = (Payment(1, "B-2", dollars("80.00"), "PK1"),)

CREDENTIALS = (20003, 401, 403)
CONNECTOR = (64001, 64004, 64005, 64006, 64007, 64009, 64011, 64013, 64014, 64015, 64016, 64017, 64020, 64024)
"""Twilio's codes for what no second try mends."""

ANSWERS: dict[str, tuple[list[View], list[View]]] = {
    "not_looking_up": (
        [was(), was(awaiting=(("ReadBills", "k"),))],
        [was(awaiting=(("LookUpIdentity", "k"),))],
    ),
    "identity_tries_left": ([now(), now(identity_tries=2)], [now(identity_tries=3)]),
    "look_ups_left": ([now(), now(look_up_failures=2)], [now(look_up_failures=3)]),
    "something_owed": ([now(bill=VISIT)], [now(), was(bill=VISIT)]),
    "nothing_owed": ([was(told=True)], [was(), was(told=True, bill=VISIT), was(bill=VISIT)]),
    "identified": ([was(account=ADA)], [was(), now(account=ADA)]),
    "balance_told": ([was(told=True, bill=VISIT)], [was(told=True), was(bill=VISIT)]),
    "heard_since": ([was(heard=True)], [was(), now(heard=True)]),
    "balance_confirmed": ([was(confirmed=True)], [was(), now(confirmed=True)]),
    "agrees": (
        [view(arguments=ConfirmBalance(agreed=True))],
        [view(arguments=ConfirmBalance(agreed=False)), view(), view(arguments=start("1"))],
    ),
    "amount_fits": (
        [view(arguments=start("600.00"))],
        [view(arguments=start("600.01")), view(), view(Facts(), arguments=start("1"))],
    ),
    "no_session_open": (
        [was(pay=Pay.NONE), was(pay=Pay.CLOSED)],
        [was(pay=pay) for pay in (Pay.HOLDING, Pay.OPENING, Pay.OPEN, Pay.CLOSING)],
    ),
    "opening": ([was(pay=Pay.OPENING)], [was(pay=pay) for pay in Pay if pay is not Pay.OPENING]),
    "refusal_may_pass": (
        [on(ev.PayNotOpened("k", 64021)), on(ev.PayNotOpened("k", 0)), on(ev.SessionRefused("PK2", "x")), view()],
        [on(ev.PayNotOpened("k", code)) for code in (*CREDENTIALS, *CONNECTOR)],
    ),
    "session_adopted": (
        [view(full(pay=Pay.OPENING), full(pay=Pay.OPEN))],
        [view(full(pay=Pay.OPENING)), view(full(pay=Pay.OPEN)), view(full(pay=Pay.CLOSED), full(pay=Pay.OPEN))],
    ),
    "stray_session": (
        [on(STARTED("PK9")), on(ev.PayOpened("k", "PK9")), on(STARTED("PK9"), payment=Payment())],
        [on(STARTED("PK2")), on(STARTED("PK1")), on(ev.PayOpened("k", "PK1")), on(ev.CaptureBegan("PK9", "x")), view()],
    ),
    "start_tries_left": ([now(start_failures=2)], [now(start_failures=3)]),
    "closing_pending": (
        [was(pay=pay) for pay in (Pay.HOLDING, Pay.OPENING, Pay.CLOSING)],
        [was(pay=pay) for pay in (Pay.NONE, Pay.OPEN, Pay.CLOSED)],
    ),
    "about_this_field": (
        [on(ev.FieldCaptured("PK2", "card_number")), on(ev.CaptureBegan("PK2", "card_number"))],
        [on(ev.FieldCaptured("PK2", "security_code")), on(STARTED("PK2")), view()],
    ),
    "prompt_pending": ([was(prompt="ask_card_number")], [was(), now(prompt="ask_card_number")]),
    "keys_quiet": (
        [was(), was(key_at=NOON - timedelta(seconds=5))],
        [was(key_at=NOON - timedelta(seconds=4.9)), was(key_at=NOON)],
    ),
    "field_tries_left": ([now(field_tries=2)], [now(field_tries=3)]),
    "capture_tries_left": ([now(capture_refusals=2)], [now(capture_refusals=3)]),
    "digits_keyed": (
        [on(ev.EntryTimedOut("PK2", "card_number", True))],
        [on(ev.EntryTimedOut("PK2", "card_number", False)), on(ev.KeyPressed("PK2", "card_number"))],
    ),
    "session_gone": (
        [
            on(event)
            for code in (404, 20404, 20409, 21220)
            for event in (REFUSED("k", code), ev.CaptureRefused("k", "", code))
        ],
        [on(REFUSED("k", 64019)), on(ev.CaptureRefused("k", "", 0)), on(ev.CancelAccepted("k", 404)), view()],
    ),
    "next_is_card_number": ([now()], [now(captured=frozenset({"card_number"}))]),
    "next_is_expiration_date": ([now(captured=frozenset({"card_number", "security_code"}))], [now()]),
    "next_is_security_code": ([now(captured=frozenset({"card_number", "expiration_date"}))], [now()]),
    "next_is_postal_code": ([now(captured=frozenset({*FIELDS} - {"postal_code"}))], [now(captured=frozenset(FIELDS))]),
    "every_field_captured": ([now(captured=frozenset(FIELDS))], [now(), now(captured=frozenset({"card_number"}))]),
    "bill_held": ([was(held=True)], [was(), now(held=True)]),
    "not_completing": ([was()], [was(completing=True)]),
    "amount_agreed": (
        [view(full(payment=Payment(1, "B-1", dollars(amount), "PK1"))) for amount in ("600.00", "120.50", "0.01")],
        [
            view(full(payment=Payment(1, "B-1", dollars("600.01"), "PK1"))),
            view(full(payment=Payment(1, "B-1", dollars("0.00"), "PK1"))),
            view(full(payment=Payment(1, "B-1", dollars("-1.00"), "PK1"))),
            view(full(payment=Payment(1, "B-1", None, "PK1"))),
            view(full(bill=None)),
        ],
    ),
    "is_decline": (
        [on(FAILED("PK2", "payment-connector-error", 64012)), on(REFUSED("k", 64008))],
        [on(FAILED("PK2", "internal-error")), on(REFUSED("k", 64019)), view()],
    ),
    "field_missing": ([on(REFUSED("k", 64019))], [on(REFUSED("k", 64012)), on(ev.CaptureRefused("k", "", 64019))]),
    "refusal_ambiguous": ([on(REFUSED("k", 64002))], [on(REFUSED("k", 64012)), on(FAILED("PK2", "x", 64002))]),
    "declines_left": ([was(), was(declines=1)], [was(declines=2), was(declines=3)]),
    "star_pressed": (
        [on(FAILED("PK2", "caller-interrupted-with-star"))],
        [on(FAILED("PK2", "caller-hung-up")), view()],
    ),
    "not_credited": ([was()], [was(payment=Payment(1, "B-1", credited=True))]),
    "earlier_not_credited": (
        [on(ev.PaymentSucceeded("PK1", "ch_1"))],
        [
            on(ev.PaymentSucceeded("PK1", "ch_1"), earlier=(replace(UNPAID[0], credited=True),)),
            on(ev.PaymentSucceeded("PK9", "ch_9")),
            on(ev.PaymentSucceeded("PK1", "ch_1"), earlier=()),
            on(FAILED("PK1", "x")),
        ],
    ),
    "outcome_unknown": (
        [was(outcome=Outcome.UNKNOWN)],
        [was(outcome=outcome) for outcome in Outcome if outcome is not Outcome.UNKNOWN],
    ),
    "resolved_paid": (
        [on(ev.OutcomeResolved("paid", "ref", "ann", "seen"))],
        [on(ev.OutcomeResolved("not_paid", "", "ann", "seen")), view()],
    ),
    "caller_gone": ([now(line=Line.GONE)], [now(line=Line.LOST), now(line=Line.UP), was(line=Line.GONE)]),
    "caller_not_gone": ([now(line=Line.LOST), now(line=Line.UP)], [now(line=Line.GONE)]),
    "caller_there": ([now(line=Line.UP)], [now(line=Line.LOST), now(line=Line.GONE)]),
    "not_leaving": ([was()], [was(leaving=True)]),
    "reconnects_left": ([was(reconnects=2)], [was(reconnects=3)]),
    "card_cut": ([on(ev.CallerSpoke("", card_cut=True))], [on(ev.CallerSpoke("four")), view()]),
    "silences_left": ([was(), was(silences=2)], [was(silences=3)]),
    "model_failures_left": ([now(model_failures=2)], [now(model_failures=3)]),
    "claims_left": ([now(claims=2)], [now(claims=3), now(claims=3, model_failures=0)]),
    "language_known": (
        [view(arguments=SwitchLanguage(language="es")), on(ev.LanguageKeyPressed("en"))],
        [view(arguments=SwitchLanguage(language="xx")), on(ev.LanguageKeyPressed("xx")), view()],
    ),
    "connected_before": ([was(relay="VX1")], [was(), now(relay="VX1")]),
    "route_left": (
        [was(), was(routes_tried=("queue",)), was(routes_tried=("dial",))],
        [
            was(routes_tried=("queue", "dial")),
            view(Facts(), routes=()),
            view(Facts(routes_tried=("dial",)), routes=("dial",)),
        ],
    ),
}
"""For every guard views in which it holds, and views in which it does not."""


@pytest.mark.parametrize("name", ANSWERS)
def test_every_guard_can_say_yes_and_no(name: str) -> None:
    """One that always answers the same is none."""
    holds, fails = ANSWERS[name]

    assert [ALL[name].holds(v) for v in holds] == [True] * len(holds) != []
    assert [ALL[name].holds(v) for v in fails] == [False] * len(fails) != []


def test_every_guard_is_in_that_table() -> None:
    """A new guard has to show both its answers."""
    assert set(ANSWERS) == set(ALL)


def test_no_guard_stands_unused() -> None:
    """What no row asks proves nothing."""
    assert NAMED.keys() - USED.keys() == set()


# Words


@pytest.mark.parametrize("name", ALL)
def test_every_guard_says_in_words_what_it_asks(name: str) -> None:
    """A clause that reads on after “if”: no capital but a name's, no stop at its end, single spaces."""
    words = ALL[name].words

    assert re.fullmatch(r"(Twilio|[a-z]+)( \S+)* \S*[\w)]", words), words
    assert not re.search(r"[_`]", words), words


@pytest.mark.parametrize("name", ALL)
def test_every_guard_refuses_in_whole_sentences(name: str) -> None:
    """They are told to the model: a capital, a stop, nothing doubled, and no name of a fact or a function."""
    refusal = ALL[name].refusal

    assert re.fullmatch(r"[A-Z][^_`]*[\w)]\.", refusal), refusal
    assert not re.search(r"\s\s|\.\.|[;:,]\.", refusal), refusal


def test_no_two_guards_have_the_same_words() -> None:
    """The reviewer tells them apart by these alone."""
    words = [guard.words for guard in ALL.values()]

    assert len(words) == len(set(words))


def test_a_guard_without_a_refusal_of_its_own_says_what_it_needs() -> None:
    """The model hears the condition itself."""
    assert g.identified.refusal == "Not now: it needs that the caller's identity is verified."


# What is offered


OFFERED = "not_looking_up nothing_owed identified balance_told heard_since balance_confirmed no_session_open"


def test_what_is_ruled_out_already_is_not_offered() -> None:
    """These are known before the model answers: a tool that they bar is not shown to it."""
    assert {name for name, guard in ALL.items() if guard.offer} == set(OFFERED.split())


class Untouchable:
    """Anything asked of it is a mistake."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"read {name} of what is not known yet")


@pytest.mark.parametrize("name", [name for name, guard in ALL.items() if guard.offer])
def test_what_is_offered_rests_on_what_is_known_before(name: str) -> None:
    """Such a guard reads nothing of the event, its arguments, its time, or the facts after it."""
    unknown: Any = Untouchable()
    holds, fails = ANSWERS[name]

    for expected, views in ((True, holds), (False, fails)):
        for v in views:
            before = v._replace(now=unknown, event=unknown, arguments=unknown, at=unknown)

            assert ALL[name].holds(before) is expected


def test_some_guards_are_not_for_the_offer() -> None:
    """The proof above can fail: these read what is only known afterwards."""
    unknown: Any = Untouchable()

    for name in ("agrees", "amount_fits", "digits_keyed", "every_field_captured"):
        before = ANSWERS[name][0][-1]._replace(now=unknown, event=unknown, arguments=unknown, at=unknown)

        assert not ALL[name].offer
        with pytest.raises(AssertionError, match="not known yet"):
            ALL[name].holds(before)


# The money guards, case by case


@pytest.mark.parametrize(
    ("owed", "amount", "fits"),
    [
        ("600.00", "600.00", True),
        ("600.00", "599.99", True),
        ("600.00", "1.00", True),
        ("600.00", "600.01", False),
        ("600.00", "0.99", False),
        ("600.00", "0.00", False),
        ("600.00", "-5.00", False),
        ("0.40", "0.40", True),
        ("0.40", "0.39", False),
        ("0.40", "0.41", False),
        ("0.40", "1.00", False),
        ("1.00", "1.00", True),
    ],
)
def test_an_amount_is_at_least_one_and_at_most_what_is_owed(owed: str, amount: str, fits: bool) -> None:
    """A bill below one is paid whole or not at all."""
    bill = Bill("B-1", "clinic visit", dollars(owed))

    assert g.amount_fits.holds(view(full(bill=bill), arguments=start(amount))) is fits


@pytest.mark.parametrize("result", ["payment-connector-error", "validation-error", "too-many-failed-attempts"])
@pytest.mark.parametrize(("code", "declined"), [(0, True), (64012, True), (64008, True), (64002, False)])
def test_documented_declines_charged_nothing(result: str, code: int, declined: bool) -> None:
    """But for 64002: the provider was out of reach somewhere on the way."""
    assert g.is_decline.holds(on(FAILED("PK2", result, code))) is declined


@pytest.mark.parametrize(
    "result", ["internal-error", "caller-interrupted-with-star", "caller-hung-up", "", "new", "success"]
)
@pytest.mark.parametrize("code", [0, 64012])
def test_any_other_result_is_no_decline(result: str, code: int) -> None:
    """It leaves open whether the card was charged, whatever code comes with it."""
    assert not g.is_decline.holds(on(FAILED("PK2", result, code)))


@pytest.mark.parametrize(
    ("code", "declined"), [(64008, True), (64012, True), (64022, True), (64002, False), (429, False)]
)
def test_some_refusals_of_a_charge_are_declines(code: int, declined: bool) -> None:
    """The gateway's own no; a refusal for another reason says nothing about the card."""
    assert g.is_decline.holds(on(REFUSED("k", code))) is declined


# The fields


def test_the_next_field_is_the_first_one_missing() -> None:
    """In the profile's order, whatever is in besides; when all are in, none."""
    for profile in Profile:
        fields = profile.fields
        for n in range(len(fields) + 1):
            v = now(captured=frozenset(f.name for f in fields[:n]))
            missing = [f for f in fields if g.next_missing(f, fields).holds(v)]

            assert missing == list(fields[n : n + 1])
            assert g.all_captured(fields).holds(v) is (n == len(fields))


def test_a_field_out_of_order_leaves_a_gap_to_fill() -> None:
    """The card number was taken anew: expiration date and code follow again."""
    fields = Profile.CARD.fields
    v = now(captured=frozenset({CARD_NUMBER.name, SECURITY_CODE.name}))

    assert g.next_missing(EXPIRATION_DATE, fields).holds(v)
    assert not g.next_missing(SECURITY_CODE, fields).holds(v)
    assert not g.all_captured(fields).holds(v)


def test_a_profile_does_not_ask_for_a_field_of_another() -> None:
    """A postal code that is in or missing changes nothing for a card alone."""
    captured = frozenset(f.name for f in Profile.CARD.fields)

    assert g.all_captured(Profile.CARD.fields).holds(now(captured=captured))
    assert not g.all_captured(Profile.CARD_POSTAL_CODE.fields).holds(now(captured=captured))
    assert g.all_captured(Profile.CARD.fields).holds(now(captured=captured | {"postal_code"}))


def test_guards_count_up_to_the_limits_set() -> None:
    """No number of the flow stands in a guard: all are settings."""
    v = now(identity_tries=1, look_up_failures=1, start_failures=1, field_tries=1, capture_refusals=1, model_failures=1)
    v = v._replace(now=replace(v.now, claims=1))
    before = v._replace(was=Facts(declines=0, reconnects=1, silences=1))
    names = "identity_tries_left look_ups_left start_tries_left field_tries_left capture_tries_left "
    names += "model_failures_left claims_left declines_left reconnects_left silences_left"
    tight = replace(
        v.limits,
        identity_tries=1,
        start_failures=1,
        field_tries=1,
        model_failures=1,
        stopped_claims=1,
        declined_cards=1,
        reconnects=1,
        silences=1,
    )

    assert all(ALL[name].holds(before) for name in names.split())
    assert not any(ALL[name].holds(before._replace(limits=tight)) for name in names.split())


def test_what_is_full_satisfies_the_charge() -> None:
    """The facts these tests change one by one would let the card be charged."""
    fields = Profile.CARD.fields
    ready = view(full(captured=frozenset(f.name for f in fields)))

    row = next(r for r in FLOWS[0].rows if r.trigger == "complete_payment_processing")
    assert all(guard.holds(ready) for guard in row.guards)
    assert {guard.name for guard in row.guards} >= {"amount_agreed", "bill_held", "not_completing"}
