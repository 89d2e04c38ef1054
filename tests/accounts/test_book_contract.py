"""The book of accounts, whichever database keeps it: who is found, who holds a bill, what is owed after a payment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.accounts.amounts import hundredths, money
from payagent.accounts.postgres import PostgresAccounts
from payagent.accounts.protocol import Entry, UnreadableDate
from payagent.accounts.sql import SqlAccounts
from payagent.errors import AccountsFailed
from payagent.flow.money import Account, Bill, Money

Book = SqlAccounts | PostgresAccounts
OpenBook = Callable[[], Awaitable[Book]]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
ZOE = Account("A1", "Zoë Müller", language="es", has_hsa=True)
BORN = date(1990, 5, 1)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.fixture
async def book(accounts: Book) -> Book:
    """Zoë, who has three bills; nothing is owed on the second."""
    bills = (Bill("B1", "visit", usd("100.00")), Bill("B2", "settled", usd("0.00")), Bill("B3", "tests", usd("40.05")))
    await accounts.add(ZOE, BORN, bills)
    return accounts


@pytest.fixture
async def same_book(book: Book, open_book: OpenBook) -> Book:
    """The same book, opened by somebody else."""
    return await open_book()


async def find(
    book: Book, name: str = ZOE.name, born: str = "1990-05-01", caller: str = "+15550001", now: datetime = NOON
) -> Account | None:
    return await book.find(name, born, caller=caller, call_sid="CA1", now=now)


async def owed(book: Book, bill: str) -> Money | None:
    return {b.id: b.owed for b in await book.bills("A1")}.get(bill)


# Who is found


@pytest.mark.parametrize("name", ["Zoë Müller", "zoe muller", "  ZOE   Müller ", "Zoe\u0308 Mu\u0308ller"])
async def test_name_matches_however_it_is_written(book: Book, name: str) -> None:
    """Case, accents and spaces make no difference; the account comes back as it was put in."""
    assert await find(book, name) == ZOE


async def test_wrong_name_or_date_finds_nobody(book: Book) -> None:
    """Both must match."""
    assert await find(book, "Zoë Miller") is None
    assert await find(book, born="1990-05-02") is None


async def test_same_name_is_told_apart_by_birth_date(book: Book) -> None:
    """Two people of one name are two accounts; two that share the date too are not one match."""
    twin = Account("A2", "Zoe Muller")
    await book.add(twin, date(1990, 5, 2))
    assert await find(book, born="1990-05-02") == twin

    await book.add(Account("A3", "Zoe Muller"), BORN)
    assert await find(book) is None


async def test_unreadable_date_is_not_a_failed_try(book: Book) -> None:
    """However often a date cannot be read, nobody is locked; and the error does not repeat it."""
    for _ in range(6):
        with pytest.raises(UnreadableDate) as unreadable:
            await find(book, born="the day of the great storm")
        assert "storm" not in str(unreadable.value)

    assert await find(book) == ZOE


async def test_account_is_locked_after_failed_tries(book: Book) -> None:
    """After five failed tries under a name, from any caller, its account is not found for a day."""
    for n in range(5):
        assert await find(book, born="1990-05-02", caller=f"+1555100{n}", now=NOON + n * SECOND) is None

    assert await find(book, now=NOON + DAY - SECOND) is None
    assert await find(book, now=NOON + DAY) == ZOE


async def test_tries_on_a_locked_account_do_not_prolong_the_lock(book: Book) -> None:
    """A stranger who goes on trying cannot keep the owner out for good."""
    for n in range(10):
        await find(book, born="1990-05-02", caller=f"+1555100{n}", now=NOON + n * timedelta(hours=1))

    assert await find(book, now=NOON + 4 * timedelta(hours=1) + DAY) == ZOE


async def test_caller_is_locked_after_failed_tries(book: Book) -> None:
    """After five failed tries, under whatever names, a caller finds nobody for a day; another caller does."""
    for n in range(5):
        assert await find(book, name=f"Nobody {n}") is None

    assert await find(book) is None
    assert await find(book, caller="+15550002") == ZOE
    assert await find(book, now=NOON + DAY) == ZOE


async def test_four_failed_tries_lock_nobody(book: Book) -> None:
    """The fifth is the last."""
    for _ in range(4):
        await find(book, born="1990-05-02")

    assert await find(book) == ZOE


async def test_callers_without_a_number_are_not_locked_together(book: Book) -> None:
    """A withheld number is many people; the account's own lock still holds."""
    for n in range(9):
        await find(book, name=f"Nobody {n}", caller="")

    assert await find(book, caller="") == ZOE


async def test_success_is_no_failed_try(book: Book) -> None:
    """Somebody who calls often is not locked."""
    for _ in range(9):
        assert await find(book) == ZOE


# What is owed, and who holds it


async def test_bills_are_what_is_owed_oldest_first(book: Book) -> None:
    """Settled bills are not told, and an account that is not there owes nothing."""
    assert await book.bills("A1") == (Bill("B1", "visit", usd("100.00")), Bill("B3", "tests", usd("40.05")))
    assert await book.bills("A9") == ()


async def test_held_bill_is_not_held_twice(book: Book) -> None:
    """A second payment finds the bill taken; asking again for the same payment does no harm."""
    assert await book.hold("B1", "CA1:1", "A1", NOON) == ""
    assert await book.hold("B1", "CA1:1", "A1", NOON) == ""

    assert await book.hold("B1", "CA2:1", "A1", NOON) == "held"
    assert await book.hold("B3", "CA2:1", "A1", NOON) == ""


async def test_payment_holds_one_bill(book: Book) -> None:
    """A payment that holds one bill does not get another."""
    await book.hold("B1", "CA1:1", "A1", NOON)

    assert await book.hold("B3", "CA1:1", "A1", NOON) == "held"


async def test_two_calls_race_for_a_bill(book: Book, same_book: Book) -> None:
    """Of many calls that want the bill at once, on two connections, one holds it."""
    wanted = ((book, same_book)[n % 2].hold("B1", f"CA{n}:1", "A1", NOON) for n in range(20))

    assert sorted(await asyncio.gather(*wanted)) == ["", *["held"] * 19]


@pytest.mark.parametrize(
    ("bill", "account", "reason"), [("B9", "A1", "no_such_bill"), ("B1", "A9", "no_such_bill"), ("B2", "A1", "paid")]
)
async def test_reason_is_told(book: Book, bill: str, account: str, reason: str) -> None:
    """A bill that is not there, not this account's, or paid, is not held."""
    assert await book.hold(bill, "CA1:1", account, NOON) == reason


async def test_released_bill_is_free(book: Book) -> None:
    """The next payment holds it; the one that is over does not get it back."""
    await book.hold("B1", "CA1:1", "A1", NOON)
    await book.release("B1", "CA1:1", False, NOON)

    assert await book.hold("B1", "CA1:1", "A1", NOON) == "held"
    assert await book.hold("B1", "CA2:1", "A1", NOON) == ""


async def test_release_frees_only_its_own_hold(book: Book) -> None:
    """Neither another payment nor another bill's name frees the bill."""
    await book.hold("B1", "CA1:1", "A1", NOON)
    await book.release("B1", "CA2:1", False, NOON)
    await book.release("B3", "CA1:1", False, NOON)

    assert await book.hold("B1", "CA3:1", "A1", NOON) == "held"


async def test_hold_that_comes_after_its_release_is_refused(book: Book) -> None:
    """A worker that was slow to hold cannot leave a bill held for ever."""
    await book.release("B1", "CA1:1", False, NOON)

    assert await book.hold("B1", "CA1:1", "A1", NOON) == "held"
    assert await book.hold("B1", "CA2:1", "A1", NOON) == ""


async def test_too_many_declined_cards(book: Book) -> None:
    """After five declined cards on the account's bills, counted once each, none is held for a day."""
    for n in range(5):
        bill = ("B1", "B3")[n % 2]
        assert await book.hold(bill, f"CA{n}:1", "A1", NOON) == ""
        await book.release(bill, f"CA{n}:1", True, NOON)
        await book.release(bill, f"CA{n}:1", True, NOON + DAY)

    assert await book.hold("B1", "CA9:1", "A1", NOON + DAY - SECOND) == "too_many_declined"
    assert await book.hold("B1", "CA9:1", "A1", NOON + DAY) == ""


async def test_four_declined_cards_do_not_lock(book: Book) -> None:
    """The fifth is the last; a bill freed without a decline does not count."""
    for n in range(9):
        await book.hold("B1", f"CA{n}:1", "A1", NOON)
        await book.release("B1", f"CA{n}:1", n < 4, NOON)

    assert await book.hold("B1", "CA9:1", "A1", NOON) == ""


async def test_hold_survives_the_fifth_decline(book: Book) -> None:
    """A payment that holds its bill keeps it when another bill's card is the fifth declined."""
    await book.hold("B1", "CA1:1", "A1", NOON)
    for n in range(5):
        await book.release("B3", f"CA2:{n}", True, NOON)

    assert await book.hold("B1", "CA1:1", "A1", NOON) == ""


# Payments


async def test_credit_reduces_what_is_owed_and_frees_the_bill(book: Book) -> None:
    """To the cent."""
    await book.hold("B1", "CA1:1", "A1", NOON)
    await book.credit("B1", "CA1:1", usd("33.10"), "ch_1", NOON)

    assert await owed(book, "B1") == usd("66.90")
    assert await book.hold("B1", "CA2:1", "A1", NOON) == ""


async def test_credit_counts_once(book: Book, same_book: Book) -> None:
    """However often, from wherever and with whatever amount it is sent again."""
    credits = ((book, same_book)[n % 2].credit("B1", "CA1:1", usd("10.00"), "ch_1", NOON) for n in range(10))
    await asyncio.gather(*credits)
    await book.credit("B1", "CA1:1", usd("20.00"), "ch_2", NOON)

    assert await owed(book, "B1") == usd("90.00")


async def test_late_success_is_credited(book: Book) -> None:
    """A payment that was given up still counts when the money turns out to have been taken."""
    await book.hold("B1", "CA1:1", "A1", NOON)
    await book.release("B1", "CA1:1", False, NOON)
    await book.hold("B1", "CA2:1", "A1", NOON)
    await book.credit("B1", "CA1:1", usd("25.00"), "ch_1", NOON)

    assert await owed(book, "B1") == usd("75.00")
    assert await book.hold("B1", "CA3:1", "A1", NOON) == "held"


async def test_credit_is_not_undone_by_a_release(book: Book) -> None:
    """A release that comes late leaves the payment credited."""
    await book.credit("B1", "CA1:1", usd("25.00"), "ch_1", NOON)
    await book.release("B1", "CA1:1", True, NOON)
    await book.credit("B1", "CA1:1", usd("25.00"), "ch_1", NOON)

    assert await owed(book, "B1") == usd("75.00")


async def test_bill_never_owes_less_than_nothing(book: Book) -> None:
    """What is paid beyond the debt makes the bill paid, and no more."""
    await book.credit("B3", "CA1:1", usd("50.00"), "ch_1", NOON)

    assert await owed(book, "B3") is None
    assert await book.hold("B3", "CA2:1", "A1", NOON) == "paid"


@pytest.mark.parametrize(
    ("bill", "amount"),
    [
        ("B9", usd("1.00")),
        ("B1", Money(Decimal("1.00"), "EUR")),
        ("B1", usd("-1.00")),
        ("B1", usd("0.001")),
    ],
)
async def test_credit_that_makes_no_sense_fails(book: Book, bill: str, amount: Money) -> None:
    """An unknown bill, another currency, an amount that is none: nothing is written, and it is said."""
    with pytest.raises(AccountsFailed):
        await book.credit(bill, "CA1:1", amount, "ch_1", NOON)

    assert await owed(book, "B1") == usd("100.00")
    assert await book.hold("B1", "CA1:1", "A1", NOON) == ""


@given(st.decimals(0, 10**12, places=2))
def test_amounts_are_exact(amount: Decimal) -> None:
    """What goes in as money comes out as the same money."""
    assert str(money(hundredths(Money(amount, "USD")), "USD").amount) == str(amount)


async def test_failed_tries_at_once_are_all_counted(book: Book, same_book: Book) -> None:
    """Ten callers try a name at the same moment: five are looked up, and then the account is locked."""
    tries = [find(each, born="1991-01-01", caller=f"+1555{n}") for n in range(10) for each in (book, same_book)]
    await asyncio.gather(*tries)

    assert await find(book) is None
    assert await find(same_book, now=NOON + DAY) == ZOE


async def test_a_bill_being_paid_is_not_held(book: Book, same_book: Book) -> None:
    """Whoever reaches for a bill while its payment comes in gets it with the debt that is left, or not at all."""
    for n in range(10):
        await book.add(Account(f"X{n}", f"Ann Number{n}"), BORN, (Bill(f"X{n}", "x", usd("5.00")),))
        await book.hold(f"X{n}", f"CA{n}:1", f"X{n}", NOON)
        credit = book.credit(f"X{n}", f"CA{n}:1", usd("5.00"), "ch_1", NOON)
        _, held = await asyncio.gather(credit, same_book.hold(f"X{n}", f"CA{n}:2", f"X{n}", NOON))

        assert held in ("held", "paid")


async def test_an_empty_book_is_filled_once(open_book: OpenBook) -> None:
    """Several workers start at once: one fills the book, the others find it filled."""
    books = [await open_book() for _ in range(3)]
    entry = Entry(ZOE, BORN, (Bill("B1", "visit", usd("1.00")),))

    filled = await asyncio.gather(*(each.fill([entry]) for each in books))
    assert sorted(filled) == [False, False, True]
    assert await owed(books[0], "B1") == usd("1.00")


# The book itself


async def test_book_is_kept(book: Book, same_book: Book) -> None:
    """Another opening of the file sees accounts, holds and payments."""
    await book.credit("B1", "CA1:1", usd("1.00"), "ch_1", NOON)
    await book.hold("B1", "CA2:1", "A1", NOON)

    assert await find(same_book) == ZOE
    assert await owed(same_book, "B1") == usd("99.00")
    assert await same_book.hold("B1", "CA3:1", "A1", NOON) == "held"


async def test_old_tries_are_forgotten(book: Book) -> None:
    """Those before the given time, which are counted; trying it out erases none."""
    for minutes in (0, 10):
        at = NOON + timedelta(minutes=minutes)
        await book.find(ZOE.name, "1970-01-01", caller="hash", call_sid="CA1", now=at)
    before = NOON + timedelta(minutes=5)
    tried = [await book.forget_tries(before, try_out=True) for _ in range(2)]
    erased = [await book.forget_tries(before) for _ in range(2)]

    assert (tried, erased) == ([2, 2], [2, 0])


async def test_account_is_added_whole_or_not_at_all(book: Book) -> None:
    """A bill number that is taken fails, and leaves no account behind."""
    with pytest.raises(AccountsFailed):
        await book.add(Account("A2", "Ann Lee"), BORN, (Bill("B8", "x", usd("1.00")), Bill("B1", "x", usd("1.00"))))

    assert await find(book, "Ann Lee") is None
    assert await book.bills("A2") == ()


async def test_closed_book_fails(book: Book) -> None:
    """After `close` nothing is read or written; closing again does no harm."""
    await book.close()
    await book.close()

    with pytest.raises(AccountsFailed):
        await book.bills("A1")


async def test_time_without_zone_is_refused(book: Book) -> None:
    """A naive time has no meaning in the book."""
    with pytest.raises(ValueError, match="without a zone"):
        await book.hold("B1", "CA1:1", "A1", datetime(2026, 11, 2, 12))
