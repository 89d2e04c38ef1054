"""The log-in page, the log-in and the log-out."""

from __future__ import annotations

from math import ceil

import structlog
from starlette.responses import RedirectResponse, Response

from payagent.web.console.door import Door, TryAgain
from payagent.web.console.guard import HOME, LOG_IN, Asked, way_back
from payagent.web.console.pages import Pages
from payagent.web.console.visits import Visits

_log = structlog.get_logger("payagent.web.console")

WRONG = "That name and password do not belong together. Try again."


class Entrance:
    """Lets people in and out."""

    def __init__(self, door: Door, visits: Visits, pages: Pages) -> None:
        self._door = door
        self._visits = visits
        self._pages = pages

    async def show(self, asked: Asked) -> Response:
        """`GET /console/log-in`: the form; who is logged in already is led on."""
        back = way_back(asked.request.query_params.get("next", HOME))
        if asked.visit.name:
            return RedirectResponse(back, 303)
        return await self._form(asked, back)

    async def enter(self, asked: Asked) -> Response:
        """`POST /console/log-in`."""
        name, back = asked.form.get("name", "").strip(), way_back(asked.form.get("next", HOME))
        address = asked.request.client.host if asked.request.client else ""
        mark = self._visits.mark(asked.request, name)
        known = name if self._door.knows(name) else "unknown"  # people type passwords into the wrong field
        match await self._door.opens(name, asked.form.get("password", ""), address, mark):
            case TryAgain(wait=wait):
                _log.warning("a console log-in was not looked at: too many failed", name=known, address=address)
                return await self._later(asked, back, name, ceil(wait.total_seconds()))
            case False:
                _log.warning("a console log-in failed", name=known, address=address)
                return await self._form(asked, back, name, WRONG, 401)
        _log.info("somebody logged in to the console", name=name, address=address)
        answer = RedirectResponse(back, 303)
        self._visits.write(answer, self._visits.begin(asked.now, name), asked.now, anew=True)
        if not mark:
            self._visits.write_mark(answer, name)
        return answer

    async def leave(self, asked: Asked) -> Response:
        """`POST /console/log-out`."""
        answer = RedirectResponse(LOG_IN, 303)
        self._visits.end(answer)
        return answer

    async def _later(self, asked: Asked, back: str, name: str, seconds: int) -> Response:
        wait = f"{seconds} seconds" if seconds < 60 else f"{ceil(seconds / 60)} minutes"
        answer = await self._form(asked, back, name, f"Too many log-ins failed. Wait {wait}, then try again.", 429)
        answer.headers["Retry-After"] = str(seconds)
        return answer

    async def _form(self, asked: Asked, back: str, name: str = "", problem: str = "", status: int = 200) -> Response:
        answer = await self._pages.page(
            "log_in.html", asked.visit, status=status, back=back, name=name[:100], problem=problem
        )
        self._visits.write(answer, asked.visit, asked.now, anew=True)
        return answer
