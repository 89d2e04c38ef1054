"""One model turn: what it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from payagent.flow import events as ev
from payagent.flow.claims import OnRecord
from payagent.llm import Finished, Model, Piece, Tool, Words
from payagent.phone.mouth import Mouth
from payagent.turn import Turn


class Saying(Model):
    """A model that gives these pieces."""

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = pieces

    async def turn(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> AsyncGenerator[Piece, None]:
        for piece in self._pieces:
            yield piece


async def end_of(*pieces: Piece) -> object:
    return await Turn("k", Mouth("VX1"), asyncio.Lock(), OnRecord()).run(Saying(*pieces), [], [])


@pytest.mark.parametrize("reason", ["content_filter", "length"])
async def test_an_answer_cut_off_before_a_word_is_a_failure(reason: str) -> None:
    """The caller heard nothing, so something has to be said."""
    assert await end_of(Finished(reason)) == ev.ModelFailed("k", reason)


async def test_an_answer_cut_off_after_some_words_was_heard() -> None:
    """What was said was said."""
    assert await end_of(Words("Well"), Finished("length")) == ev.TurnEnded("k", "length")


async def test_only_the_first_tool_counts() -> None:
    """One tool at a time."""
    two = (Tool("a", "end_call", "{}"), Tool("b", "start_payment", "{}"), Finished("tool_calls"))

    assert await end_of(*two) == ev.ToolCalled("k", "a", "end_call", "{}")
