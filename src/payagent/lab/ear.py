"""What a caller has heard and met so far, and a way to wait for more.

Words are collected per talk cycle: `last: true` closes one (fact sheet 3.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from payagent.lab.observer import Observer


class Ear:
    """One call, heard.

    Attributes:
        spoken: what was said to the caller, one entry a finished talk cycle.
        followed: the TwiML verbs and relay events met, in order: `relay language end enqueue dial hangup …`.
        interruptible: whether what is (or was last) said may be talked over.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._cycle: list[str] = []
        self._news = asyncio.Event()
        self.spoken: list[str] = []
        self.followed: list[str] = []
        self.interruptible = True

    @property
    def speaking(self) -> str:
        """What was said so far in the talk cycle that is not closed yet."""
        return "".join(self._cycle)

    def token(self, frame: dict[str, Any]) -> None:
        """Hear a `text` frame."""
        self._cycle.append(frame["token"])
        self._observer.on("token", words=frame["token"])
        self.interruptible = frame.get("interruptible", True)
        if frame.get("last", False):
            self.close_cycle()
        self.tell()

    def whole(self, words: str, *, interruptible: bool = True) -> None:
        """Hear a whole talk cycle at once: a greeting, a `<Say>`."""
        if words.strip():
            self._cycle, self.interruptible = [words], interruptible
            self.close_cycle()

    def close_cycle(self) -> None:
        """The talk cycle is over."""
        said, self._cycle = self.speaking.strip(), []
        if said:
            self.spoken.append(said)
            self._observer.on("agent", words=said)
            self.tell()

    def cut_off(self, heard: str | None) -> str:
        """The caller talks over the agent; what was heard until then (None: half of the words)."""
        words = (self.speaking or " ".join(self.spoken[-1:])).split()
        heard = " ".join(words[: (len(words) + 1) // 2]) if heard is None else heard
        if self._cycle:
            self.whole(heard)
        return heard

    def meet(self, what: str) -> None:
        """Note a verb or a relay event."""
        self.followed.append(what)
        self._observer.on("verb", name=what)
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits."""
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, holds: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `holds()`, looking again at each thing that happens; False after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
