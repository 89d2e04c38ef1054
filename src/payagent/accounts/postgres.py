"""The book of accounts on PostgreSQL, which may be the journal's database.

* What each table means and what is promised is as in `sql`; here many workers write at once.
* A bill's row is locked by whoever holds or credits it, so that a hold never looks at a debt that is being paid.
* Identity tries are counted one after the other: those of one caller, and those on one name.
* What breaks is done again (every write here can be), but for an identity try, which would count twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TypeVar

from payagent.accounts.amounts import hundredths, money
from payagent.accounts.identity import normal_name, parse_birth_date
from payagent.accounts.protocol import DAY, Entry, UnreadableDate
from payagent.database.migrations import Schema
from payagent.database.postgres import FAILURES, Connection, Postgres, Work
from payagent.errors import AccountsFailed
from payagent.flow.money import Account, Bill, Money

T = TypeVar("T")

SCHEMA = Schema.of("accounts", "postgres")

HOLD = """
    INSERT INTO payments (payment, bill_id, state, changed_at)
    SELECT $1, id, 'held', $4 FROM bills
    WHERE id = $2 AND account_id = $3 AND owed > 0 AND $5 > (
        SELECT count(*) FROM payments JOIN bills ON bills.id = payments.bill_id
        WHERE account_id = $3 AND state = 'declined' AND changed_at > $6
    )
    ON CONFLICT DO NOTHING RETURNING payment
"""
CREDIT = """
    INSERT INTO payments VALUES ($1, $2, 'credited', $3, $4, $5, $6)
    ON CONFLICT (payment) DO UPDATE SET bill_id = excluded.bill_id, state = excluded.state,
        changed_at = excluded.changed_at, amount = excluded.amount, surplus = excluded.surplus,
        confirmation = excluded.confirmation
    WHERE payments.state <> 'credited' RETURNING payment
"""
RELEASE = """
    INSERT INTO payments (payment, bill_id, state, changed_at) SELECT $1, id, $2, $3 FROM bills WHERE id = $4
    ON CONFLICT (payment) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
    WHERE payments.state = 'held' AND payments.bill_id = excluded.bill_id
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


class PostgresAccounts:
    """`Accounts` in the database at `url`; the two limits count in any 24 hours."""

    def __init__(self, url: str, failures_per_day: int = 5, declined_per_day: int = 5) -> None:
        self._postgres = Postgres(url)
        self._failures_per_day = failures_per_day
        self._declined_per_day = declined_per_day

    async def open(self) -> None:
        """Connect.

        Raises:
            AccountsFailed: it is out of reach, or its schema is not the one this payagent knows.
        """
        with _failures():
            await self._postgres.open(SCHEMA)

    async def close(self) -> None:
        await self._postgres.close()

    async def add(self, account: Account, birth_date: date, bills: Sequence[Bill] = ()) -> None:
        """Put a new account and its bills, oldest first, into the book."""
        await self._write(lambda db: _add(db, Entry(account, birth_date, tuple(bills))))

    async def fill(self, entries: Sequence[Entry]) -> bool:
        async def work(db: Connection) -> bool:
            if await db.fetchval("SELECT true FROM accounts LIMIT 1"):  # the usual case needs no right to write
                return False
            await db.execute(LOCK, "filling the book")
            if await db.fetchval("SELECT true FROM accounts LIMIT 1"):
                return False
            for entry in entries:
                await _add(db, entry)
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
        name, at = normal_name(full_name), _aware(now)
        return await self._write(lambda db: self._find(db, name, birth_date, caller, call_sid, at), again=False)

    async def bills(self, account_id: str) -> tuple[Bill, ...]:
        query = "SELECT id, description, owed, currency FROM bills WHERE account_id = $1 AND owed > 0 ORDER BY number"
        with _failures():
            rows = await self._postgres.do(lambda db: db.fetch(query, account_id))
        return tuple(Bill(bill, text, money(owed, currency)) for bill, text, owed, currency in rows)

    async def hold(self, bill: str, payment: str, account: str, now: datetime) -> str:
        return await self._write(lambda db: self._hold(db, bill, payment, account, _aware(now)))

    async def credit(self, bill: str, payment: str, amount: Money, confirmation: str, now: datetime) -> None:
        await self._write(lambda db: _credit(db, bill, payment, amount, confirmation, _aware(now)))

    async def release(self, bill: str, payment: str, declined: bool, now: datetime) -> None:
        state = "declined" if declined else "released"
        # A payment that is released before its hold was written leaves its row too, so that the late hold is refused.
        await self._write(lambda db: db.execute(RELEASE, payment, state, _aware(now), bill))

    async def forget_tries(self, older_than: datetime, *, try_out: bool = False) -> int:
        before = _aware(older_than)
        if try_out:
            query = "SELECT count(*) FROM failed_tries WHERE failed_at < $1"
            return int(await self._write(lambda db: db.fetchval(query, before)))
        delete = "DELETE FROM failed_tries WHERE failed_at < $1"
        return int((await self._write(lambda db: db.execute(delete, before))).removeprefix("DELETE "))

    async def _write(self, work: Work[T], *, again: bool = True) -> T:
        async def whole(db: Connection) -> T:
            async with db.transaction():
                return await work(db)

        with _failures():
            return await self._postgres.do(whole, again=again)

    # --- inside a transaction

    async def _find(
        self, db: Connection, name: str, birth_date: date, caller: str, call_sid: str, now: datetime
    ) -> Account | None:
        # The caller's lock always before the name's, so that no two tries wait for each other.
        for lock in (f"caller {caller}", f"name {name}"):
            await db.execute(LOCK, lock)
        await db.execute("DELETE FROM failed_tries WHERE failed_at <= $1", now - DAY)
        if caller and await self._locked(db, f"caller {caller}"):
            return None
        query = "SELECT id, name, language, has_hsa, birth_date FROM accounts WHERE matched_name = $1"
        # What a lock turns away is not counted against the account: a stranger could keep its owner out for good.
        named = [row for row in await db.fetch(query, name) if not await self._locked(db, f"account {row['id']}")]
        matching = [row for row in named if row["birth_date"] == birth_date]
        if len(matching) == 1:
            account_id, full_name, language, has_hsa, _ = matching[0]
            return Account(account_id, full_name, language, has_hsa)
        subjects = [f"caller {caller}", *(f"account {row['id']}" for row in named)]
        await db.executemany("INSERT INTO failed_tries VALUES ($1, $2, $3)", [(s, call_sid, now) for s in subjects])
        return None

    async def _locked(self, db: Connection, subject: str) -> bool:
        tries = await db.fetchval("SELECT count(*) FROM failed_tries WHERE subject = $1", subject)
        return bool(tries >= self._failures_per_day)

    async def _hold(self, db: Connection, bill: str, payment: str, account: str, now: datetime) -> str:
        known = await db.fetchval("SELECT owed FROM bills WHERE id = $1 AND account_id = $2 FOR UPDATE", bill, account)
        if known is None:
            return "no_such_bill"
        # One write decides: the unique index on held payments lets one in.
        if await db.fetchval(HOLD, payment, bill, account, now, self._declined_per_day, now - DAY):
            return ""
        own = await db.fetchrow("SELECT state, bill_id FROM payments WHERE payment = $1", payment)
        if own and tuple(own) == ("held", bill):
            return ""
        if known == 0:
            return "paid"
        other = await db.fetchval("SELECT true FROM payments WHERE bill_id = $1 AND state = 'held'", bill)
        return "held" if own or other else "too_many_declined"


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise AccountsFailed(f"the book of accounts failed: {error or type(error).__name__}") from error


async def _add(db: Connection, entry: Entry) -> None:
    account = entry.account
    await db.execute(
        "INSERT INTO accounts VALUES ($1, $2, $3, $4, $5, $6)",
        account.id,
        account.name,
        normal_name(account.name),
        entry.birth_date,
        account.language,
        account.has_hsa,
    )
    rows = [(b.id, account.id, b.description, hundredths(b.owed), b.owed.currency) for b in entry.bills]
    await db.executemany(
        "INSERT INTO bills (id, account_id, description, owed, currency) VALUES ($1, $2, $3, $4, $5)", rows
    )


async def _credit(db: Connection, bill: str, payment: str, amount: Money, confirmation: str, now: datetime) -> None:
    known = await db.fetchrow("SELECT owed, currency FROM bills WHERE id = $1 FOR UPDATE", bill)
    if known is None or known["currency"] != amount.currency:
        raise AccountsFailed(f"there is no bill {bill} in {amount.currency} to credit")
    paid = hundredths(amount)
    taken_off = min(paid, known["owed"])
    if await db.fetchval(CREDIT, payment, bill, now, paid, paid - taken_off, confirmation):
        await db.execute("UPDATE bills SET owed = owed - $1 WHERE id = $2", taken_off, bill)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at
