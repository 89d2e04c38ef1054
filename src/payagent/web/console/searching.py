"""Reads what somebody looks for: calls by SID, account, outcome, state and day, and days by their first and last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from payagent.flow.states import Outcome, State
from payagent.journal.protocol import CallSummary, Search

PAGE = 50
DAYS = 30
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search as it was asked for: `given` are its fields, `wrong` says by field what cannot be used."""

    search: Search
    given: dict[str, str]
    wrong: dict[str, str]

    @property
    def query(self) -> str:
        """The same search, as an address has it."""
        return urlencode(self.given)

    def after(self, last: CallSummary) -> str:
        """What follows behind that call, as an address has it."""
        return urlencode(self.given | {"before": last.started_at.isoformat(), "before_call": last.call_sid})


FIELDS = ("call", "account", "outcome", "state", "since", "until", "live")


def calls(asked: Mapping[str, str]) -> Wanted:
    """Which calls are looked for."""
    given = {name: asked[name].strip() for name in FIELDS if asked.get(name, "").strip()}
    wrong: dict[str, str] = {}
    since, until = _date(given, "since", wrong), _date(given, "until", wrong)
    search = Search(
        call_sid=given.get("call", ""),
        account=given.get("account", ""),
        outcome=_choice(Outcome, given.get("outcome", "")),
        state=_choice(State, given.get("state", "")),
        since=midnight(since) if since else None,
        until=midnight(until + timedelta(days=1)) if until else None,
        live="live" in given,
        limit=PAGE + 1,  # one more tells whether there is another page
        before=_moment(asked.get("before", "")),
        before_call=asked.get("before_call", ""),
    )
    return Wanted(search, given, wrong)


def days(asked: Mapping[str, str], today: date) -> tuple[date, date, dict[str, str]]:
    """From which day to which (both shown), and what is wrong with what was given; the last month by itself."""
    wrong: dict[str, str] = {}
    given = {name: asked.get(name, "").strip() for name in ("since", "until")}
    since, until = (_date(given, name, wrong) for name in given)
    until = until or today
    since = since or until - timedelta(days=DAYS - 1)
    if since > until:
        wrong["since"] = "The first day is after the last."
    if until - since >= timedelta(days=MOST_DAYS):
        wrong["since"] = f"Ask for {MOST_DAYS} days at most."
    return since, until, wrong


def midnight(day: date) -> datetime:
    """When the day begins, in UTC."""
    return datetime.combine(day, time(), UTC)


def next_page(search: Search, last: CallSummary) -> Search:
    """What follows behind that call."""
    return replace(search, before=last.started_at, before_call=last.call_sid)


T = TypeVar("T", bound=StrEnum)


def _choice(kind: type[T], value: str) -> T | None:
    """One that the form offers; anything else counts as none."""
    return kind(value) if value in kind.__members__.values() else None


def _date(given: Mapping[str, str], name: str, wrong: dict[str, str]) -> date | None:
    if not given.get(name):
        return None
    try:
        found = date.fromisoformat(given[name])
    except ValueError:
        found = date.min
    if not date(2000, 1, 1) <= found <= date(2200, 1, 1):
        wrong[name] = "Write the day as 2026-01-31."
        return None
    return found


def _moment(text: str) -> datetime | None:
    """Where the page before ended; one that is no time begins anew."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
