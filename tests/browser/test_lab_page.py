"""The lab's page in a real browser, used as a person does: by clicking, typing and looking."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from payagent.accounts.demo import DEMO
from payagent.accounts.protocol import Entry
from payagent.demo.booth import Leisure
from payagent.demo.run import lab
from payagent.flow.money import Account

pytestmark = pytest.mark.needs("chromium")

NewPage = Callable[..., AbstractAsyncContextManager[Page]]
Barriers = Callable[[Page], Awaitable[list[str]]]

PATIENCE_MS = 20_000
NOTHING = "\N{EN DASH}"

RATE = 2.0
HURRIED = Leisure(piece=0.002, word=0.01, key=0.01, card=0.05)
"""Nobody has to follow. Time itself goes little faster: the flow's own waits must stay longer than a busy machine's."""

expect.set_options(timeout=PATIENCE_MS)

INJECTION = "<img src=/x onerror='document.title=1'><script>document.title=2</script>"


@pytest.fixture(scope="module")
async def origin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A lab that is up; each page it shows is a tab of its own."""
    async with lab(tmp_path_factory.mktemp("lab"), rate=RATE, leisure=HURRIED) as address:
        yield address


@pytest.fixture
async def tab(page: Page, origin: str) -> Page:
    """A tab of it, loaded."""
    await page.goto(origin)
    return page


async def heard(tab: Page, words: str) -> None:
    """Wait until the agent has said that."""
    await expect(tab.locator(".bubble.agent:not(.streaming)", has_text=words).last).to_be_visible()


async def say(tab: Page, words: str) -> None:
    await tab.get_by_label("What the caller says").fill(words)
    await tab.get_by_role("button", name="Say", exact=True).click()


async def in_state(tab: Page, state: str) -> None:
    await expect(tab.locator("#state")).to_have_text(state)


async def ready_to_key(tab: Page, words: str = "Yes, and all of it.") -> None:
    """Ring as John Doe and go on to the card number."""
    await tab.get_by_role("button", name="Call", exact=True).click()
    await heard(tab, "date of birth")
    await tab.get_by_role("button", name="I'm John Doe").click()
    await heard(tab, "six hundred dollars")
    await say(tab, words)
    await heard(tab, "key in your card number")
    await expect(tab.locator("#wire")).to_contain_text("listening for payment card number")


async def test_a_payment_by_clicking_and_typing(tab: Page) -> None:
    """Call, say who you are, agree, choose, key in, go ahead; the page shows each of it, and never a digit."""
    await ready_to_key(tab, "Yes, a hundred and twenty dollars.")
    for key in "4242424242424242":
        await tab.locator(f"[data-key='{key}']").click()
    await expect(tab.locator("#dots")).to_have_text("•" * 16)
    await tab.get_by_role("button", name="pound").click()
    await heard(tab, "expiration date")
    await tab.get_by_role("button", name="Good card").click()
    await heard(tab, "Shall I charge one hundred and twenty dollars")
    await expect(tab.locator("#tools")).to_contain_text("complete_payment_processing")
    await tab.get_by_role("button", name="Yes, go ahead.").click()
    await heard(tab, "went through")

    await expect(tab.locator("#agreed")).to_have_text("$120.00")
    await expect(tab.locator("#charged")).to_have_text("$120.00")
    await expect(tab.locator("#outcome")).to_have_text("paid")
    await expect(tab.locator("#card-used")).to_have_text("visa •••• 4242")
    await expect(tab.locator("[id='state-payment_completed']")).to_have_class(re.compile("now"))
    await expect(tab.locator("[id='state-card_number_entry']")).to_have_class(re.compile("been"))
    await expect(tab.locator(".taken")).not_to_have_count(0)
    await expect(tab.locator("#path [aria-current]")).to_have_text("payment completed")
    await expect(tab.locator("#tried")).to_contain_text("complete_payment_processing")
    await expect(tab.locator("#account option").first).to_have_text("John Doe · owes $480.00")
    await expect(tab.locator(".bubble.fixed").last).to_be_visible()
    assert "4242424242424242" not in await tab.content()

    await say(tab, "No thanks, goodbye.")
    await expect(tab.locator("#transcript")).to_contain_text("The agent ended the call.")
    await tab.get_by_role("button", name="Call", exact=True).click()
    await in_state(tab, "verifying identity")
    await expect(tab.locator("#outcome")).to_have_text(NOTHING)


async def test_a_declined_card_and_another_one(tab: Page) -> None:
    """One click each; nothing is charged for the first."""
    await ready_to_key(tab)
    await tab.get_by_role("button", name="Declined").click()
    await heard(tab, "Shall I charge")
    await say(tab, "Go ahead")
    await heard(tab, "declined, and nothing was charged")
    await expect(tab.locator("#charged")).to_have_text(NOTHING)
    await expect(tab.locator("#outcome")).to_have_text("declined")
    await tab.get_by_role("button", name="Yes, I have another card.").click()
    await expect(tab.locator(".bubble", has_text="key in your card number")).to_have_count(2)
    await tab.get_by_role("button", name="Good card").click()
    await heard(tab, "Shall I charge")
    await expect(tab.locator(".bubble", has_text="Shall I charge")).to_have_count(2)
    await say(tab, "Yes")
    await heard(tab, "went through")

    await expect(tab.locator("#charged")).to_have_text("$600.00")
    await expect(tab.locator("#outcome")).to_have_text("paid")


async def test_a_payment_is_cancelled(tab: Page) -> None:
    """By a suggestion, while the card is keyed in."""
    await ready_to_key(tab)
    await tab.get_by_role("button", name="Cancel that.").click()
    await heard(tab, "cancelled, nothing was charged")

    await expect(tab.locator("#outcome")).to_have_text("cancelled")
    await expect(tab.locator("#charged")).to_have_text(NOTHING)
    await expect(tab.locator("#wire")).to_contain_text("the payment session is over payment cancelled")


async def test_a_fault_is_switched_on(tab: Page) -> None:
    """It hits the call that is on, is seen on the wire, and switches itself off."""
    await tab.get_by_text("Make something go wrong").click()
    await tab.get_by_role("switch", name="REST error").click()
    await expect(tab.locator("#faults-on")).to_have_text("1 on")
    await ready_to_key(tab)

    await expect(tab.locator("#wire .bad")).to_have_text(re.compile("create … 503"))
    await expect(tab.get_by_role("switch", name="REST error")).not_to_be_checked()
    await expect(tab.locator("#faults-on")).to_be_hidden()


async def test_two_calls_at_once_do_not_mix(new_page: NewPage, origin: str) -> None:
    """Each tab has its own call, money and time."""
    async with new_page() as one, new_page() as other:
        for tab in (one, other):
            await tab.goto(origin)
        await ready_to_key(one)
        await one.get_by_role("button", name="Pause").click()
        await other.get_by_label("You are").select_option("A-1003")
        await other.get_by_role("button", name="Call", exact=True).click()
        await heard(other, "date of birth")
        await other.get_by_role("button", name="I'm Alice Johnson").click()
        await heard(other, "physical therapy")

        await expect(other.locator("#owed")).to_have_text("$650.00")
        await expect(one.locator("#owed")).to_have_text("$600.00")
        await expect(one.locator("#transcript")).not_to_contain_text("physical therapy")
        await expect(one.get_by_role("button", name="Go on")).to_be_visible()
        await expect(other.get_by_role("button", name="Pause")).to_be_visible()


async def test_markup_in_words_and_names_stays_text(page: Page, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller says, and what an account is called."""
    villain = Entry(Account("A-1001", INJECTION), DEMO[0].birth_date, DEMO[0].bills)
    for module in ("accounts.demo", "demo.page", "demo.booth"):
        monkeypatch.setattr(f"payagent.{module}.DEMO", (villain, *DEMO[1:]))
    await page.goto(origin)
    await page.get_by_role("button", name="Call", exact=True).click()
    await heard(page, "date of birth")
    await say(page, INJECTION)

    await expect(page.locator(".bubble.caller")).to_contain_text(INJECTION)
    await expect(page.locator("#account option").first).to_contain_text(INJECTION)
    await expect(page.locator("#sayings button").first).to_contain_text(INJECTION)
    assert await page.locator("main img, main script").count() == 0
    assert await page.title() == "payagent lab"


async def test_all_of_it_by_keyboard(tab: Page) -> None:
    """Tab, Enter and the number keys; a digit in the text box stays there."""
    await tab.locator("#ring").focus()
    await tab.keyboard.press("Enter")
    await heard(tab, "date of birth")
    await expect(tab.get_by_label("What the caller says")).to_be_focused()
    await tab.keyboard.type("I'm John Doe, born 05/01/1990")
    await tab.keyboard.press("Enter")
    await heard(tab, "six hundred dollars")
    await tab.keyboard.type("yes, and all of it")
    await tab.keyboard.press("Enter")
    await expect(tab.locator("#wire")).to_contain_text("listening for payment card number")
    await expect(tab.locator("#dots")).to_be_empty()
    await tab.locator("#hang-up").focus()
    await tab.keyboard.type("4242424242424242#")
    await heard(tab, "expiration date")
    await expect(tab.locator("#wire")).to_contain_text("listening for expiration date")
    await tab.keyboard.type("1230")
    await expect(tab.locator("#wire")).to_contain_text("listening for security code")
    await tab.keyboard.type("123")
    await heard(tab, "Shall I charge")
    await tab.keyboard.press("Enter")

    await expect(tab.locator("#transcript")).to_contain_text("The caller hung up.")
    await expect(tab.locator("#outcome")).to_have_text("cancelled")


async def test_keys_arrive_in_the_order_they_were_pressed(tab: Page) -> None:
    """However long one of them takes."""
    await ready_to_key(tab)
    sent: list[str] = []

    async def slow(route: Route) -> None:
        if not sent and route.request.post_data_json["keys"] == "4":
            await tab.wait_for_timeout(200)
        sent.append(route.request.post_data_json["keys"])
        await route.continue_()

    await tab.route("**/press", slow)
    await tab.locator("#hang-up").focus()
    await tab.keyboard.type("4012")

    await expect(tab.locator("#dots")).to_have_text("••••")
    assert sent == ["4", "0", "1", "2"]


async def test_a_scenario_is_watched_and_paused(tab: Page) -> None:
    """Time stands still, goes on, and the verdict comes."""
    await tab.get_by_label("Scenario").select_option("nothing_owed")
    await tab.get_by_role("button", name="Watch it").click()
    await expect(tab.locator(".bubble").first).to_be_visible()
    await tab.get_by_role("button", name="Pause").click()
    await tab.get_by_label("Speed").select_option("4")
    await expect(tab.get_by_role("button", name="Pause")).to_be_visible()

    await expect(tab.locator("#transcript")).to_contain_text("The scenario went as expected.")
    await expect(tab.locator("#scene")).to_contain_text("Scenario: ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_bars_anybody(tab: Page, barriers: Barriers, scheme: Literal["light", "dark"]) -> None:
    """axe-core finds nothing serious before, in and after a call, in either scheme."""
    await tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    assert await barriers(tab) == []

    await ready_to_key(tab)
    for summary in await tab.locator("summary").all():
        await summary.click()
    await tab.get_by_role("button", name="Whole picture").click()
    assert await barriers(tab) == []

    await tab.get_by_role("button", name="Hang up").click()
    await expect(tab.locator("#transcript")).to_contain_text("The caller hung up.")
    assert await barriers(tab) == []


@pytest.mark.parametrize("width", [360, 800, 1440])
async def test_the_page_fits(new_page: NewPage, origin: str, width: int) -> None:
    """No sideways scrolling at any width, in the middle of a call."""
    async with new_page(viewport={"width": width, "height": 800}) as tab:
        await tab.goto(origin)
        await ready_to_key(tab)

        assert await tab.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_lab_that_is_gone_is_told(browser: Browser, tmp_path: Path) -> None:
    """With what to do."""
    page = await browser.new_page()
    async with lab(tmp_path) as address:
        await page.goto(address)
        await expect(page.locator("#diagram svg")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("The lab is gone. Start it again")
    await page.close()
