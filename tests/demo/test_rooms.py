"""Rooms: one a tab, given back when the tab is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from payagent.demo import rooms as module
from payagent.demo.rooms import Full, Rooms


@pytest.fixture
async def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rooms]:
    """A single room, given back at once when its tab is gone."""
    monkeypatch.setattr(module, "MOST_ROOMS", 1)
    made = Rooms(tmp_path, "rooms", away_seconds=0)
    yield made
    await made.close()


async def timers_due() -> None:
    """Wait until every timer of now has gone off."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, over.set)
    await over.wait()


async def test_a_room_needs_a_key_that_was_given_out(rooms: Rooms) -> None:
    """A guessed one opens nothing."""
    with pytest.raises(KeyError):
        rooms.room("guessed")

    assert rooms.new_key() != rooms.new_key()


async def test_a_tab_that_is_gone_gives_its_room_back(rooms: Rooms) -> None:
    """While it looks on, however often it connects, the room is its own; its thread ends with it."""
    mine, theirs = rooms.new_key(), rooms.new_key()
    with rooms.watching(mine) as room:
        with rooms.watching(mine) as again:
            assert again is room
        await timers_due()
        with pytest.raises(Full):
            rooms.room(theirs)
    await timers_due()
    assert rooms.room(theirs) is not room

    await rooms.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rooms-")]


async def test_a_room_that_nobody_looks_at_is_given_back_too(rooms: Rooms) -> None:
    """A deed alone does not keep it."""
    key = rooms.new_key()
    room = rooms.room(key)
    await timers_due()

    assert rooms.room(key) is not room
