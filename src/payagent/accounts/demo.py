"""The demo book: made-up people for the lab, one for each thing a call can meet."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from payagent.accounts.protocol import Accounts, Entry
from payagent.flow.money import Account, Bill, Money


def _bill(bill_id: str, description: str, amount: str) -> Bill:
    return Bill(bill_id, description, Money(Decimal(amount), "USD"))


DEMO: tuple[Entry, ...] = (
    Entry(
        Account("A-1001", "John Doe", has_hsa=True),
        date(1990, 5, 1),
        (_bill("B-2001", "office visit", "600.00"),),
    ),
    Entry(
        Account("A-1002", "Jane Smith", has_hsa=True),
        date(1985, 5, 15),
        (_bill("B-2002", "laboratory tests", "600.00"),),
    ),
    Entry(
        Account("A-1003", "Alice Johnson"),
        date(1992, 7, 20),
        (_bill("B-2003", "physical therapy", "650.00"),),
    ),
    Entry(  # two bills
        Account("A-1004", "Maria Lopez"),
        date(1978, 11, 2),
        (_bill("B-2004", "eye examination", "120.50"), _bill("B-2005", "vaccination", "80.00")),
    ),
    Entry(  # nothing owed
        Account("A-1005", "Robert Brown"),
        date(1969, 3, 14),
    ),
    Entry(  # speaks Spanish
        Account("A-1006", "Carlos García Ruiz", language="es"),
        date(1981, 9, 23),
        (_bill("B-2006", "consulta médica", "250.00"),),
    ),
    Entry(  # a name that is heard and written in several ways
        Account("A-1007", "Zoë Müller"),
        date(1995, 12, 8),
        (_bill("B-2007", "dental cleaning", "95.25"),),
    ),
)


async def load_demo(accounts: Accounts) -> None:
    """Fill an empty book with the demo people; a book that has anybody in it is left as it is.

    Raises:
        AccountsFailed: the book is out of reach.
    """
    await accounts.fill(DEMO)
