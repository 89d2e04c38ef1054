"""The style sheet our pages share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Literal

import pytest
from playwright.async_api import Page

pytestmark = pytest.mark.needs("chromium")

BASE = (files("payagent.web") / "static" / "base.css").read_text("utf-8")
SAMPLE = f"""<!doctype html><html lang="en"><title>sample</title><style>{BASE}</style><main><h1>Sample</h1>
<p>Words, <span class="soft">softer ones</span>, <a href="#x">a link</a>, <code>code</code></p>
<p><span class="pill">plain</span><span class="pill lit">lit</span><span class="pill good">good</span>
<span class="pill warn">warn</span><span class="pill bad">bad</span></p>
<p><button>Plain</button> <button class="primary">Primary</button> <button disabled>Off</button></p>
<div class="card"><span class="soft">soft on a card</span> <label>Name <input></label></div>
<table><tr><th scope="col">Head</th></tr><tr><td>Cell</td></tr></table></main></html>"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_colour_can_be_read(
    page: Page, barriers: Callable[[Page], Awaitable[list[str]]], scheme: Literal["light", "dark"]
) -> None:
    """Text of every kind keeps WCAG AA's contrast, in light and dark."""
    await page.emulate_media(color_scheme=scheme)
    await page.set_content(SAMPLE)

    assert await barriers(page) == []
