"""How often a log-in may fail: by name and by address, within a sliding quarter of an hour.

* A browser that has logged in under a name before carries a mark for it, and is counted by that mark alone. So who
  guesses a name from elsewhere, or from the same office, does not lock its owner out.
* Names nobody has are counted like any other: the answer does not tell which ones exist.
* Counts live in this process; with several workers each has its own, so up to that many times as many guesses pass.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
MOST_KEYS = 20_000
"""Checking a password takes so long that a window cannot hold as many failures from one process."""


class Guesses:
    """Failed log-ins of the last quarter of an hour."""

    def __init__(self, per_name: int, per_address: int, now: Callable[[], datetime]) -> None:
        self._limits = {"name": per_name, "address": per_address, "mark": per_name}
        self._now = now
        self._failed: dict[tuple[str, str], deque[datetime]] = {}

    def wait(self, name: str, address: str, mark: str) -> timedelta:
        """How long this one has to wait before the next try; zero when it may try now. `mark` is "" for none."""
        return max(self._wait(key) for key in _keys(name, address, mark))

    def failed(self, name: str, address: str, mark: str) -> None:
        """Note a failure."""
        for key in _keys(name, address, mark):
            self._failed.setdefault(key, deque()).append(self._now())
        while len(self._failed) > MOST_KEYS:
            del self._failed[next(iter(self._failed))]

    def _wait(self, key: tuple[str, str]) -> timedelta:
        times, now = self._failed.get(key), self._now()
        if times is None:
            return timedelta()
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if not times:
            del self._failed[key]
        most = self._limits[key[0]]
        return times[-most] + WINDOW - now if len(times) >= most else timedelta()


def _keys(name: str, address: str, mark: str) -> list[tuple[str, str]]:
    if mark:
        return [("mark", mark)]
    return [("name", name.casefold()), ("address", network(address))]


def network(address: str) -> str:
    """What one caller can be told by: an IPv4 address, or the /64 that one IPv6 customer has to choose from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(parsed)
