"""A call's page, and what a person says of its unknown payment."""

from __future__ import annotations

import structlog
from starlette.responses import RedirectResponse, Response

from payagent.errors import JournalFailed, UnknownCall
from payagent.flow import events as ev
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.web.console import resolving
from payagent.web.console.drawings import Drawings
from payagent.web.console.guard import HOME, Asked
from payagent.web.console.pages import Pages
from payagent.web.console.telling import told
from payagent.web.desk import FrontDesk

_log = structlog.get_logger("payagent.web.console")

UNTOUCHED: dict[str, str] = {}


class OneCall:
    """The pages of single calls."""

    def __init__(self, pages: Pages, flow: Flow) -> None:
        self._pages = pages
        self._flow = flow
        self._drawings = Drawings(flow)

    async def show(self, asked: Asked) -> Response:
        """`GET /console/calls/{call_sid}`; with `?known=N` the part that changes, or 204 if there are N steps still."""
        journal, call_sid = _desk(asked).journal, _call_sid(asked)
        known = asked.request.query_params.get("known", "")
        if known.isdecimal() and not await journal.steps(call_sid, after=int(known)):
            return Response(status_code=204)
        try:
            steps = await journal.steps(call_sid)
        except JournalFailed as error:
            return await self._unreadable(asked, error)
        if not steps:
            raise UnknownCall(call_sid)
        return await self._page(asked, steps, "call_part.html" if known else "call.html")

    async def resolve(self, asked: Asked) -> Response:
        """`POST /console/calls/{call_sid}/outcome`: what became of an unknown payment, recorded with who and why."""
        desk, call_sid = _desk(asked), _call_sid(asked)
        said = resolving.read(asked.form, asked.visit.name)
        steps = await desk.journal.steps(call_sid)
        if not steps:
            raise UnknownCall(call_sid)
        if not isinstance(said, ev.OutcomeResolved):
            return await self._page(asked, steps, "call.html", wrong=said, status=422)
        if not resolving.was_said_before(said, steps):
            session = await desk.switchboard.get(call_sid)
            step = await session.post(said)
            if step is None or step.refused:
                return await self._settled(asked, call_sid)
            _log.info("an unknown outcome was resolved", call_sid=call_sid, outcome=said.outcome, who=said.who)
        return RedirectResponse(f"{HOME}/calls/{call_sid}#resolved", 303)

    async def _settled(self, asked: Asked, call_sid: str) -> Response:
        """Somebody else, or a late callback, was faster."""
        words = "This call's outcome is not unknown any more. Nothing was changed: see below what is on record."
        steps = await _desk(asked).journal.steps(call_sid)
        return await self._page(asked, steps, "call.html", wrong={"settled": words}, status=409)

    async def _page(
        self, asked: Asked, steps: list[Step], template: str, wrong: dict[str, str] = UNTOUCHED, status: int = 200
    ) -> Response:
        call = told(steps, self._flow)
        return await self._pages.page(
            template,
            asked.visit,
            status=status,
            call=call,
            drawn=await self._drawings.draw(steps),
            problems=await _desk(asked).journal.verify(call.call_sid),
            now=asked.now,
            wrong=wrong,
            form=asked.form,
        )

    async def _unreadable(self, asked: Asked, error: JournalFailed) -> Response:
        """The steps cannot be read: what is wrong with the record may still be found."""
        call_sid = _call_sid(asked)
        problems = await _desk(asked).journal.verify(call_sid)
        _log.error("a call's record could not be read for the console", call_sid=call_sid, error=str(error))
        return await self._pages.page("unreadable.html", asked.visit, status=500, call_sid=call_sid, problems=problems)


def _desk(asked: Asked) -> FrontDesk:
    desk: FrontDesk = asked.request.app.state.desk
    return desk


def _call_sid(asked: Asked) -> str:
    return str(asked.request.path_params["call_sid"])
