"""Time that can be slowed down, hurried and stopped, and an event loop that goes by it.

Everything that waits in such a loop waits by it: the flow's deadlines, the processor, a caller's pauses. Stopped, the
loop still takes in what comes from outside, but no timer goes off.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any


class Tempo:
    """A clock that goes `rate` times as fast as the real one; 0 is standing still. Any thread may set it."""

    def __init__(self, real: Callable[[], float] = time.monotonic, began: datetime | None = None) -> None:
        self._real = real
        self._start = real()
        self._began = began or datetime.now(UTC)
        self._mark = (self._start, self._start, 1.0)  # told then, real then, rate since: one object, swapped whole

    @property
    def rate(self) -> float:
        """Seconds of this clock in one real second."""
        return self._mark[2]

    def set(self, rate: float) -> None:
        """Go at another rate from now on."""
        self._mark = (self.seconds(), self._real(), rate)

    def seconds(self) -> float:
        """What the clock tells; it never goes back."""
        told, real, rate = self._mark
        return told + (self._real() - real) * rate

    def now(self) -> datetime:
        """The time of day by this clock."""
        return self._began + timedelta(seconds=self.seconds() - self._start)

    def real_wait(self, seconds: float | None) -> float | None:
        """For how many real seconds to wait until `seconds` of this clock are over; None: until woken."""
        if not seconds:
            return seconds
        return seconds / self.rate if self.rate else None


class _Selector(selectors.DefaultSelector):
    """Waits as long as its clock says."""

    def __init__(self, tempo: Tempo) -> None:
        super().__init__()
        self._tempo = tempo

    def select(self, timeout: float | None = None) -> list[Any]:
        return super().select(self._tempo.real_wait(timeout))


class PacedLoop(asyncio.SelectorEventLoop):
    """An event loop on that clock."""

    def __init__(self, tempo: Tempo) -> None:
        super().__init__(_Selector(tempo))
        self._tempo = tempo

    def time(self) -> float:
        """The loop's clock."""
        return self._tempo.seconds()

    def pace(self, rate: float) -> None:
        """Set the rate, and have the loop look at its timers again; from any thread."""
        self._tempo.set(rate)
        self.call_soon_threadsafe(lambda: None)
