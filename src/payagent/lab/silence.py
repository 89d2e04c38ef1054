"""How long a caller on the line heard nothing.

Words take `SECONDS_A_CHARACTER` to be spoken (scaled), and silence begins when they are over. With each word and key
of the caller it begins anew; while the call is in a person's queue there is music.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from payagent.lab.line import SPEECH_MS_PER_CHARACTER

SECONDS_A_CHARACTER = SPEECH_MS_PER_CHARACTER / 1000


@dataclass(frozen=True, slots=True)
class Gap:
    """From `start` to `end` (the clock's seconds) nothing was heard; `after` is what had been said last."""

    start: float
    end: float
    after: str

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.start


@dataclass(slots=True)
class Silence:
    """An observer of one call; `longest` is the longest gap so far, without the time `away` (server down)."""

    clock: Callable[[], float]
    scale: float
    away: Callable[[float, float], float] = lambda start, end: 0.0
    longest: Gap = field(default=Gap(0, 0, ""))
    _since: float | None = None
    _after: str = ""
    _in_tokens: bool = False

    def on(self, kind: str, **details: object) -> None:
        """Listen."""
        match kind:
            case "token" | "agent":
                self._hear(str(details["words"]), whole=kind == "agent")
            case "caller" | "interrupt":  # speech over the agent's stops it
                self._note()
                self._since = self.clock()
            case "key":  # keys do not
                self._note()
                self._since = max(self.clock(), self._since or 0)
            case "verb" if details["name"] in ("enqueue", "dial", "hangup"):
                self._note()
                self._since = None
            case "ended":
                self._note()
                self._since = None

    def _hear(self, words: str, *, whole: bool) -> None:
        self._note()
        if whole:
            self._after = words
        spoken_already, self._in_tokens = whole and self._in_tokens, not whole
        if not spoken_already:
            now = self.clock()
            self._since = max(now, self._since or now) + len(words) * SECONDS_A_CHARACTER * self.scale

    def _note(self) -> None:
        if self._since is None:
            return
        now = self.clock()
        gone = self.away(self._since, now)
        gap = Gap(self._since + gone, now, self._after)
        if gap.seconds > self.longest.seconds:
            self.longest = gap
