"""One turn of the model in a live call: its words leave as they come; what it led to is told when it is over.

* Words go out only while nobody is deciding an event: so all that was said before an event is known when it is decided.
* They are judged before they leave: a claim about the money that the record does not bear out ends the turn unspoken,
  and the turn has called no tool.
* A tool is called when the answer is whole, and only the first one of it: a turn cut before that has called none.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, assert_never

import structlog

from payagent.errors import ModelFailed
from payagent.flow import events as ev
from payagent.flow.claim_watch import ClaimWatch
from payagent.flow.claims import OnRecord
from payagent.llm import Finished, Model, Piece, Tool, Words
from payagent.phone.mouth import Mouth

_log = structlog.get_logger("payagent.turn")

End = ev.ToolCalled | ev.TurnEnded | ev.ModelFailed | ev.ClaimStopped
"""What a turn can come to."""


class Turn:
    """The turn `key`, spoken by `mouth`; `floor` is held by whoever decides an event.

    `record` is what is known of the payment; whatever changes that ends the turn.
    `words` is what was sent and is not on the record yet. `first_words` is the loop's time when the first word
    was sent, None before. `task` is set by whoever runs the turn.
    """

    __slots__ = ("_end", "_floor", "_mouth", "_watch", "first_words", "key", "task", "words")

    def __init__(self, key: str, mouth: Mouth, floor: asyncio.Lock, record: OnRecord) -> None:
        self.key = key
        self.words = ""
        self.first_words: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._mouth = mouth
        self._floor = floor
        self._watch = ClaimWatch(record)
        self._end: End = ev.ModelFailed(key, "cut")

    async def run(self, model: Model, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> End:
        """Have the turn, and say what it came to. Cancelling it closes the model's stream."""
        try:
            async with aclosing(model.turn(messages, tools)) as pieces:
                async for piece in pieces:
                    await self._take(piece)
                    if self._watch.stopped:
                        self._end = ev.ClaimStopped(self.key, self._watch.stopped)
                        break
        except ModelFailed as failed:
            _log.warning("the model failed", turn=self.key, reason=failed.reason)
            self._end = ev.ModelFailed(self.key, failed.reason)
        except Exception:  # a fault of ours: the caller is answered all the same
            _log.critical("a turn broke off", turn=self.key, exc_info=True)
            self._end = ev.ModelFailed(self.key, "fault")
        self._mouth.close_cycle()
        return self._end

    async def _take(self, piece: Piece) -> None:
        match piece:
            case Words(text=text):
                async with self._floor:
                    self._say(self._watch.feed(text))
            case Tool(call_id=call_id, name=name, arguments=arguments):
                if not isinstance(self._end, ev.ToolCalled):
                    self._end = ev.ToolCalled(self.key, call_id, name, arguments)
            case Finished(reason=reason):
                async with self._floor:
                    self._say(self._watch.end())
                self._mouth.close_cycle()
                if not isinstance(self._end, ev.ToolCalled):
                    # Cut off (`content_filter`, `length`) before a word: the caller heard nothing.
                    ended, failed = ev.TurnEnded(self.key, reason), ev.ModelFailed(self.key, reason)
                    self._end = failed if self.first_words is None else ended
            case _:
                assert_never(piece)

    def _say(self, text: str) -> None:
        if not text:
            return
        if self.first_words is None:
            self.first_words = asyncio.get_running_loop().time()
        if not self._mouth.closed:
            self._mouth.token(text)
            self.words += text
