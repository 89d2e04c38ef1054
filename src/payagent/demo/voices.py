"""Tells for each thing said to the caller whose words they are: the model's, or the fixed sentences'.

What was heard comes from the line, whose words they are from the record, and either may come first.
"""

from __future__ import annotations

from typing import Literal

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.step import Step

Voice = Literal["model", "fixed"]


class Voices:
    """One call's; `heard` and `recorded` return what is known since: the numbers of things said, and whose they are."""

    def __init__(self) -> None:
        self._turns: set[str] = set()
        self._heard: dict[int, str] = {}
        self._recorded: list[tuple[str, Voice]] = []

    def heard(self, number: int, words: str) -> list[tuple[int, Voice]]:
        """Something was said to the caller."""
        self._heard[number] = words
        return self._matched()

    def recorded(self, step: Step) -> list[tuple[int, Voice]]:
        """A step was recorded."""
        self._turns |= {
            do.order_key(step.call_sid, step.seq, n)
            for n, order in enumerate(step.orders)
            if isinstance(order, do.Think)
        }
        match step.event:
            case ev.AgentSpoke(source=source, words=words):
                self._recorded.append((words, "model" if source in self._turns else "fixed"))
                return self._matched()
        return []

    def _matched(self) -> list[tuple[int, Voice]]:
        found = [(number, voice) for number, words in self._heard.items() if (voice := self._whose(words))]
        for number, _ in found:
            del self._heard[number]
        return found

    def _whose(self, words: str) -> Voice | None:
        """The latest that fits: a sentence may be said twice, an interrupted one is heard in part."""
        return next((voice for said, voice in reversed(self._recorded) if words in said), None)
