"""The console in a real browser: log in, watch a call, resolve an unknown payment, by hand and by keyboard."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from front import Front, served
from office import NAME, OTHER, OTHER_PASSWORD, PASSWORD, UNKNOWN, USERS, begun, paid, unknown
from playwright.async_api import Browser, Page, expect

from payagent.flow import events as ev
from payagent.switchboard import Switchboard
from payagent.testing import ACCOUNT, PracticeCall

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("graphviz")]

Barriers = Callable[[Page], Awaitable[list[str]]]
NewPage = Callable[..., AbstractAsyncContextManager[Page]]
expect.set_options(timeout=15_000)
SCRIPT = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"


@pytest.fixture
async def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    """The real app on a real port, with a console; what these calls left lying is not taken up.

    It stands before `page` in a test's arguments, so that it goes after it: a page asks until it is closed.
    """
    monkeypatch.setattr(Switchboard, "sweep_on", lambda self: None)
    async with served(tmp_path, CONSOLE_USERS=USERS) as opened:
        yield opened


async def write(front: Front, *calls: PracticeCall) -> None:
    """Put calls on the record."""
    for call in calls:
        for step in call.steps:
            await front.journal.append(step)


async def log_in(page: Page, front: Front, path: str = "/console", name: str = NAME, password: str = PASSWORD) -> None:
    """Ask for a page, be led to the log-in, fill it in by keyboard."""
    await page.goto(f"{front.origin}{path}")
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def test_an_operator_watches_a_call_go_on(front: Front, page: Page) -> None:
    """It shows up, moves and goes without a reload; what has the focus keeps it."""
    await log_in(page, front)
    await expect(page.get_by_text("Nobody is on the line")).to_be_visible()
    await page.evaluate("window.loadedOnce = true")

    async with front.relay((await front.ring()).parameters["token"]) as relay:
        live = page.get_by_role("region", name="Calls now")
        await expect(live.get_by_role("row", name=re.compile("Verifying identity", re.I))).to_be_visible()
        await live.get_by_role("link", name=re.compile("Call CA01")).focus()
        await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")
        await expect(live.get_by_role("row", name=re.compile("Confirming balance", re.I))).to_be_visible()
        await expect(live.get_by_role("link", name=re.compile("Call CA01"))).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Hand-off card")).to_be_visible()
        await expect(page.get_by_text("John Doe (A-1001)")).to_be_visible()
        await relay.say("Yes, that's right.", "all of it")
        await expect(page.locator(".marks")).to_contain_text("choosing amount", ignore_case=True)
        await page.go_back()
        await expect(live.get_by_role("row", name=re.compile("Choosing amount", re.I))).to_be_visible()
        await write(front, unknown())
        await expect(page).to_have_title("(1) Board · payagent console")


@pytest.fixture
async def unwatched(browser: Browser) -> AsyncIterator[Page]:
    """A page whose errors are part of the test."""
    page = await browser.new_page()
    yield page
    await page.close()


async def test_updates_can_be_paused_and_a_lost_server_is_told(front: Front, unwatched: Page) -> None:
    """Moving words can be stopped (WCAG 2.2.2); a board that is out of date says so, and stops saying so."""
    page = unwatched
    await page.clock.install()
    await log_in(page, front)
    await page.get_by_role("button", name="Pause updates").click()
    await front.ring()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.run_for(60_000)
    paused = list(asked)
    await page.get_by_role("button", name="Go on updating").click()
    await expect(page.get_by_text("1 call now")).to_be_visible()

    assert paused == []

    await page.context.route("**/console?known=*", lambda route: route.fulfill(status=503, body="gone"))
    await expect(page.get_by_role("status")).to_contain_text("may be out of date")
    await page.context.unroute("**/console?known=*")
    await expect(page.get_by_role("status")).to_be_hidden()


async def test_an_unknown_outcome_is_resolved_by_keyboard(front: Front, page: Page) -> None:
    """From the board to the form to the record, and off the board again; a second click does nothing twice."""
    await write(front, unknown())
    await log_in(page, front)
    needs = page.get_by_role("region", name="Needs a person")
    await expect(needs.get_by_role("row", name=re.compile("Outcome unknown", re.I))).to_be_visible()
    await expect(page).to_have_title("(1) Board · payagent console")
    await needs.get_by_role("link", name=re.compile("Call CA07")).press("Enter")
    await page.get_by_label("Paid: the charge is there.").press("Space")
    await page.get_by_label("Reference at the processor").fill("ch_77")
    await page.get_by_label("Where you looked, what you found").fill("The processor's list")
    await page.get_by_role("button", name="Record it").dblclick()
    await expect(page.get_by_role("heading", name="Resolved by a person")).to_be_visible()
    await expect(page.get_by_text(re.compile("^ann,"))).to_be_visible()
    said = [step.event for step in await front.steps(UNKNOWN) if isinstance(step.event, ev.OutcomeResolved)]
    await page.get_by_role("link", name="Board", exact=True).first.click()
    await expect(needs.get_by_text("outcome unknown", exact=True)).to_be_hidden()

    assert said == [ev.OutcomeResolved("paid", "ch_77", NAME, "The processor's list")]


async def test_what_is_being_written_survives_an_update(front: Front, page: Page) -> None:
    """A call's page that updates itself leaves the form alone."""
    call = unknown()
    await write(front, call)
    await log_in(page, front, f"/console/calls/{UNKNOWN}")
    await page.get_by_label("Where you looked, what you found").fill("I am still writ")
    call.say("are you there?")
    await front.journal.append(call.steps[-1])
    await expect(page.get_by_text("are you there?")).to_be_visible()
    await page.keyboard.type("ing")

    assert await page.get_by_label("Where you looked, what you found").input_value() == "I am still writing"


async def test_two_people_resolve_at_once_and_the_second_is_told(front: Front, page: Page, unwatched: Page) -> None:
    """The first word stands."""
    await write(front, unknown())
    here = f"/console/calls/{UNKNOWN}"
    first, second = page, unwatched
    await log_in(first, front, here)
    await log_in(second, front, here, OTHER, OTHER_PASSWORD)
    await second.get_by_role("button", name="Pause updates").click()
    for each in (second, first):
        await each.get_by_label("Not paid").check()
        await each.get_by_label("Where you looked, what you found").fill("Nothing there")
    await first.get_by_role("button", name="Record it").click()
    await expect(first.get_by_role("heading", name="Resolved by a person")).to_be_visible()
    await second.get_by_role("button", name="Record it").click()
    await expect(second.get_by_role("alert")).to_contain_text("not unknown any more")


async def test_nothing_that_a_caller_says_or_is_called_runs(front: Front, page: Page) -> None:
    """Markup in words, in an account's name and in a reason stays words (and the policy would stop it)."""
    call = begun(UNKNOWN)
    call.say("Ada Payer")
    call.tool("verify_user", full_name="x y", date_of_birth="1990-05-01")
    call.answer(ev.IdentityMatched, account=replace(ACCOUNT, name=SCRIPT, id=SCRIPT))
    call.say(SCRIPT)
    call.tool("human_agent_handoff", reason=SCRIPT)
    await write(front, call)
    await log_in(page, front)
    for path in ("/console", "/console/calls", f"/console/calls/{UNKNOWN}"):
        await page.goto(f"{front.origin}{path}")
        await expect(page.get_by_text("document.title").first).to_be_visible()

        assert "taken" not in await page.title()
        assert await page.locator("main img").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
async def test_every_page_can_be_read_and_used_by_all(
    new_page: NewPage, front: Front, barriers: Barriers, scheme: Literal["light", "dark"], width: int
) -> None:
    """axe-core finds nothing serious, and nothing runs over the edge of a narrow page."""
    await write(front, unknown(), paid("CA" + "08" * 16), begun("CA" + "09" * 16))
    async with new_page(color_scheme=scheme, viewport={"width": width, "height": 780}) as page:
        await page.goto(f"{front.origin}/console/log-in")
        found = {"log-in": await barriers(page)}
        await log_in(page, front)
        for path in ("", "/calls", "/totals", f"/calls/{UNKNOWN}"):
            await page.goto(f"{front.origin}/console{path}")
            found[path] = await barriers(page)

            assert await page.evaluate("document.documentElement.scrollWidth") == width, path

    assert [page for page in found if found[page]] == [], found


async def test_the_session_ends_where_it_is_seen(front: Front, unwatched: Page) -> None:
    """A board whose log-in is over leads to the log-in by itself."""
    page = unwatched
    await log_in(page, front)
    await page.context.clear_cookies()
    await page.wait_for_url("**/console/log-in")
    await expect(page.get_by_label("Name")).to_be_visible()
