"""What one tab is shown, numbered, so that a tab which lost its connection can ask for the rest.

Written by the thread of the line, read by the thread of the page's server. A call that begins forgets what was before.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

LONGEST = 5_000
"""Items kept; a call of that many has been shown long ago."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to show: `data` is JSON-ready and has a `kind`."""

    number: int
    data: dict[str, Any]


class Feed:
    """The items of one tab; `loop` is the readers'."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[Item] = deque(maxlen=LONGEST)
        self._number = 0
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._closed = False

    def add(self, kind: str, **details: Any) -> None:
        """Show one more thing; from any thread."""
        with self._lock:
            if kind == "call":
                self._items.clear()
            self._number += 1
            self._items.append(Item(self._number, {"kind": kind, **details}))
        self._wake()

    def close(self) -> None:
        """Nothing more will come; from any thread."""
        self._closed = True
        self._wake()

    async def after(self, number: int) -> AsyncIterator[Item]:
        """The items kept whose number is higher, and those to come, until the feed is closed.

        A number that this feed has not reached is another feed's: all that is kept is new.
        """
        number = number if number <= self._number else 0
        while True:
            news = self._news
            for item in self._newer_than(number):
                number = item.number
                yield item
            if self._closed:
                return
            await news.wait()

    def _newer_than(self, number: int) -> list[Item]:
        with self._lock:
            return [item for item in self._items if item.number > number]

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:  # the readers' loop is closed: nobody is there to read
            return

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
