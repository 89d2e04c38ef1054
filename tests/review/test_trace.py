"""A recorded call as it is told to a person: causes, times, words masked, refusals, and what became of the money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest

from payagent.errors import IllegalMove
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Party, State
from payagent.flow.step import Step
from payagent.flow.table import build
from payagent.review.trace import lines, masked, party_of, report, time_in_states

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
OWED = Money(Decimal("600.00"), "USD")


class Told:
    """A call driven by events, two seconds apart; `steps` are its record."""

    def __init__(self) -> None:
        self.call = Call(build(), "CA1")
        self.steps: list[Step] = []

    def happen(self, event: ev.Event) -> Step:
        step = self.call.decide(event, START + timedelta(seconds=2 * len(self.steps)))
        assert step is not None
        self.call.apply(step)
        self.steps.append(step)
        return step

    def tool(self, name: str, arguments: str = "{}") -> Step:
        self.happen(ev.CallerSpoke("Yes, please."))
        return self.happen(ev.ToolCalled(self.call.facts.turn, "call_1", name, arguments))

    def order(self, kind: type[do.Order]) -> str:
        """The key of the latest order of this kind."""
        found = [(s, n) for s in self.steps for n, order in enumerate(s.orders) if isinstance(order, kind)]
        step, n = found[-1]
        return do.order_key("CA1", step.seq, n)


def verified() -> Told:
    told = Told()
    told.happen(ev.CallStarted("***0100"))
    told.happen(ev.RelayConnected("VX1"))
    told.tool("verify_user", '{"full_name":"Ada Payer","date_of_birth":"1990-05-01"}')
    told.happen(ev.IdentityMatched(told.order(do.LookUpIdentity), Account("A-1", "Ada Payer")))
    told.happen(ev.BillsRead(told.order(do.ReadBills), (Bill("B-1", "clinic visit", OWED),)))
    return told


def paid() -> Told:
    told = verified()
    told.tool("confirm_balance", '{"agreed":true}')
    told.tool("start_payment", '{"amount":"600.00"}')
    told.happen(ev.BillHeld(told.order(do.HoldBill)))
    told.happen(ev.PayOpened(told.order(do.OpenPay), "PK1"))
    told.happen(ev.PaymentSucceeded("PK1", "conf-20261122", "1111", "visa", digest="d1"))
    return told


def test_each_step_is_told_once_in_order() -> None:
    """Numbers, times and states are those of the record."""
    steps = paid().steps

    told = lines(steps)

    assert [line.seq for line in told] == [step.seq for step in steps]
    assert [line.since_start for line in told] == [timedelta(seconds=2 * n) for n in range(len(steps))]
    assert [(line.before, line.after) for line in told] == [(step.before, step.after) for step in steps]


@pytest.mark.parametrize(
    ("event", "party"),
    [
        (ev.ToolCalled("t", "c", "invented_tool", "{}"), Party.MODEL),
        (ev.TimeUp("silence", 1), Party.CLOCK),
        (ev.OutcomeResolved("paid", "ref", "Kim", "found"), Party.OPERATOR),
        (ev.PaymentFailed("PK1", "internal-error"), Party.PAY),
        (ev.CallerHungUp(), Party.LINE),
        (ev.BillNotHeld("o", "taken"), Party.PROGRAM),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, Party) else value,
)
def test_the_party_that_caused_a_step_is_named(event: ev.Event, party: Party) -> None:
    """A tool is the model's, a timer the clock's, a callback Twilio's."""
    assert party_of(event) is party


def test_every_event_of_the_union_has_a_party_and_words() -> None:
    """Nothing that can be on a record makes the trace fail."""
    values = {"str": "word", "int": 1, "bool": True, "Account": Account("A-1", "Ada"), "tuple[Bill, ...]": ()}
    values |= {"tuple[str, ...] | None": ("card_number",)}
    for kind in get_args(ev.Event):
        event = kind(*[values[kind.__annotations__[name]] for name in kind.__slots__])
        step = Step("CA1", 1, START, event, State.ENDED, State.ENDED, "", "", "", (), (), "v")
        assert lines([step])[0].party in Party


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("my card is 4111 1111 1111 1111", "my card is •••• •••• •••• ••••"),
        ("4111-1111-1111-1111", "••••-••••-••••-••••"),
        ("4, 1, 1, 1", "•, •, •, •"),
        ("born in 1990", "born in ••••"),
        ("I owe 600.00 for room 12", "I owe 600.00 for room 12"),
        ("٤١١١", "••••"),
        ("red \x1b[31m\nalert", "red  [31m alert"),
    ],
)
def test_words_are_masked_and_printable(words: str, told: str) -> None:
    """Runs of four digits and more do not reach the terminal, nor do control characters."""
    assert masked(words) == told


def test_free_words_are_masked_wherever_they_stand() -> None:
    """Spoken words, tool names, tool arguments, reasons: all of them."""
    digits = "4111111111111111"
    told = Told()
    told.happen(ev.CallerSpoke(f"it is {digits}"))
    told.happen(ev.ToolCalled(told.call.facts.turn, "c", f"pay_{digits}", f'{{"card":"{digits}"}}'))
    told.happen(ev.AgentSpoke("x", f"you said {digits}"))
    told.happen(ev.CallerInterrupted(f"you said {digits}"))
    told.happen(ev.CallerSpoke("and now?"))
    told.happen(ev.ClaimStopped(told.call.facts.turn, f"paid, code {digits}"))
    told.happen(ev.OutcomeResolved("paid", "ref", digits, f"card {digits}"))

    text = "\n".join(report(told.steps))

    assert "1111" not in text
    assert text.count("••••") >= 6
    assert "stopped before it was spoken: “paid, code ••••" in text


def test_identity_values_are_never_told() -> None:
    """Neither the model's arguments nor the order's values, though a live step still carries both."""
    steps = verified().steps
    assert any(isinstance(o, do.LookUpIdentity) and o.full_name for step in steps for o in step.orders)

    text = "\n".join(report(steps))

    assert "Ada" not in text
    assert "1990" not in text
    assert "LookUpIdentity" in text


def test_every_order_has_words() -> None:
    """What was ordered is told without session ids."""
    orders = (
        do.Say("balance", (("amount", OWED),)),
        do.Think(),
        do.SwitchLanguage("es"),
        do.EndRelay(),
        do.ConnectRelay(),
        do.RouteCall("dial"),
        do.HangUp(),
        do.LookUpIdentity("Ada", "1990-05-01"),
        do.ReadBills("A-1"),
        do.HoldBill("B-1", "p", "A-1"),
        do.CreditBill("B-1", "p", OWED, "c-1"),
        do.ReleaseBill("B-1", "p", declined=True),
        do.OpenPay("p", OWED, "clinic visit"),
        do.Capture("PK1", "card_number"),
        do.CompletePay("PK1"),
        do.CancelPay("PK1"),
    )
    assert {type(order) for order in orders} == set(get_args(do.Order))
    step = Step("CA1", 1, START, ev.CallerHungUp(), State.ENDED, State.ENDED, "", "", "", orders, (), "v")

    assert lines([step])[0].orders == (
        "Say balance (600.00 USD)",
        "Think",
        "SwitchLanguage es",
        "EndRelay",
        "ConnectRelay",
        "RouteCall dial",
        "HangUp",
        "LookUpIdentity",
        "ReadBills",
        "HoldBill B-1",
        "CreditBill B-1, 600.00 USD, confirmation c-1",
        "ReleaseBill B-1 (declined)",
        "OpenPay 600.00 USD",
        "Capture card_number",
        "CompletePay",
        "CancelPay",
    )


def test_a_refusal_is_marked_with_its_reason() -> None:
    """What the model was told stands under the tool it called."""
    told = Told()
    told.tool("complete_payment_processing")

    text = report(told.steps)

    at = next(n for n, line in enumerate(text) if "complete_payment_processing" in line)
    assert text[at + 1].strip().startswith("REFUSED: There is no tool 'complete_payment_processing'")
    assert any(line.startswith("1 refused") for line in text)


def test_time_is_counted_in_every_state() -> None:
    """Two seconds a step: the states' times add up to the call's."""
    told = lines(paid().steps)

    spent = time_in_states(told)

    assert list(spent)[:3] == [State.VERIFYING_IDENTITY, State.CONFIRMING_BALANCE, State.CHOOSING_AMOUNT]
    assert spent[State.VERIFYING_IDENTITY] == timedelta(seconds=8)
    assert sum(spent.values(), timedelta()) == told[-1].at - told[0].at


def test_a_state_entered_twice_is_summed() -> None:
    """One line a state, however often the call came back to it."""
    told = verified()
    told.tool("confirm_balance", '{"agreed":true}')
    told.tool("check_pending_bill", '{"bill":null}')

    spent = time_in_states(lines(told.steps))

    assert list(spent).count(State.CONFIRMING_BALANCE) == 1
    assert spent[State.CONFIRMING_BALANCE] == timedelta(seconds=6)


def test_the_summary_says_what_was_charged() -> None:
    """Outcome, amount, bill, confirmation as the processor gave it, and the counts."""
    steps = paid().steps

    text = report(steps)

    assert text[-5:-1] == [
        "Now in payment_completed, 0:24.00 after the start. Last payment: paid.",
        "Charged 600.00 USD for bill B-1, confirmation conf-20261122.",
        "13 steps: 3 model, 2 pay, 5 line, 3 program.",
        f"0 refused, {sum(len(step.orders) for step in steps)} orders given.",
    ]
    assert text[-1].startswith("Time: verifying_identity 8.00 s, ")


def test_the_summary_says_so_when_nothing_was_charged() -> None:
    """A call without a payment ends in plain words."""
    assert "Nothing is recorded as charged." in report(verified().steps)


def test_changes_of_state_stand_between_the_steps() -> None:
    """Each with how long the call was where it came from."""
    assert "[confirming_balance]  after 8.00 s in verifying_identity" in report(verified().steps)


def test_the_clock_counts_minutes() -> None:
    """Time since the start is minutes and seconds."""
    told = Told()
    told.happen(ev.CallStarted("***0100"))
    step = told.call.decide(ev.RelayConnected("VX1"), START + timedelta(seconds=75.25))
    assert step is not None

    assert any(line.split()[:2] == ["2", "1:15.25"] for line in report([*told.steps, step]))


def test_no_steps_no_report() -> None:
    """A call that is not on the record is for the command to tell."""
    assert report([]) == []
    assert lines([]) == []


def test_steps_with_a_gap_are_not_summed_up() -> None:
    """What is missing may be the charge."""
    steps = paid().steps

    with pytest.raises(IllegalMove):
        report([*steps[:3], *steps[4:]])
