"""Made-up Twilio SIDs: the same seed gives the same ones."""

from __future__ import annotations

import random


class Sids:
    """A source of SIDs."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def new(self, prefix: str) -> str:
        """`prefix` and 32 hex digits."""
        return f"{prefix}{self._random.getrandbits(128):032x}"
