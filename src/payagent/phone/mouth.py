"""The mouth of one relay session: frames go out in order, and words of two speakers never interleave.

A fixed sentence first closes the talk cycle that a running turn has open (`last: true`). Sending never waits: frames
are queued, and the socket's owner drains the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from payagent.phone import relay

QUEUED_FRAMES = 2000
"""A caller who cannot be reached is not talked to for ever: beyond this the relay is taken for lost."""


class Mouth:
    """Queues the frames of relay session `session`."""

    def __init__(self, session: str) -> None:
        self.session = session
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(QUEUED_FRAMES)
        self._cycle_open = False
        self.closed = False

    def say(self, text: str, *, interruptible: bool) -> None:
        """Speak a whole sentence of our own."""
        self.close_cycle()
        self._put(relay.text(text, last=True, interruptible=interruptible))

    def token(self, text: str) -> None:
        """Speak a piece of what the model says."""
        self._cycle_open = True
        self._put(relay.text(text, last=False))

    def close_cycle(self) -> None:
        """No more words in this talk cycle."""
        if self._cycle_open:
            self._cycle_open = False
            self._put(relay.text("", last=True))

    def language(self, tts: str, transcription: str) -> None:
        """Speak and listen in these languages."""
        self.close_cycle()
        self._put(relay.language(tts, transcription))

    def end(self, hand_off: str | None) -> None:
        """End the relay once what is queued was heard."""
        self.close_cycle()
        self._put(relay.end(hand_off))

    def close(self) -> None:
        """Nothing more is sent."""
        if not self.closed:
            self.closed = True
            while not self._frames.empty():
                self._frames.get_nowait()
            self._frames.put_nowait(None)

    async def frames(self) -> AsyncIterator[str]:
        """The frames to send, in order, until the mouth is closed."""
        while (frame := await self._frames.get()) is not None:
            yield frame

    def _put(self, frame: str) -> None:
        if self.closed:
            return
        if self._frames.full():
            self.close()
        else:
            self._frames.put_nowait(frame)
