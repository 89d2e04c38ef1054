"""A loop whose clock stands still while anything can go on, and then jumps to the next timer: 300 seconds in no time.

Threads (the journal's, the accounts') are waited for in earnest: the clock moves only when none of them owes an answer.
A loop that nothing will ever wake is a test that would hang: it fails instead.
"""

from __future__ import annotations

import asyncio
import selectors
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
GIVE_UP_SECONDS = 5
"""Of real time, and only when a loop without any timer waits: some thread of Python's own may still wake it."""


class Deadlock(BaseException):
    """Nothing will ever happen again; not an Exception, so that no handler under test swallows it."""


class VirtualSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]  # chosen by platform
    """Reports what is ready; where it would have to wait for a timer, it moves the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.owed = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if self.owed and timeout != 0:
            return super().select(None)
        ready = super().select(GIVE_UP_SECONDS if timeout is None else 0)
        if not ready and timeout is None:
            raise Deadlock("the test waits for something that will never happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop on that clock."""

    def __init__(self) -> None:
        self.selector = VirtualSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now

    @property
    def alarms(self) -> int:
        """How many timers are still to go off."""
        return sum(not handle.cancelled() for handle in self._scheduled)  # type: ignore[attr-defined]

    def run_in_executor(self, executor: Executor | None, func: Any, *args: Any) -> asyncio.Future[Any]:
        return self.owing(super().run_in_executor(executor, func, *args))

    def owing(self, answer: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Keep the clock still until a thread has given this answer."""
        self.selector.owed += 1
        answer.add_done_callback(lambda _: self._settled())
        return answer

    def _settled(self) -> None:
        self.selector.owed -= 1


def virtual_now() -> datetime:
    """The wall clock that goes with the loop's: noon when the loop began."""
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests of the module run on virtual time."""
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(autouse=True)
def owing_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asyncio.wrap_future` is how threads answer here: the clock waits for them."""
    wrap = asyncio.wrap_future

    def wrap_future(future: Future[Any], *, loop: Any = None) -> asyncio.Future[Any]:
        running = asyncio.get_running_loop()
        assert isinstance(running, VirtualLoop)
        return running.owing(wrap(future, loop=loop))

    monkeypatch.setattr(asyncio, "wrap_future", wrap_future)
