"""A lab that is up, and tabs that look at it without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tab import Tab

from payagent.demo.booth import Leisure
from payagent.demo.run import lab

RATE = 2.0
HURRIED = Leisure(piece=0.002, word=0.01, key=0.01, card=0.05)
"""Nobody looks on here. Time itself goes little faster: the flow's own waits must stay longer than a busy machine's."""


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a lab of its own."""
    async with lab(tmp_path, rate=RATE, leisure=HURRIED) as address:
        yield address


@pytest.fixture
def open_tab(origin: str) -> Callable[[], AbstractAsyncContextManager[Tab]]:
    """Opens tabs of that lab."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Tab]:
        async with Tab.at(origin) as made:
            yield made

    return opened


@pytest.fixture
async def tab(origin: str) -> AsyncIterator[Tab]:
    """One tab of that lab."""
    async with Tab.at(origin) as made:
        yield made
