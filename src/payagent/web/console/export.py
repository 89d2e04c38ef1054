"""Calls and days as CSV, for spreadsheets.

A cell that a spreadsheet would run as a formula is written as text, with an apostrophe before it (OWASP, CSV
Injection): account ids and reasons come from elsewhere.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from io import StringIO

from payagent.journal.protocol import CallSummary, DayTotals, Journal, Search
from payagent.review.trace import masked
from payagent.web.console.searching import next_page

CALLS = (
    "call",
    "state",
    "outcome",
    "started_at",
    "updated_at",
    "ended",
    "language",
    "account",
    "amount",
    "currency",
    "card_type",
    "last_four",
    "failed_tries",
    "reconnects",
    "steps",
    "reason",
)
DAYS = ("day", "calls", "paid", "amount", "currency", "declined", "cancelled", "unknown")

FORMULA = tuple("=+-@|%＝＋－＠")  # noqa: RUF001 - the full-width forms run too
BREAKS = ("\t", "\r", "\n")
AT_ONCE = 500


async def calls(journal: Journal, search: Search) -> AsyncIterator[str]:
    """All calls looked for, some at a time, the one that began last first."""
    yield written([CALLS])
    search = replace(search, limit=AT_ONCE)
    while found := await journal.search(search):
        yield written(_call(call) for call in found)
        search = next_page(search, found[-1])


def days(totals: Iterable[DayTotals]) -> str:
    """A row for each day and currency; the counts stand in the day's first row only, so that columns add up."""
    return written([DAYS, *(row for day in totals for row in _day(day))])


def written(rows: Iterable[Iterable[object]]) -> str:
    """The rows as CSV (RFC 4180)."""
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    runs = text.lstrip().startswith(FORMULA) or text.startswith(BREAKS)
    return f"'{text}" if runs else text


def _call(call: CallSummary) -> list[object]:
    return [
        call.call_sid,
        call.state,
        call.outcome,
        call.started_at.isoformat(),
        call.updated_at.isoformat(),
        "yes" if call.ended else "no",
        call.language,
        call.account,
        f"{call.amount.amount:.2f}" if call.amount else "",
        call.amount.currency if call.amount else "",
        call.card_type,
        call.last_four,
        call.tries,
        call.reconnects,
        call.steps,
        masked(call.reason),
    ]


def _day(day: DayTotals) -> list[list[object]]:
    first = [day.day, day.calls, day.paid]
    money = [[f"{each.amount:.2f}", each.currency] for each in day.amounts] or [["", ""]]
    counts = [day.declined, day.cancelled, day.unknown]
    return [[*first, *money[0], *counts], *([day.day, "", "", *each, "", "", ""] for each in money[1:])]
