"""How many are let in: calls of one caller in a minute, calls at once, sockets whose call is not known yet.

* Whoever is refused costs next to nothing: no record, no session, no model. The counts are this worker's, in memory.
* A caller whose number is withheld cannot be told from another one: only the number of calls at once bounds those.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from payagent.errors import PayagentError

MINUTE = 60.0
CALLERS_KEPT = 10_000
"""So many callers are remembered, the one longest not heard of forgotten first."""


class Full(PayagentError):
    """No more are let in now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is let in; 0 for a count means no limit. The seconds are the longest waits for a body and for a `setup`."""

    calls_per_minute: int = 10
    calls: int = 2000
    waiting_sockets: int = 500
    body_seconds: float = 10.0
    setup_seconds: float = 10.0


class Gate:
    """The counts of one worker; `clock` tells seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._rang: OrderedDict[str, deque[float]] = OrderedDict()
        self._waiting = 0

    def admit(self, caller_id: str, live: int) -> None:
        """A new call; `live` are at work on here already.

        Raises:
            Full: too many at once, or of this caller in the last minute. One that is turned away is not counted.
        """
        if self.limits.calls and live >= self.limits.calls:
            raise Full("too many calls at once")
        if caller_id and self.limits.calls_per_minute:
            self._count(caller_id)

    def _count(self, caller_id: str) -> None:
        now, rang = self._clock(), self._rang.setdefault(caller_id, deque())
        self._rang.move_to_end(caller_id)
        while rang and rang[0] <= now - MINUTE:
            rang.popleft()
        if len(rang) >= self.limits.calls_per_minute:
            raise Full("too many calls of one caller")
        rang.append(now)
        while len(self._rang) > CALLERS_KEPT or next(iter(self._rang.values()))[-1] <= now - MINUTE:
            self._rang.popitem(last=False)  # whoever rang longest ago; this caller, just now, is the last

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a socket's wait for its `setup`.

        Raises:
            Full: too many wait already.
        """
        if self.limits.waiting_sockets and self._waiting >= self.limits.waiting_sockets:
            raise Full("too many sockets wait for their setup")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
