"""The effects: from facts to orders, and every fixed sentence exactly with the values its text may use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hand_made import ADA, FLOWS, FULL, LAB, NOON, VISIT, dollars, full, view

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow import orders as o
from payagent.flow.facts import Facts, Pay
from payagent.flow.money import Account, Bill, Money
from payagent.flow.rows import Effect, Row, View
from payagent.flow.sentences import SENTENCES
from payagent.flow.states import FIELDS, Field, Outcome, State
from payagent.flow.tools import TOOLS, Arguments, parse

NAMED = {name: effect for name, effect in vars(o).items() if isinstance(effect, Effect)}
USED = {effect.words: effect for flow in FLOWS for row in flow.rows for effect in row.effects}
TWO_BILLS = (VISIT, LAB)
NO_HSA = Account("A-2", "Al Payer")
PAYMENT = "CA1:2"
"""What the book calls the second payment of call CA1."""


def said(effect: Effect, v: View) -> list[tuple[str, dict[str, do.Value]]]:
    """The sentences of an effect that only speaks, with their values."""
    orders = effect.orders(v)
    assert all(isinstance(order, do.Say) for order in orders)
    return [(order.sentence, dict(order.values)) for order in orders if isinstance(order, do.Say)]


def names(effect: Effect, v: View) -> list[str]:
    return [sentence for sentence, _ in said(effect, v)]


# What is owed, and how it may be paid


def test_one_bill_is_told_as_the_balance() -> None:
    """Its amount and what it is for; nothing else to listen to."""
    facts = full(bills=(VISIT,))

    assert said(o.tell_balance, view(facts)) == [
        ("balance", {"amount": dollars("600.00"), "description": "clinic visit"})
    ]


def test_of_two_bills_the_one_to_agree_to_comes_last() -> None:
    """How many there are, the other one, and then the balance that the answer will be about."""
    assert said(o.tell_balance, view(full(bills=TWO_BILLS))) == [
        ("several_bills", {"count": 2}),
        ("other_bill", {"amount": dollars("80.00"), "description": "lab work"}),
        ("balance", {"amount": dollars("600.00"), "description": "clinic visit"}),
    ]


@pytest.mark.parametrize("wanted", ["lab work", " LAB ", "B-2", "b-2"])
def test_the_bill_asked_for_is_the_balance(wanted: str) -> None:
    """By its id or by words of what it is for; nobody is told that it does not exist."""
    facts = full(bills=TWO_BILLS, bill=LAB, wanted_bill=wanted)

    assert names(o.tell_balance, view(facts)) == ["several_bills", "other_bill", "balance"]
    assert said(o.tell_balance, view(facts))[-1][1] == {"amount": dollars("80.00"), "description": "lab work"}


@pytest.mark.parametrize(("bills", "others"), [((VISIT,), []), (TWO_BILLS, ["several_bills", "other_bill"])])
def test_a_bill_that_is_not_there_is_said_so_first(bills: tuple[Bill, ...], others: list[str]) -> None:
    """The caller then hears the oldest, and must not take it for the one asked about."""
    facts = full(bills=bills, wanted_bill="dentist")

    assert names(o.tell_balance, view(facts)) == ["no_such_bill", *others, "balance"]


@pytest.mark.parametrize(("account", "sentence"), [(ADA, "options_hsa"), (NO_HSA, "options"), (None, "options")])
def test_an_hsa_card_is_offered_to_whom_it_belongs(account: Account | None, sentence: str) -> None:
    """All of it, or a part; the amount is what the bill owes."""
    ((name, values),) = said(o.tell_options, view(full(account=account)))

    assert (name, values["amount"]) == (sentence, dollars("600.00"))


@pytest.mark.parametrize(("owed", "least"), [("600.00", "1.00"), ("1.00", "1.00"), ("0.40", "0.40")])
def test_the_least_part_is_what_the_guard_takes(owed: str, least: str) -> None:
    """One, or all of a bill that owes less."""
    ((_, values),) = said(o.tell_options, view(full(bill=Bill("B-1", "clinic visit", dollars(owed)))))

    assert values == {"amount": dollars(owed), "least": dollars(least)}


# The payment


def test_the_amount_is_spoken_before_the_session_is_opened_for_it() -> None:
    """The same amount, to the cent; the session carries the payment's own name."""
    assert o.open_pay.orders(view()) == (
        do.Say("about_to_pay", (("amount", dollars("120.50")), ("description", "clinic visit")), False),
        do.OpenPay(PAYMENT, dollars("120.50"), "clinic visit"),
    )


def test_the_go_ahead_names_amount_and_card() -> None:
    """Without last four digits, if no callback told them, rather than with empty words."""
    assert said(o.ask_go_ahead, view()) == [("ready", {"amount": dollars("120.50"), "last_four": "4242"})]
    assert said(o.ask_go_ahead, view(full(last_four=""))) == [("ready_without_digits", {"amount": dollars("120.50")})]


def test_paid_is_told_with_the_code_if_there_is_one() -> None:
    """A processor may give none."""
    assert said(o.tell_paid, view()) == [("paid", {"amount": dollars("120.50"), "code": "ch_2"})]
    assert said(o.tell_paid, view(full(confirmation=""))) == [("paid_without_code", {"amount": dollars("120.50")})]


def test_the_bill_is_held_freed_and_credited_under_one_name() -> None:
    """The book knows the payment by the call and its number: nothing is done twice, and nothing to another."""
    v = view()

    assert o.hold_bill.orders(v) == (do.HoldBill("B-1", PAYMENT, "A-1"),)
    assert o.release_bill.orders(v) == (do.ReleaseBill("B-1", PAYMENT),)
    assert o.release_declined.orders(v) == (do.ReleaseBill("B-1", PAYMENT, declined=True),)
    assert o.credit_bill.orders(v) == (do.CreditBill("B-1", PAYMENT, dollars("120.50"), "ch_2"),)


def test_an_earlier_payment_is_credited_as_itself() -> None:
    """Its own bill, amount, number and code; not those of the payment under way."""
    v = view(event=ev.PaymentSucceeded("PK1", "ch_1"))

    assert o.credit_earlier.orders(v) == (do.CreditBill("B-2", "CA1:1", dollars("80.00"), "ch_1"),)


def test_the_charge_is_of_this_payments_session() -> None:
    """And only here is one ordered."""
    assert o.complete.orders(view()) == (do.CompletePay("PK2"),)
    assert {
        effect.words
        for flow in FLOWS
        for row in flow.rows
        for effect in row.effects
        for v in views(row)
        if any(isinstance(order, do.CompletePay) for order in effect.orders(v))
    } == {o.complete.words}


@pytest.mark.parametrize("pay", Pay)
def test_only_an_open_session_is_cancelled(pay: Pay) -> None:
    """One whose SID is not known cannot be, and one being closed is not closed twice."""
    open_one = (do.CancelPay("PK2"),) if pay is Pay.OPEN else ()
    waiting = pay in (Pay.HOLDING, Pay.OPENING, Pay.CLOSING)

    assert o.cancel.orders(view(full(pay=pay))) == open_one
    assert o.close_or_leave.orders(view(full(pay=pay))) == (open_one or (() if waiting else (do.EndRelay(),)))


def test_a_stray_session_is_cancelled_under_its_own_sid() -> None:
    """Not the payment under way."""
    for event in (ev.PaymentSessionStarted("PK9"), ev.PayOpened("k", "PK9")):
        assert o.cancel_stray.orders(view(event=event)) == (do.CancelPay("PK9"),)


@pytest.mark.parametrize(
    ("facts", "frees"),
    [
        (full(held=True), True),
        (full(held=False), False),
        (full(held=False, pay=Pay.HOLDING), True),
        (full(held=False, pay=Pay.CLOSED), False),
        (full(held=True, outcome=Outcome.UNKNOWN), False),
        (full(held=False, pay=Pay.HOLDING, outcome=Outcome.UNKNOWN), False),
    ],
)
def test_a_bill_is_freed_at_the_end_unless_its_charge_is_unknown(facts: Facts, frees: bool) -> None:
    """A hold that was ordered may still come; one whose charge is unknown stays for a person to resolve."""
    assert o.release_if_held.orders(view(facts)) == ((do.ReleaseBill("B-1", PAYMENT),) if frees else ())


# The card's fields


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_a_capture_carries_the_prompt_of_its_field(field: Field) -> None:
    """It is spoken once Twilio listens; every field has a sentence that asks for it."""
    prompt = f"ask_{field.name}"

    assert o.capture(field).orders(view()) == (do.Capture("PK2", field.name, prompt),)
    assert said(o.say_prompt, view(full(prompt=prompt))) == [(prompt, {})]


def test_a_recapture_is_of_the_field_under_way() -> None:
    """With the sentence given, or silently."""
    v = view(full(capturing="security_code"))

    assert o.recapture("entry_waiting", ", and so on").orders(v) == (
        do.Capture("PK2", "security_code", "entry_waiting"),
    )
    assert o.recapture("", ", silently").orders(v) == (do.Capture("PK2", "security_code", ""),)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("invalid-card-number", "rejected_card_number"),
        ("invalid-card-type", "rejected_card_type"),
        ("invalid-date", "rejected_expiration_date"),
        ("invalid-security-code", "rejected_security_code"),
        ("invalid-postal-code", "rejected_postal_code"),
        ("input-matching-failed", "rejected_other"),
        ("something-new", "rejected_other"),
        ("", "rejected_other"),
    ],
)
def test_a_rejection_is_told_by_its_kind(error: str, sentence: str) -> None:
    """An `ErrorType` that nobody has heard of has a sentence too."""
    event = ev.FieldRejected("PK2", "card_number", error)

    assert said(o.say_rejection, view(event=event)) == [(sentence, {})]


# The talk


def test_what_was_said_meanwhile_is_answered_and_nothing_else() -> None:
    """A turn where words wait; else silence, or the question after a success."""
    waiting, nothing = view(full(unanswered=True)), view(full(unanswered=False))

    assert o.answer_waiting.orders(waiting) == o.answer_or_ask.orders(waiting) == (do.Think(),)
    assert o.answer_waiting.orders(nothing) == ()
    assert names(o.answer_or_ask, nothing) == ["anything_else"]


WHERE: list[tuple[State, Facts, list[str]]] = [
    (State.VERIFYING_IDENTITY, FULL, ["identity_prompt"]),
    (State.CONFIRMING_BALANCE, FULL, ["balance"]),
    (State.CONFIRMING_BALANCE, full(bill=None), ["nothing_owed"]),
    (State.CONFIRMING_BALANCE, full(told=False, bill=None), ["one_moment"]),
    (State.CONFIRMING_BALANCE, full(told=False), ["one_moment"]),
    (State.CHOOSING_AMOUNT, FULL, ["options_hsa"]),
    (State.CHOOSING_AMOUNT, full(account=NO_HSA), ["options"]),
    (State.STARTING_PAYMENT, FULL, ["one_moment"]),
    *((field.due, FULL, []) for field in FIELDS.values()),
    *((field.entry, full(capturing=field.name), [f"ask_{field.name}"]) for field in FIELDS.values()),
    *((field.entry, full(key_at=NOON - timedelta(seconds=1)), []) for field in FIELDS.values()),
    (State.READY_TO_COMPLETE, FULL, ["ready"]),
    (State.PROCESSING_PAYMENT, FULL, ["still_working"]),
    (State.PAYMENT_COMPLETED, FULL, ["paid", "anything_else"]),
    (State.PAYMENT_COMPLETED, full(confirmation=""), ["paid_without_code", "anything_else"]),
    (State.PAYMENT_DECLINED, FULL, ["declined"]),
    (State.CANCELLING_PAYMENT, FULL, ["one_moment"]),
    (State.PAYMENT_CANCELLED, FULL, ["cancelled"]),
    (State.PAYMENT_OUTCOME_UNKNOWN, FULL, ["unknown_outcome"]),
    (State.HANDING_OFF, FULL, ["hand_off"]),
    (State.ENDED, FULL, []),
]
"""In each state what is said again after a change of language or of the line; nothing while keys are moving."""


@pytest.mark.parametrize(
    ("state", "facts", "sentences"), [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(WHERE)]
)
def test_every_state_can_say_where_the_call_stands(state: State, facts: Facts, sentences: list[str]) -> None:
    """Its own sentence again; “paid” only where that is on record."""
    assert names(o.say_where_we_are, view(facts, state=state)) == sentences


def test_every_state_is_in_that_table() -> None:
    """A new state has to say where the call stands, or why not."""
    assert {state for state, *_ in WHERE} == set(State)


def test_a_language_comes_before_the_first_words_in_it() -> None:
    """By the model's tool or by the keypad; anything else changes no language."""
    spanish = (do.SwitchLanguage("es"), do.Say("language_changed"))

    assert o.switch_language.orders(view(arguments=parse("switch_language", '{"language": "es"}'))) == spanish
    assert o.switch_language.orders(view(event=ev.LanguageKeyPressed("es"))) == spanish
    assert o.switch_language.orders(view()) == ()


def test_a_person_is_looked_up_by_what_the_model_passed_on() -> None:
    """The two values travel in the order alone."""
    arguments = parse("verify_user", '{"full_name": "Ada Payer", "date_of_birth": "1990-05-01"}')

    assert o.look_up.orders(view(arguments=arguments)) == (do.LookUpIdentity("Ada Payer", "1990-05-01"),)
    assert o.read_bills.orders(view()) == (do.ReadBills("A-1"),)


# A person, and the end


@pytest.mark.parametrize(
    ("routes", "tried", "next_route"),
    [
        (("queue", "dial"), (), "queue"),
        (("queue", "dial"), ("queue",), "dial"),
        (("dial", "queue"), (), "dial"),
        (("queue", "dial"), ("dial",), "queue"),
        (("dial",), (), "dial"),
        (("queue", "dial"), ("queue", "dial"), None),
        (("dial",), ("dial",), None),
        ((), (), None),
    ],
)
@pytest.mark.parametrize("sentence", ["", "hand_off_other_route"])
def test_each_route_to_a_person_is_tried_once_in_order(
    routes: tuple[str, ...], tried: tuple[str, ...], next_route: str | None, sentence: str
) -> None:
    """The next one that was not tried; when none is left, none."""
    v = view(full(routes_tried=tried), routes=routes)

    assert o.route(sentence).orders(v) == ((do.RouteCall(next_route, sentence),) if next_route else ())


def test_a_route_says_in_words_whether_it_speaks_first() -> None:
    """The reviewer reads what the caller hears."""
    assert o.route("").words == "pass the call on by the next route"
    assert o.route("hand_off").words == "say “hand_off” and pass the call on by the next route"


def test_the_ways_to_end_the_relay_and_the_call() -> None:
    """One order each; the apology is spoken by the same webhook that hangs up."""
    v = view()

    assert o.leave.orders(v) == (do.EndRelay(),)
    assert o.reconnect.orders(v) == (do.ConnectRelay(),)
    assert o.hang_up.orders(v) == (do.HangUp(),)
    assert o.apologise.orders(v) == (do.HangUp("hand_off_failed"),)


# Words, and the sentences

ARGUMENTS: dict[str, str] = {
    "verify_user": '{"full_name": "Ada Payer", "date_of_birth": "1990-05-01"}',
    "confirm_balance": '{"agreed": true}',
    "start_payment": '{"amount": "120.50"}',
    "switch_language": '{"language": "es"}',
}
EVENTS: dict[str, tuple[ev.Event, ...]] = {
    "payment_session_started": (ev.PaymentSessionStarted("PK9"),),
    "pay_opened": (ev.PayOpened("k", "PK9"),),
    "earlier_payment_succeeded": (ev.PaymentSucceeded("PK1", "ch_1"),),
    "language_key_pressed": (ev.LanguageKeyPressed("es"),),
    "field_rejected": tuple(
        ev.FieldRejected("PK2", "card_number", f"invalid-{what}")
        for what in ("card-number", "card-type", "date", "security-code", "postal-code", "new")
    ),
}
"""The events that an effect reads more of than the facts."""

SITUATIONS: tuple[Facts, ...] = (
    FULL,
    full(account=NO_HSA, bills=(VISIT,)),
    full(unanswered=True, confirmation="", last_four=""),
    full(wanted_bill="dentist", pay=Pay.CLOSED, held=False),
    full(key_at=NOON),
    *(full(capturing=name, prompt=f"ask_{name}") for name in FIELDS),
)
WITHOUT_A_BALANCE = (full(bill=None), full(told=False, bill=None))
"""Only while the balance is being read."""


def views(row: Row) -> Iterator[View]:
    """What this row's effects may be shown."""
    arguments = _arguments(row.trigger)
    waiting = row.source is State.CONFIRMING_BALANCE and row.trigger == "language_key_pressed"
    for event in EVENTS.get(row.trigger, (None,)):
        for facts in (*SITUATIONS, *(WITHOUT_A_BALANCE if waiting else ())):
            yield view(facts, event=event, arguments=arguments, state=row.source)


def _arguments(trigger: str) -> Arguments | None:
    return parse(trigger, ARGUMENTS.get(trigger, "")) if trigger in TOOLS else None


def ordered() -> Iterator[do.Order]:
    """Everything that any row of any table orders in any of those views."""
    for flow in FLOWS:
        for row in flow.rows:
            for v in views(row):
                for effect in row.effects:
                    yield from effect.orders(v)


ORDERS = tuple(set(ordered()))
SAID = [order for order in ORDERS if isinstance(order, do.Say)]


def test_the_effects_speak_only_sentences_that_exist_with_exactly_their_values() -> None:
    """A value too few would be a hole in a sentence about money, one too many a text that cannot use it."""
    for order in SAID:
        sentence = SENTENCES[order.sentence]

        assert tuple(name for name, _ in order.values) == sentence.values, order
        assert order.interruptible is sentence.interruptible, order


def test_every_value_is_of_its_kind() -> None:
    """Amounts stay exact money with a currency until they are spoken; counts are numbers, the rest is text."""
    kinds = {"amount": Money, "least": Money, "count": int}

    for order in SAID:
        for name, value in order.values:
            assert type(value) is kinds.get(name, str), order
            assert value


def test_prompts_and_parting_words_are_sentences_without_values() -> None:
    """They are spoken where no facts are at hand."""
    prompts = {order.prompt for order in ORDERS if isinstance(order, do.Capture)}
    parting = {order.sentence for order in ORDERS if isinstance(order, do.HangUp | do.RouteCall)}

    for name in (prompts | parting) - {""}:
        assert SENTENCES[name].values == (), name
    assert {f"ask_{name}" for name in FIELDS} < prompts


def test_no_sentence_stands_unused() -> None:
    """A text that is never spoken need not be translated, reviewed or replaced."""
    prompts = {order.prompt for order in ORDERS if isinstance(order, do.Capture)}
    spoken = {order.sentence for order in ORDERS if isinstance(order, do.Say | do.HangUp | do.RouteCall)}

    by_the_loop = {"record_away", "record_lost"}  # where no step can be recorded, no row can speak

    assert SENTENCES.keys() - prompts - spoken == by_the_loop


def test_the_table_orders_everything_that_can_be_ordered() -> None:
    """An order that no row gives would need no hand."""
    assert {type(order) for order in ORDERS} == set(get_args(do.Order))


def test_no_effect_stands_unused() -> None:
    """What no row orders is dead."""
    assert {name for name, effect in NAMED.items() if effect.words not in USED} == set()


@pytest.mark.parametrize("words", USED)
def test_every_effect_says_in_words_what_it_orders(words: str) -> None:
    """In the imperative, for the reviewer: no capital but a name's, no stop, no name of a function."""
    assert re.fullmatch(r"[a-z][^_`]*[\w”)]|say “\w+”.*", words), words
    assert not re.search(r"\s\s|\.$", words), words


def test_amounts_are_never_floats() -> None:
    """The amount sent is the amount agreed, to the cent."""
    moneys = [
        value for order in ORDERS for field in fields(order) if isinstance(value := getattr(order, field.name), Money)
    ]

    assert moneys
    assert all(type(money.amount) is Decimal and money.amount.as_tuple().exponent == -2 for money in moneys)
