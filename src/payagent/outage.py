"""A call whose record is out of reach: what was said meanwhile, and when its caller has waited long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from payagent.flow.events import AgentSpoke


class Outage:
    """One call's: begun by the first step that cannot be recorded, over with the next one that can.

    `said` is what went to the caller and is not on the record yet, in order.
    """

    __slots__ = ("_alarm", "_seconds", "said")

    def __init__(self, seconds: float) -> None:
        self.said: list[AgentSpoke] = []
        self._seconds = seconds
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self, give_up: Callable[[], None]) -> bool:
        """Whether this is news; if so, `give_up` is called once, unless the outage is over in time."""
        if self._alarm is not None:
            return False
        self._alarm = asyncio.get_running_loop().call_later(self._seconds, give_up)
        return True

    def end(self) -> None:
        """A step is on the record again, or nobody waits any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
