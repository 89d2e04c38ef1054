"""One model turn, against a local OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from payagent.errors import ModelFailed
from payagent.lab.serving import bind, serve
from payagent.llm import Finished, Model, Piece, Tool, Words

TOOL = {"type": "function", "function": {"name": "end_call", "strict": True, "parameters": {"type": "object"}}}
TALK = [{"role": "user", "content": "hello"}]
DONE = b"data: [DONE]\n\n"
Answer = Callable[[Request], Awaitable[Response]]


def data(**choice: Any) -> bytes:
    """One streamed chunk with this choice."""
    return f"data: {json.dumps({'id': 'c', 'choices': [{'index': 0, 'delta': {}, **choice}]})}\n\n".encode()


def words(text: str) -> bytes:
    """A chunk that carries words."""
    return data(delta={"content": text})


def fragment(index: int, call_id: str | None = None, name: str | None = None, arguments: str = "") -> bytes:
    """A chunk that carries part of a tool call."""
    call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if call_id:
        call |= {"id": call_id, "type": "function"}
        call["function"]["name"] = name
    return data(delta={"tool_calls": [call]})


def finish(reason: str) -> bytes:
    """The chunk that ends the answer."""
    return data(finish_reason=reason)


def streaming(*chunks: bytes) -> Answer:
    """An endpoint that streams these chunks."""

    async def answer(request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return StreamingResponse(body(), media_type="text/event-stream")

    return answer


def whole(message: dict[str, Any], reason: str) -> Answer:
    """An endpoint that answers in one piece."""

    async def answer(request: Request) -> Response:
        return JSONResponse({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": reason}]})

    return answer


def failing(status: int, body: dict[str, Any] | None = None) -> Answer:
    """An endpoint that refuses; `x-should-retry` keeps the SDK from waiting before it says so."""

    async def answer(request: Request) -> Response:
        return JSONResponse(body or {"error": {"message": "no"}}, status, {"x-should-retry": "false"})

    return answer


@asynccontextmanager
async def model_of(answer: Answer, **options: Any) -> AsyncIterator[Model]:
    """A Model whose API is `answer`, on loopback."""
    app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    async with serve(app) as origin:
        model = Model("key", f"{origin}/v1", "test-model", **options)
        try:
            yield model
        finally:
            await model.close()


async def pieces_of(answer: Answer, **options: Any) -> list[Piece]:
    """The whole turn against `answer`."""
    async with model_of(answer, **options) as model:
        return [piece async for piece in model.turn(TALK, [TOOL])]


async def failure_of(answer: Answer, **options: Any) -> ModelFailed:
    """How the turn against `answer` fails."""
    with pytest.raises(ModelFailed) as caught:
        await pieces_of(answer, **options)
    return caught.value


async def test_words_come_in_pieces_with_their_own_spaces() -> None:
    """Each chunk's words are one piece; the role, comments and empty chunks are none."""
    role = data(delta={"role": "assistant", "content": ""})
    usage = b'data: {"id": "c", "choices": [], "usage": {"total_tokens": 3}}\n\n'

    pieces = await pieces_of(
        streaming(role, b": alive\n\n", words("Your"), words(" balance"), finish("stop"), usage, DONE)
    )

    assert pieces == [Words("Your"), Words(" balance"), Finished("stop")]


async def test_the_first_word_leaves_before_the_last_chunk_is_sent() -> None:
    """The server sends the rest only after the first word has been received here: a buffered answer would hang."""
    heard = asyncio.Event()

    async def answer(request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield words("Hello")
            await heard.wait()
            yield words(" there") + finish("stop") + DONE

        return StreamingResponse(body(), media_type="text/event-stream")

    async with model_of(answer, turn_seconds=5) as model:
        pieces = []
        async for piece in model.turn(TALK, []):
            pieces.append(piece)
            heard.set()

    assert pieces == [Words("Hello"), Words(" there"), Finished("stop")]


async def test_a_tool_call_is_put_together_from_its_fragments() -> None:
    """Name and id come first, the arguments in bits; the tool is handed out whole, after the words."""
    pieces = await pieces_of(
        streaming(
            words("One moment."),
            fragment(0, "call_1", "verify_user", ""),
            fragment(0, arguments='{"full_name":'),
            fragment(0, arguments=' "Zoë"}'),
            finish("tool_calls"),
            DONE,
        )
    )

    assert pieces == [
        Words("One moment."),
        Tool("call_1", "verify_user", '{"full_name": "Zoë"}'),
        Finished("tool_calls"),
    ]


async def test_parallel_calls_keep_their_order_and_arguments() -> None:
    """Although one at a time is asked for, two interleaved calls are told apart; none given means no arguments."""
    pieces = await pieces_of(
        streaming(
            fragment(0, "a", "first"), fragment(1, "b", "second"), fragment(0, arguments='{"x":1}'), finish("stop")
        )
    )

    assert pieces == [Tool("a", "first", '{"x":1}'), Tool("b", "second", "{}"), Finished("tool_calls")]


@pytest.mark.parametrize("reason", ["length", "content_filter", "a_newer_word"])
async def test_a_tool_call_of_a_cut_answer_is_never_handed_out(reason: str) -> None:
    """An answer that ended for another reason may lack the arguments' tail: its words count, its tools do not."""
    pieces = await pieces_of(streaming(words("Well"), fragment(0, "a", "start_payment", '{"amount":'), finish(reason)))

    assert pieces == [Words("Well"), Finished(reason)]


async def test_a_refusal_is_spoken() -> None:
    """What the model says in `refusal` instead of `content` reaches the caller too."""
    pieces = await pieces_of(streaming(data(delta={"refusal": "I cannot."}), finish("stop"), DONE))

    assert pieces == [Words("I cannot."), Finished("stop")]


async def test_without_streaming_the_answer_is_the_same() -> None:
    """One JSON body gives the same pieces: words, tool, end."""
    call = {"id": "call_1", "type": "function", "function": {"name": "end_call", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Goodbye.", "tool_calls": [call]}

    pieces = await pieces_of(whole(message, "tool_calls"), streaming=False)

    assert pieces == [Words("Goodbye."), Tool("call_1", "end_call", "{}"), Finished("tool_calls")]


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_request_asks_for_one_strict_tool_at_a_time(streamed: bool) -> None:
    """Model, messages and tools go out as given, authorised, with parallel calls off; without tools neither is sent."""
    seen: list[dict[str, Any]] = []

    async def answer(request: Request) -> Response:
        seen.append(await request.json() | {"authorization": request.headers["authorization"]})
        inner = streaming(words("x"), finish("stop"), DONE) if streamed else whole({"content": "x"}, "stop")
        return await inner(request)

    async with model_of(answer, streaming=streamed) as model:
        for tools in ([TOOL], []):
            assert [piece async for piece in model.turn(TALK, tools)]

    bare = {"model": "test-model", "messages": TALK, "stream": streamed, "authorization": "Bearer key"}
    assert seen == [bare | {"tools": [TOOL], "parallel_tool_calls": False}, bare]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rate_limited"), (500, "server_error"), (503, "server_error"), (400, "refused"), (401, "refused")],
)
async def test_an_http_error_has_its_reason(status: int, reason: str) -> None:
    """Each class of HTTP status is one reason, named with its code."""
    failure = await failure_of(failing(status, {"error": {"message": "no", "code": "some_code"}}))

    assert failure.reason == reason
    assert f"HTTP {status} some_code" in str(failure)


async def test_an_errors_message_is_not_passed_on() -> None:
    """The API's own message may quote the talk: it stays out of the error."""
    failure = await failure_of(failing(400, {"error": {"message": "bad: 'my card is 4242'", "type": "invalid"}}))

    assert "4242" not in repr(failure)
    assert failure.__cause__ is None


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([words("Your bal")], "cut"),
        ([words("Your bal"), DONE], "cut"),
        ([], "cut"),
        ([finish("stop"), DONE], "empty"),
        ([words("  "), finish("stop"), DONE], "empty"),
        ([finish("tool_calls"), DONE], "empty"),
        ([b"data: {not json}\n\n"], "garbage"),
        ([b'data: {"choices": 7}\n\n'], "garbage"),
        ([b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\n'], "garbage"),
        ([fragment(0, arguments="{}"), finish("tool_calls")], "garbage"),
        ([words("a"), b'data: {"error": {"message": "overloaded"}}\n\n'], "server_error"),
    ],
)
async def test_an_unusable_stream_has_its_reason(chunks: list[bytes], reason: str) -> None:
    """A stream that breaks off, says nothing or is not the API's format is told apart."""
    assert (await failure_of(streaming(*chunks))).reason == reason


async def test_an_unusable_whole_answer_has_its_reason() -> None:
    """The same without streaming: no choice at all, and no JSON."""

    async def no_json(request: Request) -> Response:
        return Response("<html>")

    async def no_choice(request: Request) -> Response:
        return JSONResponse({"choices": []})

    assert (await failure_of(no_json, streaming=False)).reason == "garbage"
    assert (await failure_of(no_choice, streaming=False)).reason == "cut"


async def test_a_connection_that_breaks_mid_answer_is_cut() -> None:
    """Fewer bytes than promised: the words that came are out, then the turn fails."""

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
        writer.write(head + words("Your bal"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    model = Model("key", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", "m", retries=0)
    turn = model.turn(TALK, [])
    first = await anext(turn)
    with pytest.raises(ModelFailed) as caught:
        await anext(turn)
    await model.close()
    server.close()
    await server.wait_closed()

    assert first == Words("Your bal")
    assert caught.value.reason == "cut"


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is its own reason."""
    listener = bind()
    listener.socket.close()
    model = Model("key", f"{listener.origin}/v1", "m", retries=0)

    with pytest.raises(ModelFailed) as caught:
        await anext(model.turn(TALK, []))
    await model.close()

    assert caught.value.reason == "unreachable"


@asynccontextmanager
async def stuck(*first: bytes, headers: bool = True) -> AsyncIterator[tuple[Answer, asyncio.Event]]:
    """An endpoint that sends `first` and then nothing, and the event that says its client went away."""
    gone = asyncio.Event()
    over = asyncio.Event()

    async def answer(request: Request) -> Response:
        if not headers:
            await over.wait()

        async def body() -> AsyncIterator[bytes]:
            try:
                for chunk in first:
                    yield chunk
                await over.wait()
            finally:
                gone.set()

        return StreamingResponse(body(), media_type="text/event-stream")

    try:
        yield answer, gone
    finally:
        over.set()


@pytest.mark.parametrize("headers", [True, False])
async def test_no_first_word_in_time(headers: bool) -> None:
    """Silence before the first word, be it before or after the response's head, ends the turn early."""
    role = data(delta={"role": "assistant", "content": ""})

    async with (
        stuck(role, headers=headers) as (answer, _),
        model_of(answer, first_word_seconds=0.05, turn_seconds=30) as model,
    ):
        with pytest.raises(ModelFailed) as caught:
            await anext(model.turn(TALK, []))

    assert caught.value.reason == "timeout_first_word"


async def test_a_stream_that_hangs_in_the_middle() -> None:
    """Each piece has as long as the first one: the caller does not wait for the whole turn's deadline."""
    async with (
        stuck(words("Your bill ")) as (answer, gone),
        model_of(answer, first_word_seconds=0.2, turn_seconds=30) as model,
    ):
        with pytest.raises(ModelFailed) as caught:
            assert [piece async for piece in model.turn(TALK, [])]
        await asyncio.wait_for(gone.wait(), 5)

    assert caught.value.reason == "stalled"


@pytest.mark.parametrize("options", [{"first_word_seconds": 8}, {"streaming": False, "first_word_seconds": 0.01}])
async def test_no_end_in_time(options: dict[str, Any]) -> None:
    """After the first word, and without streaming from the start, the turn's own deadline counts."""
    async with stuck(words("Hm")) as (answer, gone), model_of(answer, turn_seconds=0.3, **options) as model:
        with pytest.raises(ModelFailed) as caught:
            assert [piece async for piece in model.turn(TALK, [])]
        await asyncio.wait_for(gone.wait(), 5)

    assert caught.value.reason == "timeout_turn"


async def test_the_consumers_own_time_does_not_count_against_it() -> None:
    """A deadline that passes while the consumer works cancels no work of the consumer's."""
    async with stuck(words("a")) as (answer, _), model_of(answer, turn_seconds=0.2) as model:
        turn = model.turn(TALK, [])
        first = await anext(turn)
        await asyncio.sleep(0.3)
        with pytest.raises(ModelFailed) as caught:
            await anext(turn)

    assert first == Words("a")
    assert caught.value.reason == "timeout_turn"


async def test_a_time_out_is_no_cancellation() -> None:
    """Whoever consumes the turn goes on undisturbed after its time-out."""
    async with stuck() as (answer, _), model_of(answer, first_word_seconds=0.05) as model:
        with pytest.raises(ModelFailed):
            await anext(model.turn(TALK, []))
        task = asyncio.current_task()

    assert task
    assert not task.cancelling()


async def test_a_cancelled_consumer_is_cancelled() -> None:
    """Also when its time is over at that very moment: to be cancelled is not to be told of a time-out."""
    async with stuck() as (answer, _), model_of(answer, first_word_seconds=0) as model:
        consumer = asyncio.create_task(anext(model.turn(TALK, [])))  # type: ignore[arg-type]
        await asyncio.sleep(0)  # it has begun, and its time is over
        asyncio.get_running_loop().call_later(0, consumer.cancel)  # right behind the time-out
        with pytest.raises(asyncio.CancelledError):
            await consumer


async def test_closing_the_turn_closes_the_stream() -> None:
    """A consumer that stops in the middle lets go of the model at once."""
    async with stuck(words("Hello")) as (answer, gone), model_of(answer) as model:
        async with aclosing(model.turn(TALK, [])) as turn:
            assert await anext(turn) == Words("Hello")
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_failed_turn_closes_the_stream() -> None:
    """A turn given up over rubbish lets go of the model, even while its error is still being looked at."""
    async with stuck(b"data: {rubbish}\n\n") as (answer, gone), model_of(answer) as model:
        with pytest.raises(ModelFailed) as caught:
            await anext(model.turn(TALK, []))
        await asyncio.wait_for(gone.wait(), 5)

    assert caught.value.reason == "garbage"


async def test_cancelling_the_task_closes_the_stream() -> None:
    """A superseded turn's task is cancelled while it waits; the server sees its client go."""
    speaking = asyncio.Event()

    async def consume(model: Model) -> None:
        async for _ in model.turn(TALK, []):
            speaking.set()

    async with stuck(words("Hello")) as (answer, gone), model_of(answer) as model:
        task = asyncio.create_task(consume(model))
        await speaking.wait()
        task.cancel()
        await asyncio.wait_for(gone.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_follows_the_finish_cannot_spoil_the_answer() -> None:
    """A server that never closes its stream, or ends it with rubbish, has still given a whole answer."""
    whole_answer = [Words("Hello"), Finished("stop")]

    async with stuck(words("Hello"), finish("stop")) as (answer, _):
        assert await pieces_of(answer) == whole_answer
    assert await pieces_of(streaming(words("Hello"), finish("stop"), b"data: {rubbish}\n\n")) == whole_answer


async def test_turns_share_one_connection() -> None:
    """The rest of each stream is read, so that the next turn need not connect again."""
    ports: set[int] = set()

    async def answer(request: Request) -> Response:
        assert request.client
        ports.add(request.client.port)
        return await streaming(words("x"), finish("stop"), DONE)(request)

    async with model_of(answer) as model:
        for _ in range(3):
            assert [piece async for piece in model.turn(TALK, [])]

    assert len(ports) == 1


async def test_a_server_error_before_the_first_byte_is_tried_again() -> None:
    """With a retry allowed, one 503 does not reach the caller."""
    tries: list[int] = []

    async def answer(request: Request) -> Response:
        tries.append(len(tries))
        if len(tries) == 1:
            return JSONResponse({}, 503, {"retry-after-ms": "1"})
        return await streaming(words("x"), finish("stop"))(request)

    assert await pieces_of(answer, retries=1) == [Words("x"), Finished("stop")]
    assert len(tries) == 2


@pytest.mark.parametrize(("retries", "expected"), [(0, 1), (1, 2), (2, 3)])
async def test_there_are_as_many_tries_as_allowed(retries: int, expected: int) -> None:
    """The first one goes past the SDK only where the SDK may make another."""
    tries: list[Request] = []

    async def answer(request: Request) -> Response:
        tries.append(request)
        return JSONResponse({}, 503, {"retry-after-ms": "1"})

    assert (await failure_of(answer, retries=retries)).reason == "server_error"
    assert len(tries) == expected


async def test_a_busy_api_is_left_alone_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 429 there is a pause before the SDK's own first try."""
    tries: list[Request] = []

    async def answer(request: Request) -> Response:
        tries.append(request)
        return JSONResponse({}, 429)

    monkeypatch.setattr("payagent.llm.CALM_SECONDS", 30)

    assert (await failure_of(answer, first_word_seconds=0.2)).reason == "timeout_first_word"
    assert len(tries) == 1


async def test_a_redirect_is_followed_with_what_was_asked() -> None:
    """A gateway may have moved; the second place gets the same body and key."""
    seen: list[tuple[Any, str]] = []

    async def moved(request: Request) -> Response:
        return Response(status_code=307, headers={"location": "/v2/chat"})

    async def there(request: Request) -> Response:
        seen.append(((await request.json())["messages"], request.headers["authorization"]))
        return await streaming(words("x"), finish("stop"))(request)

    places = [("/v1/chat/completions", moved), ("/v2/chat", there)]
    async with serve(Starlette(routes=[Route(path, end, methods=["POST"]) for path, end in places])) as origin:
        model = Model("key", f"{origin}/v1/", "test-model")
        pieces = [piece async for piece in model.turn(TALK, [])]
        await model.close()

    assert pieces == [Words("x"), Finished("stop")]
    assert seen == [(TALK, "Bearer key")]


async def test_a_connection_that_was_gone_already_is_tried_again() -> None:
    """A server may close a resting connection at the very moment when it is used."""
    tries: list[int] = []

    async def gone_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        tries.append(len(tries))
        if len(tries) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write(words("x") + finish("stop"))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(gone_at_first, "127.0.0.1", 0)
    model = Model("key", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", "m", retries=1)
    pieces = [piece async for piece in model.turn(TALK, [])]
    await model.close()
    server.close()
    await server.wait_closed()

    assert pieces == [Words("x"), Finished("stop")]
    assert len(tries) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_may_be_compressed(stream: bool) -> None:
    """Some gateways do, streamed or not."""
    message = json.dumps({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]})
    body = words("x") + finish("stop") + DONE if stream else message.encode()

    async def answer(request: Request) -> Response:
        return Response(gzip.compress(body), headers={"Content-Encoding": "gzip"})

    assert await pieces_of(answer, streaming=stream) == [Words("x"), Finished("stop")]


async def test_check_asks_for_the_model_by_name() -> None:
    """A known model passes, whatever its name; an unknown one is refused with the API's code."""
    seen: list[str] = []

    async def models(request: Request) -> Response:
        seen.append(request.path_params["name"])
        known = request.path_params["name"] == "team/model"
        return JSONResponse({} if known else {"error": {"code": "model_not_found"}}, 200 if known else 404)

    app = Starlette(routes=[Route("/v1/models/{name:path}", models)])
    async with serve(app) as origin:
        good, bad = (Model("key", f"{origin}/v1", name) for name in ("team/model", "other"))
        await good.check()
        with pytest.raises(ModelFailed, match="model_not_found") as caught:
            await bad.check()
        await good.close()
        await bad.close()

    assert caught.value.reason == "refused"
    assert seen == ["team/model", "other"]


async def test_a_proxy_of_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab on this machine works where the shell names a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert await pieces_of(streaming(words("x"), finish("stop"))) == [Words("x"), Finished("stop")]


@pytest.mark.parametrize("retries", [0, 1])
async def test_the_environment_says_the_way_and_not_who_we_are(
    retries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model outside is reached by the environment's proxy, with our key whatever `.netrc` has for its host."""
    seen: list[tuple[str, str]] = []

    async def proxy(request: Request) -> Response:
        seen.append((request.headers["host"], request.headers["authorization"]))
        return await streaming(words("x"), finish("stop"))(request)

    (tmp_path / "netrc").write_text("machine model.example.test login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serve(Starlette(routes=[Route("/{path:path}", proxy, methods=["POST"])])) as origin:
        monkeypatch.setenv("HTTP_PROXY", origin)
        model = Model("key", "http://model.example.test/v1", "m", retries=retries)
        pieces = [piece async for piece in model.turn(TALK, [])]
        await model.close()

    assert pieces == [Words("x"), Finished("stop")]
    assert seen == [("model.example.test", "Bearer key")]


def test_importing_the_module_does_not_import_the_sdk() -> None:
    """The SDK's second is spent when a Model is made, not by every command."""
    code = "import sys, payagent.llm; print({'openai', 'httpx2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
async def test_however_the_stream_is_cut_it_reads_the_same(size: int, ending: bytes) -> None:
    """Lines, events and letters of two bytes may come in pieces, with any of the three line ends of the format."""
    sent = b"".join([b": a comment\n\n", words("¿Qué"), words(" más?"), finish("stop"), DONE]).replace(b"\n", ending)
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]

    assert await pieces_of(streaming(*pieces)) == [Words("¿Qué"), Words(" más?"), Finished("stop")]
