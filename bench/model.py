"""A model that answers at a set pace and notes when: so that its own time can be taken off the caller's wait.

A prompt's last words of the caller name the answer: the same words find its times again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import msgspec
from aiohttp import web

WORD = "Certainly,"
"""The first of an answer, and nothing that the line says of its own."""
REST = (
    "I can help you with that. To begin, please tell me your full name and your date of birth, so that I can find your "
    "account. If you would rather speak with a person, just say so at any time. Take as long as you need, there is no "
    "hurry at all. And if you have the letter in front of you, the number at the top is useful too."
)
HEAD = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"bench","choices":'
CHUNKS = [
    HEAD + b'[{"index":0,"delta":{"content":"%b"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n' % said
    for said in (WORD.encode(), *(b" " + word for word in REST.encode().split()))
]
END = HEAD + b'[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}\n\ndata: [DONE]\n\n'


class _Message(msgspec.Struct):
    role: str
    content: str | None = None


class _Body(msgspec.Struct):
    messages: list[_Message]


_decode = msgspec.json.Decoder(_Body).decode


class PacedModel:
    """`chunks` pieces, `between` seconds apart, the first after `first` seconds.

    Attributes:
        took: caller's words → seconds from the arrival of the request to the first piece.
    """

    def __init__(self, chunks: int = 60, first: float = 0.2, between: float = 0.025) -> None:
        self.chunks = chunks
        self.first = first
        self.between = between
        self.took: dict[str, float] = {}
        self.requests = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One Chat Completions request."""
        arrived = perf_counter()
        body = _decode(await request.read())
        words = next(message.content or "" for message in reversed(body.messages) if message.role == "user")
        self.requests += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(self.first)
        for n in range(self.chunks):
            if n == 0:
                self.took[words] = perf_counter() - arrived
            await response.write(CHUNKS[n % len(CHUNKS)])
            await asyncio.sleep(self.between)
        await response.write(END)
        return response


@asynccontextmanager
async def serving(model: PacedModel) -> AsyncIterator[str]:
    """The model on loopback; its origin."""
    app = web.Application(client_max_size=2**22)
    app.router.add_post("/v1/chat/completions", model.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
