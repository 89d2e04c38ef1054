"""Makes pages of templates. Everything that is put into one is escaped, but for drawings of our own (`Markup`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from payagent.flow.money import Money
from payagent.flow.states import MEANING, Outcome, State
from payagent.journal.protocol import CallSummary
from payagent.review.stays import duration
from payagent.web.console.visits import Visit

OUTCOME_LOOK = {Outcome.PAID: "good", Outcome.DECLINED: "warn", Outcome.UNKNOWN: "bad"}
NEED_LOOKS = {"unknown": ("bad", "outcome unknown"), "overdue": ("warn", "overdue"), "hand-off": ("lit", "hand-off")}
LANGUAGES = {"en": "English", "es": "Spanish"}


class Pages:
    """`token` makes what the forms of a visit carry."""

    def __init__(self, token: Callable[[Visit], str]) -> None:
        self._token = token
        self._templates = Environment(
            loader=PackageLoader("payagent.web.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            spaced=spaced, money=money, clock=clock, moment=moment, spent=duration, stopwatch=stopwatch
        )
        self._templates.globals.update(
            meaning=MEANING, outcome_look=OUTCOME_LOOK, need_looks=NEED_LOOKS, languages=LANGUAGES, share=share
        )

    async def page(self, template: str, visit: Visit | None, *, status: int = 200, **values: object) -> HTMLResponse:
        """A page, or the part of one that a page fetches."""
        who, token = (visit.name, self._token(visit)) if visit else ("", "")
        return HTMLResponse(await self.part(template, who=who, token=token, **values), status)

    async def part(self, template: str, **values: object) -> str:
        """A template filled in. Made in a thread of its own: callers wait for the loop."""
        return await asyncio.to_thread(self._templates.get_template(template).render, values)


def spaced(name: str | State | Outcome) -> str:
    """`card_number_due` → `card number due`."""
    return str(name).replace("_", " ")


def money(amount: Money | None) -> str:
    """`1,250.00 USD`, or nothing."""
    return f"{Decimal(amount.amount):,.2f} {amount.currency}" if amount else ""


def clock(at: datetime) -> str:
    """`14:03:27`."""
    return f"{at:%H:%M:%S}"


def moment(at: datetime) -> str:
    """`2026-01-31 14:03:27`."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def share(call: CallSummary, now: datetime) -> str:
    """How much of its wait is over, from 0 to 1."""
    if call.next_due is None or call.next_due <= call.entered_at:
        return "1"
    return f"{min(1.0, max(0.0, (now - call.entered_at) / (call.next_due - call.entered_at))):.2f}"


def stopwatch(spent: timedelta) -> str:
    """`0:07`, `12:30`, `3:05:00`; what is past counts as nothing. The page's own script writes it the same way."""
    minutes, seconds = divmod(max(0, int(spent.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
