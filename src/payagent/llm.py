"""One model turn over Chat Completions: words out as they come, tool calls when they are whole.

Rules: a turn yields `Words` (any number), `Tool` (any number, never from an answer that was cut short) and one
`Finished`, or raises ModelFailed. Every wait is bounded. Closing the iterator or cancelling the task closes the HTTP
stream; a consumer that may stop early wraps the turn in `contextlib.aclosing`. Nothing of the talk is in an error.

The SDK gives authorisation, and what does not succeed at once is its to try again and to explain. A request's first try
and the stream of every answer pass it by (`llm_transport`): it would cost several times their CPU. Importing the SDK
takes about a second, so it is imported when a `Model` is made: make it at start-up, not in a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from payagent.errors import ModelFailed
from payagent.setting_rules import is_loopback

if TYPE_CHECKING:
    import aiohttp
    import openai

T = TypeVar("T")
WHOLE = ("stop", "tool_calls")
DRAIN_SECONDS = 0.5
OK, TOO_MANY_REQUESTS = 200, 429
CALM_SECONDS = 0.5
"""Before another try after a 429: the SDK's own first pause."""


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of what the model says, with its own spaces; pieces are joined without any."""

    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A whole tool call; `arguments` is the model's raw JSON text, not yet validated."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete; `reason` is the API's: stop, tool_calls, length, content_filter, or a newer word."""

    reason: str


Piece = Words | Tool | Finished


class Model:
    """A chat model behind an OpenAI-compatible API; serves any number of turns at once.

    `first_word_seconds` bounds the wait for the first piece of a streamed answer and for each one after it,
    `turn_seconds` every whole turn, `retries` (before the first byte, of connection errors and statuses) included.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        model: str,
        *,
        streaming: bool = True,
        first_word_seconds: float = 8.0,
        turn_seconds: float = 30.0,
        retries: int = 1,
    ) -> None:
        import httpx2
        from openai import AsyncOpenAI

        from payagent.llm_transport import AioTransport

        # A proxy of the environment is for the outside world: it would not reach a stand-in on this machine.
        outside = not is_loopback(urlsplit(base_url).hostname or "")
        self._transport = AioTransport(base_url, environment=outside)
        self._client = AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=turn_seconds,
            max_retries=max(0, retries - 1),
            http_client=httpx2.AsyncClient(transport=self._transport, follow_redirects=True),
        )
        self._first_straight = retries > 0
        self._url = f"{str(self._client.base_url).rstrip('/')}/chat/completions"
        headers = self._client.default_headers | self._client.auth_headers
        self._headers = [(name, value) for name, value in headers.items() if isinstance(value, str)]
        self._model = model
        self._streaming = streaming
        self._first_word_seconds = first_word_seconds if streaming else turn_seconds
        self._turn_seconds = turn_seconds

    async def turn(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> AsyncGenerator[Piece, None]:
        """Ask for one answer to `messages` (Chat Completions shape) with `tools` (strict function tools) on offer.

        Raises:
            ModelFailed: its `reason` is `timeout_first_word`, `stalled` (as long without another piece),
                `timeout_turn`, `rate_limited` (429), `server_error` (5xx, or an error in the stream), `refused`
                (other 4xx), `unreachable`, `cut` (ended without a finish), `empty` (neither words nor tool) or
                `garbage` (not the API's format).
        """
        answer = _Answer()
        with _Watch(self._first_word_seconds, self._turn_seconds) as watch:
            async with aclosing(self._chunks(self._body(messages, tools), watch)) as chunks:
                async for chunk in chunks:
                    if words := answer.take(chunk):
                        yield Words(words)
                    if answer.has_begun:
                        watch.went_on()
                    if answer.finish:
                        break
                for piece in answer.pieces():
                    yield piece
                await _drain(chunks)

    async def check(self) -> None:
        """See whether the API knows the key and the model. Raises ModelFailed as `turn` does."""
        import httpx2

        path = f"/models/{quote(self._model, safe='')}"
        with _mapped(), _Watch(self._turn_seconds, self._turn_seconds) as watch:
            await watch.wait(self._client.get(path, cast_to=httpx2.Response))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    def _body(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> bytes:
        # The API refuses `parallel_tool_calls` where no tool is offered.
        offered = {"tools": tools, "parallel_tool_calls": False} if tools else {}
        body = {"model": self._model, "messages": messages, "stream": self._streaming, **offered}
        return msgspec.json.encode(body)

    async def _chunks(self, body: bytes, watch: _Watch) -> AsyncGenerator[_Chunk, None]:
        with _mapped():
            answer = await watch.wait(self._ask(body))
            try:
                if not self._streaming:
                    yield _decode(await watch.wait(answer.read()))
                    return
                lines = _Lines()
                while data := await watch.wait(answer.content.readany()):
                    for event in lines.take(data):
                        yield _decode(event)
            finally:
                answer.release()

    async def _ask(self, body: bytes) -> aiohttp.ClientResponse:
        """The answer, as soon as its head is there. Raises the SDK's errors."""
        import httpx2

        from payagent.llm_transport import answer_of

        if self._first_straight and (answer := await self._ask_straight(body)):
            return answer
        # This `stream=True` is the transport's: without it the SDK reads the whole answer before it returns.
        request = self._client.post("/chat/completions", content=body, cast_to=httpx2.Response, stream=True)
        return answer_of(await request)

    async def _ask_straight(self, body: bytes) -> aiohttp.ClientResponse | None:
        """The answer, if there is one at once; None is for the SDK to try again, or to say what is wrong."""
        import aiohttp

        try:
            answer = await self._transport.send("POST", self._url, self._headers, body)
        except aiohttp.ClientError:
            return None
        if answer.status == OK:
            return answer
        answer.release()
        if answer.status == TOO_MANY_REQUESTS:
            await asyncio.sleep(CALM_SECONDS)
        return None


class _Watch:
    """The turn's deadline, and that of its next piece; must be made when the turn begins, by the task that takes it.

    One timer for the whole turn, set again when it rings too early: a time-out of its own costs more than a piece.
    """

    def __init__(self, first_word_seconds: float, turn_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._piece_seconds = first_word_seconds
        self._turn_over = self._loop.time() + turn_seconds
        self._task = asyncio.current_task()
        self._waiting = self._rang = False
        self._expect("timeout_first_word")
        self._timer: asyncio.Handle | None = self._loop.call_at(self._until, self._ring)

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()

    def went_on(self) -> None:
        """A piece came: the next one has as long as the first, so that a stream that hangs is not a long silence."""
        self._expect("stalled")

    def _expect(self, reason: str) -> None:
        self._until = min(self._loop.time() + self._piece_seconds, self._turn_over)
        self._reason = reason if self._until < self._turn_over else "timeout_turn"

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait no longer than allowed; whoever consumes the turn is at work between two waits, and is never cut."""
        if self._timer is None:
            self._timer = self._loop.call_soon(self._ring)
        self._waiting = True
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._rang and self._task and not self._task.uncancel():  # cancelled by nobody else
                raise ModelFailed(self._reason) from None
            raise
        finally:
            self._waiting = False

    def _ring(self) -> None:
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._ring)
            return
        self._timer = None  # whoever waits next rings it at once
        if self._waiting and self._task:
            self._rang = True
            self._task.cancel()


class _Lines:
    """Cuts a stream of server-sent events into what their `data:` lines hold, the closing `[DONE]` left out."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        """The events that these bytes make whole; a line may come in pieces."""
        lines = (self._rest + data).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            event = line[5:].strip() if line.startswith(b"data:") else b""
            if event and event != b"[DONE]":
                yield event


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Fragment(msgspec.Struct):
    """Part of a tool call (streamed), or all of it."""

    index: int | None = None
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Fragment] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """A streamed chunk, or a whole completion: one decoder reads both."""

    choices: list[_Choice] = []
    error: Any = None


_decoder = msgspec.json.Decoder(_Chunk)


def _decode(data: bytes) -> _Chunk:
    try:
        chunk = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ModelFailed("garbage", "not a chunk of a chat completion") from None
    if chunk.error:
        raise ModelFailed("server_error", "the answer broke off with an error")
    return chunk


@dataclass(slots=True)
class _Answer:
    """What has come so far."""

    finish: str = ""
    spoke: bool = False
    calls: dict[int, _Fragment] = field(default_factory=dict)

    @property
    def has_begun(self) -> bool:
        """Whether anything of substance came; the empty chunk that only names the role does not count."""
        return bool(self.spoke or self.calls or self.finish)

    def take(self, chunk: _Chunk) -> str:
        """Take a chunk in and return its words, "" if it has none."""
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        message = choice.delta or choice.message or _Message()
        for position, fragment in enumerate(message.tool_calls or ()):
            self._add(position if fragment.index is None else fragment.index, fragment)
        self.finish = choice.finish_reason or self.finish
        words = message.content or message.refusal or ""
        self.spoke = self.spoke or bool(words.strip())
        return words

    def _add(self, index: int, fragment: _Fragment) -> None:
        call = self.calls.setdefault(index, _Fragment())
        call.id = call.id or fragment.id
        call.function.name = call.function.name or fragment.function.name
        call.function.arguments = (call.function.arguments or "") + (fragment.function.arguments or "")

    def pieces(self) -> Iterator[Piece]:
        """The whole tool calls and the end. Raises ModelFailed when the answer is none."""
        if not self.finish:
            raise ModelFailed("cut", "the answer ended without a finish")
        if self.finish not in WHOLE:  # `length`, `content_filter`: a tool call may lack its tail
            yield Finished(self.finish)
            return
        if not self.spoke and not self.calls:
            raise ModelFailed("empty")
        yield from [_tool(self.calls[index]) for index in sorted(self.calls)]
        yield Finished("tool_calls" if self.calls else "stop")


def _tool(call: _Fragment) -> Tool:
    if not call.id or not call.function.name:
        raise ModelFailed("garbage", "a tool call without id or name")
    return Tool(call.id, call.function.name, call.function.arguments or "{}")


async def _drain(chunks: AsyncIterator[_Chunk]) -> None:
    """Read what is left (`[DONE]`), so that the connection can be used again; worth a moment and no error."""
    with suppress(ModelFailed, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in chunks:
                pass


@contextmanager
def _mapped() -> Iterator[None]:
    """The SDK's and the transport's errors become ModelFailed."""
    import aiohttp
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise _of_status(error) from None
    except openai.APIConnectionError as error:
        raise ModelFailed("unreachable", type(error).__name__) from None
    except httpx2.TimeoutException:  # the transport's own, as long as the whole turn's
        raise ModelFailed("timeout_turn") from None
    except (httpx2.HTTPError, aiohttp.ClientError) as error:
        raise ModelFailed("cut", type(error).__name__) from None


def _of_status(error: openai.APIStatusError) -> ModelFailed:
    """The reason for an HTTP status; the API's message is left out, it may quote the talk."""
    detail = f"HTTP {error.status_code} {error.code or error.type or ''}".strip()
    if error.status_code == 429:
        return ModelFailed("rate_limited", detail)
    return ModelFailed("server_error" if error.status_code >= 500 else "refused", detail)
