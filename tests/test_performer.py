"""The performer: each order to its hand, claimed before it is sent, and whatever goes wrong comes back as an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from live_line import CALL, KEY, PAYMENT, Till
from structlog.testing import capture_logs

from payagent.accounts.demo import load_demo
from payagent.accounts.sql import SqlAccounts
from payagent.errors import TwilioRefused, TwilioUnanswered
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.journal.sqlite import SqliteJournal
from payagent.performer import CLAIM, Caller, Performer
from payagent.phone.payments import NeverSent, Payments

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CALLER = Caller(CALL, "caller-hash")
ALL_OF_IT = Money(Decimal("600.00"), "USD")
HOLD = do.HoldBill("B-2001", f"{CALL}:1", "A-1001")
CREDIT = do.CreditBill("B-2001", f"{CALL}:1", ALL_OF_IT, "ch_1")
RELEASE = do.ReleaseBill("B-2001", f"{CALL}:1")
OPEN = do.OpenPay(f"{CALL}:1", ALL_OF_IT, "office visit")
CAPTURE = do.Capture(PAYMENT, "card_number", "ask_card_number")
COMPLETE = do.CompletePay(PAYMENT)
CANCEL = do.CancelPay(PAYMENT)
TWILIO = [(OPEN, "open"), (CAPTURE, "capture"), (COMPLETE, "complete"), (CANCEL, "cancel")]


async def wanted() -> bool:
    """The call still waits for it."""
    return True


async def unwanted() -> bool:
    """The call has moved on."""
    return False


class Hands:
    """A performer with a journal and a book of its own, a till, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.journal = SqliteJournal(folder / "journal.db", KEY)
        self.accounts = SqlAccounts(folder / "book.db")
        self.till = Till()
        self.performer = self.another("first")
        self._seq = 0

    def another(self, worker: str) -> Performer:
        """A performer of another worker on the same journal."""
        return Performer(self.journal, self.accounts, cast(Payments, self.till), worker, lambda: self.now)

    async def order(self, order: do.DurableOrder) -> str:
        """Put the order on record; its key."""
        self._seq += 1
        state = State.PROCESSING_PAYMENT
        event = ev.CallerHungUp()
        step = Step(CALL, self._seq, self.now, event, state, state, "", "", "", (order,), (), "f1")
        await self.journal.append(step)
        return do.order_key(CALL, self._seq, 0)

    async def perform(self, order: do.DurableOrder) -> ev.OrderAnswer | None:
        """Order it and do it; the answer with the key blanked out."""
        key = await self.order(order)
        answer = await self.performer.perform(key, order, CALLER, wanted)
        assert answer is None or answer.order == key
        return answer


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """Demo people in the book."""
    hands = Hands(tmp_path)
    await hands.journal.open()
    await hands.accounts.open()
    await load_demo(hands.accounts)
    yield hands
    await hands.accounts.close()
    await hands.journal.close()


async def test_twilio_is_asked_for_exactly_what_was_ordered(hands: Hands) -> None:
    """The amount goes out to the cent, each request under its own order's key, and each answer names its order."""
    answers = [await hands.perform(order) for order, _ in TWILIO]

    assert hands.till.asked == ["open 600.00", "capture card_number", "complete", "cancel"]
    assert hands.till.keys == [f"{CALL}:{n}:0" for n in (1, 2, 3, 4)]
    assert answers == [
        ev.PayOpened(f"{CALL}:1:0", PAYMENT),
        ev.CaptureAccepted(f"{CALL}:2:0", "card_number"),
        ev.CompleteAccepted(f"{CALL}:3:0"),
        ev.CancelAccepted(f"{CALL}:4:0"),
    ]


async def test_a_refusal_comes_back_with_twilios_number(hands: Hands) -> None:
    """Each order has an answer for it; a cancel that finds nothing to cancel is as good as accepted."""
    hands.till.fails = {name: [TwilioRefused(64012, 400, "no")] for _, name in TWILIO}

    answers = [await hands.perform(order) for order, _ in TWILIO]

    assert answers == [
        ev.PayNotOpened(f"{CALL}:1:0", 64012),
        ev.CaptureRefused(f"{CALL}:2:0", "card_number", 64012),
        ev.CompleteRefused(f"{CALL}:3:0", 64012),
        ev.CancelAccepted(f"{CALL}:4:0", 64012),
    ]


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_cancel_that_twilio_did_not_look_at_is_unanswered(hands: Hands, status: int) -> None:
    """Turned away at the door is not “nothing to cancel”: the session may be open still."""
    hands.till.fails = {"cancel": [TwilioRefused(20003, status, "no")]}

    assert isinstance(await hands.perform(CANCEL), ev.CancelUnanswered)


async def test_no_answer_leaves_open_what_it_leaves_open(hands: Hands) -> None:
    """After a time-out a session may be open and a card may be charged: said so, never taken for a refusal."""
    hands.till.fails = {name: [TwilioUnanswered("time-out")] for _, name in TWILIO}

    answers = [await hands.perform(order) for order, _ in TWILIO]

    assert answers == [
        ev.PayOpenUnanswered(f"{CALL}:1:0"),
        ev.CaptureRefused(f"{CALL}:2:0", "card_number", 0),
        ev.CompleteUnanswered(f"{CALL}:3:0"),
        ev.CancelUnanswered(f"{CALL}:4:0"),
    ]


async def test_what_never_went_out_was_surely_not_done(hands: Hands) -> None:
    """Without a connection no card is charged and no session opened; only the session to cancel may still be open."""
    hands.till.fails = {name: [NeverSent("no connection")] for _, name in TWILIO}

    answers = [await hands.perform(order) for order, _ in TWILIO]

    assert answers == [
        ev.PayNotOpened(f"{CALL}:1:0", 0),
        ev.CaptureRefused(f"{CALL}:2:0", "card_number", 0),
        ev.CompleteRefused(f"{CALL}:3:0", 0),
        ev.CancelUnanswered(f"{CALL}:4:0"),
    ]


async def test_of_two_workers_one_sends(hands: Hands) -> None:
    """An order is claimed before it is sent; who comes second does nothing."""
    key = await hands.order(COMPLETE)
    other = hands.another("second")

    answers = await asyncio.gather(
        hands.performer.perform(key, COMPLETE, CALLER, wanted), other.perform(key, COMPLETE, CALLER, wanted)
    )

    assert sorted(map(str, answers)) == sorted([str(ev.CompleteAccepted(key)), "None"])
    assert hands.till.asked == ["complete"]


async def test_an_order_that_is_done_is_not_done_again(hands: Hands) -> None:
    """Its answer is on record; a worker that still has it on its list sends nothing."""
    key = await hands.order(CANCEL)
    state = State.PROCESSING_PAYMENT
    done = Step(CALL, 2, hands.now, ev.CancelAccepted(key), state, state, "", "", "", (), (), "f1")
    await hands.journal.append(done)
    hands.now += CLAIM + timedelta(seconds=1)

    assert await hands.performer.perform(key, CANCEL, CALLER, wanted) is None
    assert hands.till.asked == []


async def test_a_charge_that_may_have_gone_out_is_never_sent_again(hands: Hands) -> None:
    """Claimed and never done: whether the card is charged is open, and stays so."""
    key = await hands.order(COMPLETE)
    await hands.journal.claim(key, "died", hands.now + CLAIM, hands.now)
    hands.now += CLAIM

    assert await hands.performer.perform(key, COMPLETE, CALLER, wanted) == ev.CompleteUnanswered(key)
    assert hands.till.asked == []


@pytest.mark.parametrize("order", [OPEN, CAPTURE, CANCEL])
async def test_all_else_is_repeated_under_the_same_key(hands: Hands, order: do.DurableOrder) -> None:
    """Safe to repeat: Twilio sees the same idempotency key as the first time."""
    key = await hands.order(order)
    await hands.journal.claim(key, "died", hands.now + CLAIM, hands.now)
    hands.now += CLAIM

    await hands.performer.perform(key, order, CALLER, wanted)

    assert hands.till.keys == [key]


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (COMPLETE, ev.CompleteRefused(f"{CALL}:1:0", 0)),
        (CAPTURE, ev.CaptureRefused(f"{CALL}:1:0", "card_number", 0)),
    ],
)
async def test_what_the_call_no_longer_wants_is_given_up_unsent(
    hands: Hands, order: do.DurableOrder, answer: ev.OrderAnswer
) -> None:
    """The record says that it surely was not done."""
    key = await hands.order(order)

    assert await hands.performer.perform(key, order, CALLER, unwanted) == answer
    assert hands.till.asked == []


async def test_a_charge_given_up_may_have_gone_out_before(hands: Hands) -> None:
    """That nobody waits for it any more does not make it surely unsent."""
    key = await hands.order(COMPLETE)
    await hands.journal.claim(key, "died", hands.now + CLAIM, hands.now)
    hands.now += CLAIM

    answer = await hands.performer.perform(key, COMPLETE, CALLER, unwanted)

    assert answer == ev.CompleteUnanswered(key)


async def test_without_a_claim_nothing_is_sent(hands: Hands) -> None:
    """If the journal is out of reach, the order waits for the sweep."""
    key = await hands.order(COMPLETE)
    await hands.journal.close()
    with capture_logs() as logs:
        answer = await hands.performer.perform(key, COMPLETE, CALLER, wanted)

    assert answer is None
    assert hands.till.asked == []
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize(("order", "name"), TWILIO)
async def test_a_fault_of_ours_leaves_the_order_open(hands: Hands, order: do.DurableOrder, name: str) -> None:
    """It does not end the task silently: it is logged as critical, and the order is there when its claim is over."""
    hands.till.fails = {name: [ZeroDivisionError("a fault")]}

    with capture_logs() as logs:
        answer = await hands.perform(order)

    assert answer is None
    assert [(entry["log_level"], entry["kind"]) for entry in logs] == [("critical", type(order).__name__)]
    assert await hands.journal.open_orders(hands.now) == []
    assert [o.order for o in await hands.journal.open_orders(hands.now + CLAIM)] == [order]


async def test_a_person_is_looked_up(hands: Hands) -> None:
    """One account matches, or none does."""
    found = await hands.perform(do.LookUpIdentity("John Doe", "1990-05-01"))
    stranger = await hands.perform(do.LookUpIdentity("John Doe", "1991-05-01"))

    assert found == ev.IdentityMatched(f"{CALL}:1:0", Account("A-1001", "John Doe", has_hsa=True))
    assert stranger == ev.IdentityNotMatched(f"{CALL}:2:0")


async def test_tries_are_counted_against_the_caller(hands: Hands) -> None:
    """Who has failed often is turned away even with the right birth date: the caller's number is passed on."""
    for year in range(1950, 1955):
        await hands.perform(do.LookUpIdentity("Somebody Else", f"{year}-05-01"))

    assert isinstance(await hands.perform(do.LookUpIdentity("John Doe", "1990-05-01")), ev.IdentityNotMatched)


@pytest.mark.parametrize(
    "order",
    [
        do.LookUpIdentity(),
        do.LookUpIdentity("John Doe"),
        do.LookUpIdentity(None, "1990-05-01"),
        do.LookUpIdentity("John Doe", "the day before yesterday"),
    ],
)
async def test_a_look_up_that_cannot_be_made_asks_again(hands: Hands, order: do.LookUpIdentity) -> None:
    """The values were lost in a crash, or are no date: not a failed try."""
    assert isinstance(await hands.perform(order), ev.IdentityLookUpFailed)


async def test_the_book_is_read_and_written(hands: Hands) -> None:
    """Bills are read, held, credited and freed; a second payment finds the bill taken."""
    read = await hands.perform(do.ReadBills("A-1001"))
    held = await hands.perform(HOLD)
    taken = await hands.perform(do.HoldBill("B-2001", "another call", "A-1001"))
    credited = await hands.perform(CREDIT)
    released = await hands.perform(RELEASE)

    assert read == ev.BillsRead(f"{CALL}:1:0", (Bill("B-2001", "office visit", ALL_OF_IT),))
    assert held == ev.BillHeld(f"{CALL}:2:0")
    assert taken == ev.BillNotHeld(f"{CALL}:3:0", "held")
    assert credited == ev.BillCredited(f"{CALL}:4:0")
    assert released == ev.BillReleased(f"{CALL}:5:0")
    assert await hands.accounts.bills("A-1001") == ()


async def test_a_released_bill_is_free_and_a_decline_is_counted(hands: Hands) -> None:
    """After five declined cards in a day the account's bills are not to be had."""
    for n in range(2, 7):
        payment = f"{CALL}:{n}"
        await hands.perform(do.HoldBill("B-2001", payment, "A-1001"))
        await hands.perform(do.ReleaseBill("B-2001", payment, declined=True))

    assert await hands.perform(HOLD) == ev.BillNotHeld(f"{CALL}:11:0", "too_many_declined")


async def test_what_the_caller_waits_for_fails_at_once(hands: Hands) -> None:
    """With the book out of reach the caller is told now."""
    await hands.accounts.close()

    answers = [await hands.perform(order) for order in (do.ReadBills("A-1001"), HOLD)]
    looked_up = await hands.perform(do.LookUpIdentity("John Doe", "1990-05-01"))

    assert answers == [ev.BillsUnavailable(f"{CALL}:1:0"), ev.BillNotHeld(f"{CALL}:2:0", "unavailable")]
    assert looked_up == ev.IdentityLookUpFailed(f"{CALL}:3:0")


@pytest.mark.parametrize("order", [CREDIT, RELEASE])
async def test_what_only_the_book_needs_is_tried_again_later(hands: Hands, order: do.DurableOrder) -> None:
    """A credit is not lost: its order is open when the claim is over."""
    await hands.accounts.close()

    assert await hands.perform(order) is None
    assert [o.order for o in await hands.journal.open_orders(hands.now + CLAIM)] == [order]
