"""The demo book: the people the lab's callers are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from payagent.accounts.demo import load_demo
from payagent.accounts.protocol import Accounts

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "born", "owed", "has_hsa", "language"),
    [
        ("John Doe", "1990-05-01", ["600.00 USD"], True, "en"),
        ("Jane Smith", "1985-05-15", ["600.00 USD"], True, "en"),
        ("Alice Johnson", "1992-07-20", ["650.00 USD"], False, "en"),
        ("Maria Lopez", "1978-11-02", ["120.50 USD", "80.00 USD"], False, "en"),
        ("Robert Brown", "1969-03-14", [], False, "en"),
        ("Carlos Garcia Ruiz", "1981-09-23", ["250.00 USD"], False, "es"),
        ("Zoe Muller", "1995-12-08", ["95.25 USD"], False, "en"),
    ],
)
async def test_demo_people_are_found(
    accounts: Accounts, name: str, born: str, owed: list[str], has_hsa: bool, language: str
) -> None:
    """Each is found by name and birth date, and owes what the scenarios rely on."""
    await load_demo(accounts)

    account = await accounts.find(name, born, caller="", call_sid="CA1", now=NOON)
    assert account is not None
    assert (account.has_hsa, account.language) == (has_hsa, language)
    assert [str(bill.owed) for bill in await accounts.bills(account.id)] == owed


async def test_book_in_use_is_left_alone(accounts: Accounts) -> None:
    """Loading again brings back no bill that was paid, and adds nobody."""
    await load_demo(accounts)
    (bill,) = await accounts.bills("A-1001")
    await accounts.credit(bill.id, "CA1:1", bill.owed, "ch_1", NOON)
    await load_demo(accounts)

    assert await accounts.bills("A-1001") == ()
