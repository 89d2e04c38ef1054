"""After a storm: waits until nothing is open any more, then reads the three books and everything else that was left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from payagent import stores, wiring
from payagent.accounts.protocol import Accounts, Entry
from payagent.flow.call import Call
from payagent.flow.table import build
from payagent.journal.protocol import Journal
from payagent.lab.people import DECLINED_CARDS, GOOD_CARDS, MISTYPED_CARD
from payagent.lab.twilio import StandInTwilio
from payagent.storm.books import BillLine, Charged, Difference, Recorded, differences, recorded

LOOK_SECONDS = 0.3
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What the books say: payments by outcome, and every difference."""

    outcomes: Counter[str]
    differences: tuple[Difference, ...]


async def settled(database: str, longest: float) -> list[Difference]:
    """Wait, at most `longest` seconds, until every call has ended and every order is done; what then still has not."""
    deadline = asyncio.get_running_loop().time() + longest
    async with _journal(database) as journal:
        while True:
            live = await journal.live_calls()
            orders = await journal.open_orders(datetime.now(UTC) + A_DAY)
            if not live and not orders:
                return []
            if asyncio.get_running_loop().time() > deadline:
                found = [Difference("the call has not come to an end", call_sid) for call_sid in live]
                kinds = [(type(order.order).__name__, order.call_sid) for order in orders]
                return found + [Difference(f"a {kind} was ordered and never done", sid) for kind, sid in kinds]
            await asyncio.sleep(LOOK_SECONDS)


async def reckon(twilio: StandInTwilio, database: str, log: Path, entries: Sequence[Entry]) -> Reckoning:
    """Read the books and hold them against each other; also the record's chain, and card numbers where none may be."""
    payments = await _payments(twilio, database)
    bills = await _bills(database, entries)
    calls = {session.sid: session.call_sid for session in twilio.sessions}
    charges = [Charged(charge.session, calls[charge.session], charge.amount) for charge in twilio.charges]
    found = differences(charges, payments, bills)
    async with _journal(database) as journal:
        found += [Difference(problem) for problem in await journal.verify_all()]
    found += _leaks([log, *_files(database)])
    return Reckoning(Counter(str(payment.outcome) for payment in payments), tuple(found))


async def _payments(twilio: StandInTwilio, database: str) -> list[Recorded]:
    flow = build()
    async with _journal(database) as journal:
        calls = [Call(flow, call.sid).replay(await journal.steps(call.sid)) for call in twilio.calls]
    return [payment for call in calls for payment in recorded(call)]


async def _bills(database: str, entries: Sequence[Entry]) -> list[BillLine]:
    book = stores.accounts_of(database)
    await book.open()
    try:
        return [line for entry in entries for line in await _of_account(book, entry)]
    finally:
        await book.close()


async def _of_account(book: Accounts, entry: Entry) -> list[BillLine]:
    account, now = entry.account.id, datetime.now(UTC)
    owed = {bill.id: bill.owed.amount for bill in await book.bills(account)}
    lines = []
    for bill in entry.bills:
        held = await book.hold(bill.id, f"reckoning {bill.id}", account, now) == "held"
        lines.append(BillLine(bill.id, bill.owed.amount, owed.get(bill.id, Decimal(0)), held))
    return lines


def _files(database: str) -> list[Path]:
    """The files that a SQLite record is kept in; none of PostgreSQL's."""
    if not database.startswith("sqlite:"):
        return []
    file = Path(database.removeprefix("sqlite:///"))
    return list(file.parent.glob(f"{file.name}*"))


def _leaks(places: Sequence[Path]) -> Iterator[Difference]:
    numbers = [number.encode() for number in (*GOOD_CARDS, *DECLINED_CARDS, MISTYPED_CARD)]
    for place in places:
        text = place.read_bytes() if place.is_file() else b""
        if any(number in text for number in numbers):
            yield Difference(f"a card number stands in {place}")


@asynccontextmanager
async def _journal(database: str) -> AsyncIterator[Journal]:
    journal = stores.journal_of(database, wiring.LAB_KEY.encode())
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()
