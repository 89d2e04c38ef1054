"""The board, the search, the days' totals, and both as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from decimal import Decimal

from starlette.responses import HTMLResponse, Response, StreamingResponse

from payagent.flow.money import Money
from payagent.flow.states import Outcome, State
from payagent.journal.protocol import DayTotals, Journal
from payagent.web.console import export, searching
from payagent.web.console.board import Board
from payagent.web.console.guard import Asked, Refused
from payagent.web.console.pages import Pages
from payagent.web.desk import FrontDesk


class ManyCalls:
    """The pages that show more than one call."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._board = Board()
        self._drawn = ("", "")

    async def board(self, asked: Asked) -> Response:
        """`GET /console`; with `?known=VERSION` the part that changes, or 204 if it has not."""
        look = await self._board.look(_journal(asked), asked.now)
        known = asked.request.query_params.get("known")
        if known is None:
            return await self._pages.page("board.html", asked.visit, here="Board", look=look, now=asked.now)
        if known == look.version:
            return Response(status_code=204)
        if self._drawn[0] != look.version:  # the same for all who watch
            self._drawn = (look.version, await self._pages.part("board_part.html", look=look, now=asked.now))
        return HTMLResponse(self._drawn[1])

    async def search(self, asked: Asked) -> Response:
        """`GET /console/calls`: the calls looked for, a page at a time."""
        wanted = searching.calls(asked.request.query_params)
        found = [] if wanted.wrong else await _journal(asked).search(wanted.search)
        return await self._pages.page(
            "calls.html",
            asked.visit,
            status=400 if wanted.wrong else 200,
            here="Calls",
            wanted=wanted,
            found=found[: searching.PAGE],
            more=wanted.after(found[searching.PAGE - 1]) if len(found) > searching.PAGE else "",
            states=list(State),
            outcomes=list(Outcome),
            now=asked.now,
        )

    async def calls_csv(self, asked: Asked) -> Response:
        """`GET /console/calls.csv`: all calls looked for."""
        wanted = searching.calls(asked.request.query_params)
        _refuse(wanted.wrong)
        return _csv("calls", export.calls(_journal(asked), wanted.search))

    async def totals(self, asked: Asked) -> Response:
        """`GET /console/totals`: what became of each day's calls, and of all of them together."""
        since, until, wrong = searching.days(asked.request.query_params, asked.now.date())
        days = [] if wrong else await _days(asked, since, until)
        return await self._pages.page(
            "totals.html",
            asked.visit,
            status=400 if wrong else 200,
            here="Totals",
            since=since,
            until=until,
            wrong=wrong,
            days=days,
            together=_together(since, days),
        )

    async def totals_csv(self, asked: Asked) -> Response:
        """`GET /console/totals.csv`: the same."""
        since, until, wrong = searching.days(asked.request.query_params, asked.now.date())
        _refuse(wrong)
        return _csv("totals", iter([export.days(await _days(asked, since, until))]))


def _journal(asked: Asked) -> Journal:
    desk: FrontDesk = asked.request.app.state.desk
    return desk.journal


async def _days(asked: Asked, since: date, until: date) -> list[DayTotals]:
    first, behind = searching.midnight(since), searching.midnight(until + timedelta(days=1))
    return await _journal(asked).totals(first, behind)


def _together(since: date, days: list[DayTotals]) -> DayTotals:
    """The days added up; `day` is the first one."""
    amounts: dict[str, Decimal] = {}
    for money in (money for day in days for money in day.amounts):
        amounts[money.currency] = amounts.get(money.currency, Decimal()) + money.amount
    return DayTotals(
        since,
        sum(day.calls for day in days),
        sum(day.paid for day in days),
        tuple(Money(amount, currency) for currency, amount in sorted(amounts.items())),
        sum(day.declined for day in days),
        sum(day.cancelled for day in days),
        sum(day.unknown for day in days),
    )


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise Refused(400, "That cannot be looked for", " ".join(wrong.values()))


def _csv(name: str, content: AsyncIterator[str] | Iterator[str]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="payagent-{name}.csv"'}
    return StreamingResponse(content, media_type="text/csv; charset=utf-8", headers=headers)
