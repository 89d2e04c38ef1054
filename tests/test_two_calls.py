"""Two calls at once on one account and bill: their ways to the book, interleaved in every order.

Each call is the pure one, driven by its events; the book is the real one. A point of a call is what may be parted from
the next by the other call: the bills are read, the hold is asked for, the outcome comes, its order reaches the book.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import combinations, combinations_with_replacement
from pathlib import Path

import pytest

from payagent.accounts.sql import SqlAccounts
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.money import Account, Bill, Money
from payagent.flow.states import Outcome, Pace, State
from payagent.flow.table import build
from payagent.testing import PracticeCall

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
FLOW = build(Pace.AUTOMATIC)
OWED = Money(Decimal("600.00"), "USD")
POINTS = 4


class Payer:
    """A caller who wants to pay all of the bill `B-n`; `ending` is what becomes of it when the bill is held."""

    def __init__(self, book: SqlAccounts, n: int, name: str, ending: str) -> None:
        self.call = PracticeCall(FLOW, f"CA{n}{name}")
        self.account = Account(f"A-{n}", "Ada Payer")
        self.points: list[Callable[[], Awaitable[None]]] = [self.read, self.hold, self.finish, self.settle]
        self._book = book
        self._ending = ending
        self._seen = 0

    async def read(self) -> None:
        """Identified and told what is owed."""
        self.call.say("Ada Payer, first of May 1990")
        self.call.tool("verify_user", full_name="Ada Payer", date_of_birth="1990-05-01")
        self.call.answer(ev.IdentityMatched, account=self.account)
        self.call.answer(ev.BillsRead, bills=await self._book.bills(self.account.id))
        if self.call.call.facts.bill:
            self.call.agree()

    async def hold(self) -> None:
        """The amount is chosen, and the book is asked for the bill."""
        if self.call.state is not State.CHOOSING_AMOUNT:
            return
        self.call.say("all of it")
        step = self.call.tool("start_payment", amount="600.00")
        (order,) = [order for order in step.orders if isinstance(order, do.HoldBill)]
        reason = await self._book.hold(order.bill, order.payment, order.account, NOW)
        self.call.answer(*((ev.BillNotHeld,) if reason else (ev.BillHeld,)), **({"reason": reason} if reason else {}))

    async def finish(self) -> None:
        """The card is keyed in and charged, and this comes of it."""
        if not self.holds:
            return
        self.call.open()
        if self._ending == "cancelled":
            self.call.report(ev.PaymentFailed, result="caller-interrupted-with-star")
            return
        self.call.key_in_card()
        match self._ending:
            case "paid":
                self.call.report(ev.PaymentSucceeded, confirmation="ch")
            case "declined":
                self.call.report(ev.PaymentFailed, result="payment-connector-error", code=64012)
            case "unknown":
                self.call.time_up("result_overdue")

    async def settle(self) -> None:
        """What that orders reaches the book."""
        for order in self.call.ordered(do.CreditBill, do.ReleaseBill):
            match order:
                case do.CreditBill():
                    await self._book.credit(order.bill, order.payment, order.amount, order.confirmation, NOW)
                case do.ReleaseBill():
                    await self._book.release(order.bill, order.payment, order.declined, NOW)

    @property
    def holds(self) -> bool:
        """Whether its payment is open."""
        return self.call.state is State.STARTING_PAYMENT and self.call.call.facts.held

    @property
    def may_be_charged(self) -> bool:
        """Whether its charge was made, or may have been."""
        return self.call.call.facts.outcome in (Outcome.PAID, Outcome.UNKNOWN)


ORDERS = [set(first) for first in combinations(range(2 * POINTS), POINTS)]
"""The places of the first call's points among both calls' points: every interleaving of the two."""


async def played(book: SqlAccounts, n: int, endings: tuple[str, str], order: set[int]) -> list[str]:
    """What is wrong when the two calls of account `n` go on in this order."""
    await book.add(Account(f"A-{n}", "Ada Payer"), date(1990, 5, 1), [Bill(f"B-{n}", "clinic visit", OWED)])
    first, second = [Payer(book, n, name, ending) for name, ending in zip("ab", endings, strict=True)]
    wrong: list[str] = []
    for place in range(2 * POINTS):
        await (first if place in order else second).points.pop(0)()
        if first.holds and second.holds:
            wrong.append("two payments are open")
    owed = sum(bill.owed.amount for bill in await book.bills(f"A-{n}"))
    paid = [payer.call.call.facts.outcome is Outcome.PAID for payer in (first, second)].count(True)
    if first.may_be_charged and second.may_be_charged:
        wrong.append("charged twice")
    if owed != OWED.amount * (1 - paid):
        wrong.append(f"{paid} paid, and {owed} is owed")
    wrong += [
        f"nobody helps a caller in {payer.call.state}"
        for payer in (first, second)
        if payer.call.ordered(do.HoldBill) and not payer.call.ordered(do.OpenPay)
        if payer.call.state is not State.HANDING_OFF
    ]
    return [f"{endings} {sorted(order)}: {words}" for words in wrong]


ENDINGS = list(combinations_with_replacement(("paid", "declined", "cancelled", "unknown"), 2))


@pytest.mark.promise(2)
@pytest.mark.parametrize("endings", ENDINGS)
async def test_two_calls_on_one_bill_charge_it_once(endings: tuple[str, str], tmp_path: Path) -> None:
    """In every order of their points: never two open payments, never a second charge; the other one gets a person."""
    book = SqlAccounts(tmp_path / "book.db")
    await book.open()
    alike = endings[0] == endings[1]  # then it does not matter which call is the first
    orders = [order for order in ORDERS if 0 in order or not alike]
    try:
        wrong = [fault for n, order in enumerate(orders) for fault in await played(book, n, endings, order)]
    finally:
        await book.close()

    assert len(ORDERS) == 70
    assert wrong == []


@pytest.mark.promise(2)
async def test_a_second_call_after_an_unknown_one_gets_a_person(tmp_path: Path) -> None:
    """Until a person has found out; then the bill can be paid, or is."""
    for n, outcome in enumerate(("paid", "not_paid")):
        book = SqlAccounts(tmp_path / f"{outcome}.db")
        await book.open()
        await book.add(Account(f"A-{n}", "Ada Payer"), date(1990, 5, 1), [Bill(f"B-{n}", "clinic visit", OWED)])
        first, second, third = Payer(book, n, "a", "unknown"), Payer(book, n, "b", "paid"), Payer(book, n, "c", "paid")
        for payer in (first, second):
            for point in payer.points:
                await point()
        first.call.post(ev.OutcomeResolved(outcome, "ref-1", "Ann", "looked at the processor"))
        await first.settle()
        await third.read()
        await third.hold()
        owed = await book.bills(f"A-{n}")
        await book.close()

        assert second.call.state is State.HANDING_OFF
        assert not second.call.ordered(do.OpenPay)
        assert (len(owed), third.holds) == ((0, False) if outcome == "paid" else (1, True))
