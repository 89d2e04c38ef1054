"""What a book of accounts promises, whichever database keeps it.

* A caller is found by full name and date of birth, or not at all; why not is never told apart.
* A bill is held by at most one payment at a time, across calls; a payment is credited at most once.
* Money is exact; all times are aware.
* When the book is out of reach, every method raises `AccountsFailed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from payagent.flow.money import Account, Bill, Money

DAY = timedelta(hours=24)
"""What failed tries and declined cards are counted over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One account as it is put into the book; `bills` oldest first."""

    account: Account
    birth_date: date
    bills: tuple[Bill, ...] = ()


class UnreadableDate(ValueError):
    """The date of birth cannot be read as a date: the caller is asked again, and no try is counted."""


class Accounts(Protocol):
    """The book: accounts, their bills, and the payments made on them."""

    async def open(self) -> None:
        """Open the database; a SQLite file is made when there is none, and brought up when it is old.

        Raises:
            AccountsFailed: it is out of reach, no book, or its schema is not the one this payagent knows.
        """
        ...

    async def find(
        self, full_name: str, date_of_birth: str, *, caller: str, call_sid: str, now: datetime
    ) -> Account | None:
        """The one account of that name and birth date; None when it is not exactly one, or it or the caller is locked.

        A caller or an account is locked while it has `failures_per_day` failed tries in the last 24 hours. A failed
        try counts against the caller and every account of that name. `caller` is the caller's number or whatever
        stands for it; "" (a withheld number) is never locked.

        Raises:
            UnreadableDate: the date cannot be read; nothing was counted.
        """
        ...

    async def bills(self, account_id: str) -> tuple[Bill, ...]:
        """The bills on which something is owed, oldest first."""
        ...

    async def hold(self, bill: str, payment: str, account: str, now: datetime) -> str:
        """Hold the bill for this payment: "" when it is held, also when this payment held it before.

        Otherwise the reason: `no_such_bill` of this account, `paid`, `held` (by another payment, or this one is
        over), `too_many_declined` (cards of the account in the last 24 hours).
        """
        ...

    async def credit(self, bill: str, payment: str, amount: Money, confirmation: str, now: datetime) -> None:
        """Take `amount` off the bill, once per payment, held or not, and free the bill.

        What is paid beyond the debt is kept with the payment; a bill never owes less than nothing.
        """
        ...

    async def release(self, bill: str, payment: str, declined: bool, now: datetime) -> None:
        """Free the bill if this payment holds it; the payment is over. `declined` counts one declined card."""
        ...

    async def forget_tries(self, older_than: datetime, *, try_out: bool = False) -> int:
        """Erase the failed identity tries before `older_than`; how many. `try_out` only counts.

        The limits count in 24 hours: whoever asks for less unlocks somebody.
        """
        ...

    async def fill(self, entries: Sequence[Entry]) -> bool:
        """Put all of these into the book if it is empty; whether it was."""
        ...

    async def close(self) -> None:
        """Let the database go."""
        ...
