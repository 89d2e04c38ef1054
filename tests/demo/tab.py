"""A tab of the lab without a browser: it reads the page's key, follows the news and asks for deeds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

LONGEST = 30.0


class Tab:
    """What a page does, in Python; `news` is everything it was shown."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self.client = client
        self.key = key
        self.news: list[dict[str, Any]] = []
        self._more = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def at(cls, origin: str) -> AsyncIterator[Self]:
        """Load the page and look on until the block ends."""
        async with httpx.AsyncClient(base_url=origin, timeout=LONGEST, trust_env=False) as client:
            page = (await client.get("/")).text
            found = re.search(r'data-room="([^"]+)"', page)
            assert found is not None
            tab = cls(client, found[1])
            reading = asyncio.create_task(tab._read())
            try:
                yield tab
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def ask(self, deed: str, **about: Any) -> int:
        """Ask for a deed; the HTTP status."""
        return (await self.client.post(f"/rooms/{self.key}/{deed}", json=about)).status_code

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first news for which that holds, waited for if it has not come."""
        async with asyncio.timeout(LONGEST):
            while True:
                more = self._more
                for news in self.news:
                    if holds(news):
                        return news
                await more.wait()

    async def heard(self, words: str) -> None:
        """Wait until the agent has said that."""
        await self.until(lambda news: news["kind"] == "agent" and words in news["words"])

    async def in_state(self, state: str) -> dict[str, Any]:
        """Wait until the call is in that state."""
        return await self.until(lambda news: news["kind"] == "step" and news["state"] == state)

    async def listening(self, field: str) -> None:
        """Wait until the keypad is listened to for this field."""
        began = {"kind": "callback", "name": "began", "field": field}
        await self.until(lambda news: began.items() <= news.items())

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The news of one kind."""
        return [news for news in self.news if news["kind"] == kind]

    def forget(self) -> None:
        """Look at what comes from now on."""
        self.news.clear()

    async def introduced(self) -> None:
        """Ring and say who is calling: John Doe, who owes 600 dollars."""
        assert await self.ask("ring") == 204
        await self.heard("date of birth")
        await self.ask("say", words="John Doe, May 1st 1990")
        await self.heard("Is that right?")

    async def _read(self) -> None:
        async with self.client.stream("GET", f"/rooms/{self.key}/news") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    self.news.append(json.loads(line.removeprefix("data: ")))
                    more, self._more = self._more, asyncio.Event()
                    more.set()
