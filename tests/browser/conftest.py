"""A real Chromium for the tests of our pages: one browser a module, one fresh page a test.

A page is watched: a script error, a word on the console's error stream (a blocked script or style is one), or a
request to another host than loopback fails the test that opened it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright
from services import chromium

PATIENCE_MS = 15_000
"""The cap of a wait in the browser; a test waits for conditions, never for time."""

FLAGS = (
    "--no-sandbox",  # we may be root; what is opened is our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

NewPage = Callable[..., AbstractAsyncContextManager[Page]]
"""Makes a page in a browser context of its own; takes `Browser.new_context`'s arguments."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium. Of the module: a browser of the whole session would hold its loop, and some tests bring their own."""
    async with async_playwright() as playwright:
        chrome = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield chrome
        await chrome.close()


@pytest.fixture
async def new_page(browser: Browser) -> NewPage:
    """Opens watched pages."""

    @asynccontextmanager
    async def open_page(**context: Any) -> AsyncIterator[Page]:
        made = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context)
        made.set_default_timeout(PATIENCE_MS)
        page = await made.new_page()
        wrong = _watch(page)
        try:
            yield page
        finally:
            await made.close()
        assert not wrong

    return open_page


@pytest.fixture
async def page(new_page: NewPage) -> AsyncIterator[Page]:
    """A watched page."""
    async with new_page() as opened:
        yield opened


def _watch(page: Page) -> list[str]:
    """What goes wrong in this page, as it happens."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", lambda asked: wrong.append(f"asked {asked.url}") if _foreign(asked.url) else None)
    return wrong


def _foreign(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost")


@pytest.fixture
def barriers() -> Callable[[Page], Awaitable[list[str]]]:
    """Finds what axe-core calls serious or critical on a page, each as `rule: selector`."""

    async def find(page: Page) -> list[str]:
        await page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )  # repainted
        found = (await Axe().run(page)).response["violations"]
        return [
            f"{rule['id']}: {' '.join(map(str, node['target']))}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    return find
