"""The relay's socket: who may open it, what a bad frame does (nothing), and which keys are listened to."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from front import (
    CALL,
    OTHER_CALL,
    PUBLIC,
    RELAY,
    Front,
    Relay,
    RestHost,
    callback,
    choose_all,
    ended,
    kinds,
    prompt,
    read,
    ringing,
    served,
    setup,
    sign,
    spoken,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from payagent.errors import JournalFailed
from payagent.flow import events as ev
from payagent.flow.step import Step
from payagent.journal.sqlite import SqliteJournal
from payagent.lab import verbs

ASK_AGAIN = "full name and date of birth"
VIOLATION = 1008


FORGED = ["", "bm8=", sign(f"{PUBLIC}/relay"), sign(f"{RELAY}/"), sign(f"{RELAY}?x=1"), sign(RELAY, token="ef" * 16)]


@pytest.mark.promise(5)
async def test_a_handshake_twilio_did_not_sign_is_refused(tmp_path: Path) -> None:
    """With 403, before the socket is accepted: a signature over any other URL or by any other token is none."""
    async with served(tmp_path) as front:
        for signature in FORGED:
            with pytest.raises(InvalidStatus) as refused:
                async with front.socket(signature):
                    pass

            assert refused.value.response.status_code == 403


async def closed(front: Front, *frames: str | bytes | dict[str, Any]) -> tuple[int | None, list[str | bytes]]:
    """With what code the app closes a well signed socket that begins so, and what it said before."""
    async with front.socket(sign(RELAY)) as socket, asyncio.timeout(10):
        for frame in frames:
            await Relay(socket).send(frame)
        return await rest_of(socket)


async def rest_of(socket: ClientConnection) -> tuple[int | None, list[str | bytes]]:
    """The code the app closes the socket with, and what it says before."""
    said: list[str | bytes] = []
    with suppress(ConnectionClosed):
        while True:
            said.append(await socket.recv())
    return socket.close_code, said


@pytest.mark.promise(5)
async def test_a_token_is_for_one_call(tmp_path: Path) -> None:
    """Another call's token, none, a made-up one: the socket is closed without a word, and the call goes on."""
    async with served(tmp_path) as front:
        token, others = [(await front.ring(call_sid)).parameters["token"] for call_sid in (CALL, OTHER_CALL)]
        bare = setup(token)
        del bare["customParameters"]
        for frame in (setup(others), setup(""), setup("x.y"), setup(f"{token}0"), setup(token, OTHER_CALL), bare):
            assert await closed(front, frame) == (VIOLATION, [])

        assert kinds(await front.steps()) == ["call_started"]
        async with front.relay(token) as relay:
            await relay.say("Hello?", ASK_AGAIN)


@pytest.mark.promise(5)
async def test_a_call_nobody_knows_is_not_talked_to(tmp_path: Path) -> None:
    """Though its token is right: the call is not on the record of this line."""
    async with served(tmp_path) as front:
        token = front.app.state.desk.token(CALL)

        assert await closed(front, setup(token)) == (VIOLATION, [])


@pytest.mark.promise(5)
async def test_the_first_frame_is_setup(tmp_path: Path) -> None:
    """Anything else that can be read closes the socket; a setup behind it comes too late."""
    async with served(tmp_path) as front:
        token = (await front.ring()).parameters["token"]
        for first in (prompt("Hello"), {"type": "dtmf", "digit": "1"}, {"type": "made-up"}, {"type": "interrupt"}):
            assert await closed(front, first, setup(token)) == (VIOLATION, [])

        assert kinds(await front.steps()) == ["call_started"]
        async with front.socket(sign(RELAY)) as socket:
            relay = Relay(socket)
            for frame in (b"\x00", "nonsense", "{}", setup(token)):  # what cannot be read is passed over here too
                await relay.send(frame)
            await relay.say("Hello?", ASK_AGAIN)


async def test_a_socket_that_says_nothing_is_closed(tmp_path: Path) -> None:
    """After a while: it holds a place that a call may need."""
    async with served(tmp_path, SETUP_SECONDS=0.01) as front:
        assert await closed(front) == (VIOLATION, [])


async def test_only_so_many_sockets_may_say_nothing(tmp_path: Path) -> None:
    """One more is turned away before it is accepted; whoever is set up waits no longer."""
    async with served(tmp_path, MAX_WAITING_SOCKETS=1) as front:
        token = (await front.ring()).parameters["token"]
        async with front.socket(sign(RELAY)) as silent:
            with pytest.raises(InvalidStatus) as refused:
                async with front.socket(sign(RELAY)):
                    pass
            await Relay(silent).send(setup(token))
            await Relay(silent).say("Hello?", ASK_AGAIN)
            async with front.socket(sign(RELAY)):
                pass

    assert refused.value.response.status_code == 403


@pytest.mark.promise(5)
async def test_a_token_is_for_one_relay(tmp_path: Path) -> None:
    """Who learned it cannot listen in: not while its relay is up, not when that is gone, not after the call."""
    async with served(tmp_path) as front:
        token = (await front.ring()).parameters["token"]
        async with front.relay(token) as relay:
            await relay.say("Hello?", ASK_AGAIN)
            second = await closed(front, setup(token, session="VX2"))
            await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")
        later = await closed(front, setup(token, session="VX3"))
        fresh = (await front.ring()).parameters["token"]
        replayed = await closed(front, setup(fresh, session="VX4"))
        await front.post("/api/action", ended("completed", "completed"))
        over = await front.post("/api/incoming-call", ringing())
        after = await closed(front, setup(front.app.state.desk.token(CALL), session="VX5"))

        assert [second, later, replayed, after] == [(VIOLATION, [])] * 4
        assert read(over) == []
        assert [event.session for event in await front.events(ev.RelayConnected)] == ["VX1"]


@pytest.mark.promise(5)
async def test_of_two_sockets_with_one_token_one_is_let_in(tmp_path: Path) -> None:
    """Also when they come together."""
    async with served(tmp_path) as front:
        token = (await front.ring()).parameters["token"]
        async with front.socket(sign(RELAY)) as one, front.socket(sign(RELAY)) as other:
            await asyncio.gather(Relay(one).send(setup(token)), Relay(other).send(setup(token, session="VX2")))
            closing = {asyncio.create_task(socket.wait_closed()): socket for socket in (one, other)}
            done, up = await asyncio.wait(closing, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            for task in up:
                await Relay(closing[task]).say("Hello?", ASK_AGAIN)
                task.cancel()

        assert (len(done), len(up)) == (1, 1)
        assert len(await front.events(ev.RelayConnected)) == 1


async def test_a_socket_that_goes_away_at_once_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised into the server."""
    with caplog.at_level(logging.ERROR):
        async with served(tmp_path) as front:
            token = (await front.ring()).parameters["token"]
            for frames in ([], [setup(token)], [setup(token), prompt("Hello?")]):
                async with front.socket(sign(RELAY)) as socket:
                    for frame in frames:
                        await socket.send(json.dumps(frame))
                    socket.transport.abort()

    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []


BAD_FRAMES: list[str | bytes] = [
    b"\x00\x01",
    json.dumps(prompt("in bytes")).encode(),
    "",
    "nonsense",
    "null",
    "[]",
    '"prompt"',
    "1e999",
    "{}",
    "[" * 5000,
    '{"type":"prompt"',
    '{"type":null}',
    '{"type":["prompt"]}',
    '{"type":"prompt"}',
    '{"type":"prompt","voicePrompt":7}',
    '{"type":"prompt","voicePrompt":null,"last":true}',
    '{"type":"prompt","voicePrompt":"","last":true}',
    '{"type":"prompt","voicePrompt":"  ","last":true}',
    '{"type":"prompt","voicePrompt":"unfin","last":false}',
    json.dumps(prompt("x" * 70_000)),
    '{"type":"setup"}',
    '{"type":"setup","sessionId":1,"callSid":2}',
    json.dumps(setup("x.y", OTHER_CALL, "VX2")),
    '{"type":"dtmf"}',
    '{"type":"dtmf","digit":1}',
    '{"type":"dtmf","digit":"11"}',
    '{"type":"dtmf","digit":"A"}',
    '{"type":"info"}',
    '{"type":"info","name":"agentSpeaking","value":"on","ts":1}',
    '{"type":"error"}',
    '{"type":"error","description":{"a":1}}',
    '{"type":"made-up","x":[1,2]}',
    '{"type":"text","token":"echo","last":true}',
    '{"type":"end"}',
]


async def test_a_frame_that_makes_no_sense_is_passed_over(tmp_path: Path) -> None:
    """It never ends the call and gets no answer: each one that Twilio does not know counts against the session."""
    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        for frame in BAD_FRAMES:
            await relay.send(frame)
        heard = await relay.say("Hello?", ASK_AGAIN)

        assert {frame["type"] for frame in heard} == {"text"}
        assert spoken(heard).count("?") <= 1
        assert [event.words for event in await front.events(ev.CallerSpoke)] == ["Hello?"]


STRANGE_FRAMES = [
    '{"type":"prompt","voicePrompt":"half a pair \\ud83d","last":true}',
    '{"type":"prompt","voicePrompt":"\\u0000\\u0007","last":true}',
    '{"type":"interrupt","utteranceUntilInterrupt":"\\udc00","durationUntilInterruptMs":"soon"}',
    '{"type":"interrupt","utteranceUntilInterrupt":7,"durationUntilInterruptMs":-1e400}',
    '{"type":"interrupt"}',
    '{"type":"prompt","voicePrompt":"Hi","last":"true","lang":5,"agentSpeaking":{}}',
]


async def test_strange_values_do_not_end_the_call(tmp_path: Path) -> None:
    """Types that wander, half surrogate pairs, control characters: the talk goes on."""
    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        for frame in STRANGE_FRAMES:
            await relay.send(frame)
            await relay.say("Hello?", ASK_AGAIN)
        await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")


async def test_words_that_cannot_be_recorded_do_not_end_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have not been said: nothing is done about them, and the talk goes on when the record does."""
    refused = asyncio.Semaphore(0)

    async def full(journal: SqliteJournal, step: Step, done: str = "") -> None:
        refused.release()
        raise JournalFailed("disk full")

    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        await relay.say("Hello?", ASK_AGAIN)
        async with asyncio.timeout(10):
            while "turn_ended" not in kinds(await front.steps()):  # from here on only the caller causes anything
                pass
        with monkeypatch.context() as broken:
            broken.setattr(SqliteJournal, "append", full)
            await relay.send(prompt("My name is John Doe, and I was born on May 1st, 1990."))
            await relay.send({"type": "interrupt"})
            for _ in range(2):
                await asyncio.wait_for(refused.acquire(), 10)
        await relay.say("Hello?", ASK_AGAIN)

        assert [event.words for event in await front.events(ev.CallerSpoke)] == ["Hello?", "Hello?"]


async def test_words_leave_as_text_frames_twilio_takes(tmp_path: Path) -> None:
    """Streamed, the last one of a talk cycle marked; the balance may not be talked over."""
    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        talk = await relay.say("Hello?", ASK_AGAIN)
        fixed = await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")

        assert len(talk) > 1
        assert not any(frame["last"] for frame in talk[:-1])
        assert fixed[-1] | {"token": ""} == {"type": "text", "token": "", "last": True, "interruptible": False}


async def test_the_newest_relay_owns_the_call(tmp_path: Path) -> None:
    """The one before it is closed, and its close is not taken for the caller's loss."""
    async with served(tmp_path) as front:
        token = (await front.ring()).parameters["token"]
        async with front.relay(token) as old:
            await old.say("Hello?", ASK_AGAIN)
            (again,) = read(await front.post("/api/action", ended("failed")))
            assert isinstance(again, verbs.Relay)
            async with front.relay(again.parameters["token"], session="VX2") as new:
                async with asyncio.timeout(10):
                    await rest_of(old.socket)
                await new.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")

        assert [event.session for event in await front.events(ev.RelayConnected)] == ["VX1", "VX2"]


async def test_a_call_goes_on_where_it_was(tmp_path: Path) -> None:
    """The line breaks, Twilio asks, a new relay comes: the caller need not say again who they are."""
    async with served(tmp_path) as front:
        async with front.relay((await front.ring()).parameters["token"]) as relay:
            await relay.say("My name is John Doe, and I was born on May 1st, 1990.", "Is that right")
            relay.socket.transport.abort()
        await front.post("/api/action", ended("failed"))
        async with front.relay(front.app.state.desk.token(CALL), session="VX2") as relay:
            again = await relay.until("Is that right")

            assert "interrupted" in spoken(again)
            await relay.say("Yes, that's right.", "all of it")


# Keys

ONE = {"type": "dtmf", "digit": "1"}


def languages(frames: list[dict[str, Any]]) -> list[str]:
    """The languages switched to."""
    return [frame["ttsLanguage"] for frame in frames if frame["type"] == "language"]


async def test_the_language_key_switches_the_language(tmp_path: Path) -> None:
    """Of speech, of hearing and of the fixed sentences; a key without a meaning does nothing."""
    async with served(tmp_path) as front, front.relay((await front.ring()).parameters["token"]) as relay:
        for key in "023456789*#":
            await relay.send({"type": "dtmf", "digit": key})
        await relay.send(ONE)
        switch = await relay.until_type("language")

        assert switch == {"type": "language", "ttsLanguage": "es-US", "transcriptionLanguage": "es-US"}
        assert languages(relay.heard) == ["es-US"]
        await relay.say("Soy Carlos García Ruiz, nací el 23 de septiembre de 1981.", "correcto")


@pytest.mark.promise(4)
async def test_keys_are_dropped_from_the_order_to_open_until_the_close(tmp_path: Path) -> None:
    """They may be card data: not before, not after, but all along they are not even read."""
    rest = RestHost()
    async with (
        served(tmp_path, rest, LANGUAGE_KEYS="1:es,2:en") as front,
        front.relay((await front.ring()).parameters["token"]) as relay,
    ):
        await choose_all(relay)
        await relay.send(ONE)  # the session is ordered, and not yet open
        opening = await relay.say("Hello?", "One moment")
        rest.opens.set()
        asked = await relay.until("key in your card number")
        await relay.send(ONE)  # a capture listens
        done = callback(PartialResult="false", PaymentCardNumber="xxxxxxxxxxxx4242", Required="expiration-date")
        await front.post("/api/status-callback", done)
        captured = await relay.until("expiration date")
        await relay.send(ONE)  # between two captures
        lost = await front.post("/api/status-callback", callback(Result="caller-interrupted-with-star"))
        closed = await relay.until("nothing was charged")

        assert lost.status_code == 204
        assert languages(opening + asked + captured + closed) == []
        assert await front.events(ev.LanguageKeyPressed) == []
        await relay.send(ONE)
        assert (await relay.until_type("language"))["ttsLanguage"] == "es-US"
