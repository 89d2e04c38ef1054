"""The book of accounts in one SQLite file, which may be the journal's.

* Amounts are integers in hundredths (`Money` has two decimals), so that SQL can compare and subtract them exactly.
* There is one connection, on a thread of its own; every method that writes is one transaction.
* A payment is one row from its hold to its end; a unique index lets one payment at a time hold a bill.
* What arrives late does no harm: a payment that is over is not held again, and one never held can be credited.
* Birth dates are kept in clear: there are so few that a hash of one hides nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from payagent.accounts.amounts import hundredths, money
from payagent.accounts.identity import normal_name, parse_birth_date
from payagent.accounts.protocol import DAY, Entry, UnreadableDate
from payagent.database.migrations import Schema, SchemaTooNew, bring_up
from payagent.errors import AccountsFailed
from payagent.flow.money import Account, Bill, Money

T = TypeVar("T")
Database = sqlite3.Connection


class SqlAccounts:
    """`Accounts` in the file `path`; the two limits count in any 24 hours."""

    def __init__(
        self, path: Path, failures_per_day: int = 5, declined_per_day: int = 5, busy_seconds: float = 5
    ) -> None:
        self._path = path
        self._failures_per_day = failures_per_day
        self._declined_per_day = declined_per_day
        self._busy_seconds = busy_seconds
        self._db: Database | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="accounts")

    async def open(self) -> None:
        """Open the file, making it if there is none.

        Raises:
            AccountsFailed: it cannot be opened, or is no book of accounts.
        """
        with _failures():
            self._db = await asyncio.wrap_future(self._thread.submit(self._open))

    async def close(self) -> None:
        db, self._db = self._db, None
        if db:
            await asyncio.wrap_future(self._thread.submit(db.close))
        self._thread.shutdown()

    async def add(self, account: Account, birth_date: date, bills: Sequence[Bill] = ()) -> None:
        """Put a new account and its bills, oldest first, into the book."""
        await self._write(lambda db: _add(db, Entry(account, birth_date, tuple(bills))))

    async def fill(self, entries: Sequence[Entry]) -> bool:
        """Put all of these into the book if it is empty; whether it was."""

        def work(db: Database) -> bool:
            if db.execute("SELECT 1 FROM accounts LIMIT 1").fetchone():
                return False
            for entry in entries:
                _add(db, entry)
            return True

        return await self._write(work)

    async def find(
        self, full_name: str, date_of_birth: str, *, caller: str, call_sid: str, now: datetime
    ) -> Account | None:
        try:
            birth_date = parse_birth_date(date_of_birth)
        except ValueError:
            # Without a cause: the text it would show is personal.
            raise UnreadableDate("the date of birth cannot be read as a date") from None
        return await self._write(lambda db: self._find(db, normal_name(full_name), birth_date, caller, call_sid, now))

    async def bills(self, account_id: str) -> tuple[Bill, ...]:
        query = "SELECT id, description, owed, currency FROM bills WHERE account_id = ? AND owed > 0 ORDER BY number"

        def work(db: Database) -> tuple[Bill, ...]:
            rows = db.execute(query, (account_id,))
            return tuple(Bill(bill, text, money(owed, currency)) for bill, text, owed, currency in rows)

        return await self._read(work)

    async def hold(self, bill: str, payment: str, account: str, now: datetime) -> str:
        return await self._write(lambda db: self._hold(db, bill, payment, account, now))

    async def credit(self, bill: str, payment: str, amount: Money, confirmation: str, now: datetime) -> None:
        await self._write(lambda db: _credit(db, bill, payment, amount, confirmation, now))

    async def release(self, bill: str, payment: str, declined: bool, now: datetime) -> None:
        await self._write(lambda db: _release(db, bill, payment, declined, now))

    async def forget_tries(self, older_than: datetime, *, try_out: bool = False) -> int:
        before = (_time_text(older_than),)
        if try_out:
            query = "SELECT count(*) FROM failed_tries WHERE failed_at < ?"
            return await self._read(lambda db: int(db.execute(query, before).fetchone()[0]))
        return await self._write(lambda db: db.execute("DELETE FROM failed_tries WHERE failed_at < ?", before).rowcount)

    # --- the connection

    def _open(self) -> Database:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            db.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            bring_up(db, Schema.of("accounts", "sqlite"))
        except (sqlite3.Error, SchemaTooNew):
            db.close()
            raise
        return db

    async def _write(self, work: Callable[[Database], T]) -> T:
        return await self._read(lambda db: _in_transaction(db, work))

    async def _read(self, work: Callable[[Database], T]) -> T:
        if (db := self._db) is None:
            raise AccountsFailed("the book of accounts is closed")
        with _failures():
            return await asyncio.wrap_future(self._thread.submit(work, db))

    # --- inside a transaction

    def _find(
        self, db: Database, name: str, birth_date: date, caller: str, call_sid: str, now: datetime
    ) -> Account | None:
        db.execute("DELETE FROM failed_tries WHERE failed_at <= ?", (_time_text(now - DAY),))
        if caller and self._locked(db, f"caller {caller}"):
            return None
        query = "SELECT id, name, language, has_hsa, birth_date FROM accounts WHERE matched_name = ?"
        # What a lock turns away is not counted against the account: a stranger could keep its owner out for good.
        named = [row for row in db.execute(query, (name,)).fetchall() if not self._locked(db, f"account {row[0]}")]
        matching = [row for row in named if row[4] == birth_date.isoformat()]
        if len(matching) == 1:
            account_id, full_name, language, has_hsa, _ = matching[0]
            return Account(account_id, full_name, language, bool(has_hsa))
        subjects = [f"caller {caller}", *(f"account {row[0]}" for row in named)]
        rows = [(subject, call_sid, _time_text(now)) for subject in subjects]
        db.executemany("INSERT INTO failed_tries VALUES (?, ?, ?)", rows)
        return None

    def _locked(self, db: Database, subject: str) -> bool:
        (tries,) = db.execute("SELECT count(*) FROM failed_tries WHERE subject = ?", (subject,)).fetchone()
        return bool(tries >= self._failures_per_day)

    def _hold(self, db: Database, bill: str, payment: str, account: str, now: datetime) -> str:
        # One write decides: the unique index on held payments lets one in.
        held = db.execute(
            """
            INSERT INTO payments (payment, bill_id, state, changed_at)
            SELECT :payment, id, 'held', :now FROM bills
            WHERE id = :bill AND account_id = :account AND owed > 0 AND :limit > (
                SELECT count(*) FROM payments JOIN bills ON bills.id = payments.bill_id
                WHERE account_id = :account AND state = 'declined' AND changed_at > :since
            )
            ON CONFLICT DO NOTHING
            """,
            {
                "payment": payment,
                "bill": bill,
                "account": account,
                "limit": self._declined_per_day,
                "since": _time_text(now - DAY),
                "now": _time_text(now),
            },
        )
        return "" if held.rowcount else _not_held(db, bill, payment, account)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, SchemaTooNew) as error:
        raise AccountsFailed(f"the book of accounts failed: {error}") from error


def _in_transaction(db: Database, work: Callable[[Database], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has already rolled back after some errors, such as a full disk
            db.execute("ROLLBACK")
        raise
    return result


def _add(db: Database, entry: Entry) -> None:
    account = entry.account
    db.execute(
        "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)",
        (
            account.id,
            account.name,
            normal_name(account.name),
            entry.birth_date.isoformat(),
            account.language,
            account.has_hsa,
        ),
    )
    rows = [(b.id, account.id, b.description, hundredths(b.owed), b.owed.currency) for b in entry.bills]
    db.executemany("INSERT INTO bills (id, account_id, description, owed, currency) VALUES (?, ?, ?, ?, ?)", rows)


def _not_held(db: Database, bill: str, payment: str, account: str) -> str:
    """Why the bill could not be held anew: "" when this payment holds it already."""
    known = db.execute("SELECT owed FROM bills WHERE id = ? AND account_id = ?", (bill, account)).fetchone()
    own = db.execute("SELECT state, bill_id FROM payments WHERE payment = ?", (payment,)).fetchone()
    if known is None:
        return "no_such_bill"
    if own == ("held", bill):
        return ""
    if known == (0,):
        return "paid"
    other = db.execute("SELECT 1 FROM payments WHERE bill_id = ? AND state = 'held'", (bill,)).fetchone()
    return "held" if own or other else "too_many_declined"


def _credit(db: Database, bill: str, payment: str, amount: Money, confirmation: str, now: datetime) -> None:
    known = db.execute("SELECT owed, currency FROM bills WHERE id = ?", (bill,)).fetchone()
    if known is None or known[1] != amount.currency:
        raise AccountsFailed(f"there is no bill {bill} in {amount.currency} to credit")
    paid = hundredths(amount)
    taken_off = min(paid, known[0])
    credited = db.execute(
        """
        INSERT INTO payments VALUES (?, ?, 'credited', ?, ?, ?, ?)
        ON CONFLICT (payment) DO UPDATE SET bill_id = excluded.bill_id, state = excluded.state,
            changed_at = excluded.changed_at, amount = excluded.amount, surplus = excluded.surplus,
            confirmation = excluded.confirmation
        WHERE state <> 'credited'
        """,
        (payment, bill, _time_text(now), paid, paid - taken_off, confirmation),
    )
    if credited.rowcount:
        db.execute("UPDATE bills SET owed = owed - ? WHERE id = ?", (taken_off, bill))


def _release(db: Database, bill: str, payment: str, declined: bool, now: datetime) -> None:
    # A payment that is released before its hold was written leaves its row too, so that the late hold is refused.
    db.execute(
        """
        INSERT INTO payments (payment, bill_id, state, changed_at) SELECT ?, id, ?, ? FROM bills WHERE id = ?
        ON CONFLICT (payment) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
        WHERE payments.state = 'held' AND payments.bill_id = excluded.bill_id
        """,
        (payment, "declined" if declined else "released", _time_text(now), bill),
    )


def _time_text(at: datetime) -> str:
    """The time in UTC, always of the same length, so that texts sort as times do."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")
