"""The record of a running line is sealed again and again, and at its end."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from structlog.testing import capture_logs
from virtual_time import anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.errors import JournalFailed
from payagent.journal.protocol import Journal
from payagent.journal.sealing import Sealing


class Notes:
    """A journal reduced to when it was sealed; the first of `fails` is raised instead."""

    def __init__(self) -> None:
        self.sealed: list[float] = []
        self.fails: list[Exception] = []

    async def seal(self, now: object) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.sealed.append(asyncio.get_running_loop().time())


def sealing(notes: Notes, seconds: float = 300) -> Sealing:
    """Of that journal, on the virtual clock."""
    return Sealing(cast(Journal, notes), seconds, virtual_now)


@pytest.mark.promise(8)
async def test_a_line_is_sealed_again_and_again_and_at_its_end() -> None:
    """What was cut off since the last seal is all that cannot be seen."""
    notes, began = Notes(), asyncio.get_running_loop().time()
    running = sealing(notes)
    running.begin()
    await asyncio.sleep(650)
    await running.close()
    await asyncio.sleep(1000)

    assert [round(at - began) for at in notes.sealed] == [300, 600, 650]


@pytest.mark.promise(8)
async def test_a_seal_that_fails_is_told_and_made_up_for() -> None:
    """A record out of reach does not end the sealing."""
    notes = Notes()
    notes.fails = [JournalFailed("disk full")]
    running = sealing(notes)
    running.begin()
    with capture_logs() as logs:
        await asyncio.sleep(650)
    await running.close()

    assert [entry["log_level"] for entry in logs] == ["error"]
    assert len(notes.sealed) == 2


async def test_a_line_that_never_began_is_not_sealed() -> None:
    """Its record may not even be open."""
    notes = Notes()
    await sealing(notes).close()

    assert notes.sealed == []
