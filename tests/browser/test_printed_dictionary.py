"""The dictionary as it is printed: a browser shrinks the whole page, pictures and all, if one table is too wide."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, ViewportSize

from payagent.review.page import html

pytestmark = pytest.mark.needs("chromium")

A4_INSIDE_MARGINS: ViewportSize = {"width": 703, "height": 1017}  # 186 by 269 mm, at 96 dots an inch
DRAWINGS = Path(__file__).parents[2] / "fsm_diagrams"


async def test_nothing_is_wider_than_the_paper(page: Page) -> None:
    """The real document, with names of tests as long as they are; every table stays inside the margins."""
    pictures = {path.name: path.read_text("utf-8") for path in DRAWINGS.glob("*.svg")}
    document = html((DRAWINGS / "payment_call.md").read_text("utf-8"), pictures)
    await page.set_viewport_size(A4_INSIDE_MARGINS)
    await page.emulate_media(media="print")
    await page.set_content(document)
    widest = await page.evaluate("Math.max(...[...document.querySelectorAll('table, img')].map(e => e.scrollWidth))")

    assert widest <= A4_INSIDE_MARGINS["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") == A4_INSIDE_MARGINS["width"]


async def test_a_picture_takes_the_whole_width(page: Page) -> None:
    """So that its small letters are as large as the paper allows."""
    await page.set_viewport_size(A4_INSIDE_MARGINS)
    await page.emulate_media(media="print")
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="554pt" height="664pt" viewBox="0 0 554 664"/>'
    await page.set_content(html("# T\n\n![A picture](a.svg)\n", {"a.svg": svg}))

    assert await page.evaluate("document.querySelector('img').offsetWidth") == A4_INSIDE_MARGINS["width"]
