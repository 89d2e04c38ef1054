"""Operators for the tests of the console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from office import Operator, console


@pytest.fixture
async def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operator]:
    """Somebody who is not logged in."""
    async with console(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def ann(stranger: Operator) -> Operator:
    """Somebody who is logged in."""
    answer = await stranger.log_in()
    assert answer.status_code == 303, answer.text
    return stranger
