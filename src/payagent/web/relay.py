"""The relay socket: frames in become events, the mouth's frames go out.

A frame that cannot be read is noted and passed over: it never ends the call, and it gets no answer, since any message
of ours that Twilio does not know counts against the session (error 64107, after ten 64105).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from payagent.errors import BadFrame, BadSignature, JournalFailed, UnknownCall
from payagent.flow import events as ev
from payagent.phone import relay
from payagent.phone.mouth import Mouth
from payagent.phone.twiml import TOKEN_PARAMETER
from payagent.session import Session
from payagent.web.desk import FrontDesk
from payagent.web.gate import Full

_log = structlog.get_logger("payagent.web.relay")

POLICY_VIOLATION = 1008


async def relay_socket(socket: WebSocket) -> None:
    """One relay session: handshake signed by Twilio, then a `setup` with the call's token, then the talk."""
    desk: FrontDesk = socket.app.state.desk
    try:
        desk.signatures.check_socket(desk.relay_url, socket.headers.get("x-twilio-signature"))
    except BadSignature:
        _log.warning("a relay's handshake was not signed by Twilio")
        await _refuse(socket)
        return
    try:
        with desk.gate.waiting():
            await socket.accept()
            session, mouth = await _set_up(socket, desk)
    except Full as full:
        _log.warning("a relay was turned away", reason=str(full))
        session = None
    if session is None:
        await _refuse(socket)
        return
    await _talk(socket, desk, session, mouth)


async def _refuse(socket: WebSocket) -> None:
    """Close it; it may have gone away by itself."""
    with suppress(WebSocketDisconnect):
        await socket.close(POLICY_VIOLATION)


async def _set_up(socket: WebSocket, desk: FrontDesk) -> tuple[Session | None, Mouth]:
    """The first readable frame has to be `setup`, for a call that waits for a relay, with a token issued for it."""
    try:
        async with asyncio.timeout(desk.gate.limits.setup_seconds):
            setup = await _first_frame(socket)
        if desk.token_fits(setup.call_sid, setup.custom_parameters.get(TOKEN_PARAMETER, "")):
            session = await desk.switchboard.get(setup.call_sid)
            if await session.admit():
                return session, Mouth(setup.session)
        _log.warning("a relay came without its call's token")
    except (TimeoutError, BadFrame, UnknownCall, JournalFailed, WebSocketDisconnect) as error:
        _log.warning("a relay could not be set up", error=type(error).__name__)
    return None, Mouth("")


async def _first_frame(socket: WebSocket) -> relay.Setup:
    """The `setup` frame; BadFrame if another readable one comes first."""
    async for text in _texts(socket):
        try:
            frame = relay.decode(text, drop_dtmf=True)
        except BadFrame:
            continue
        if isinstance(frame, relay.Setup):
            return frame
        raise BadFrame("the first frame is not setup")
    raise WebSocketDisconnect


async def _texts(socket: WebSocket) -> AsyncIterator[str]:
    """The text frames until the socket closes; a binary one is passed over."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        if (text := message.get("text")) is not None:
            yield text


async def _talk(socket: WebSocket, desk: FrontDesk, session: Session, mouth: Mouth) -> None:
    structlog.contextvars.bind_contextvars(call_sid=session.call.call_sid)
    speaking = asyncio.create_task(_speak(socket, mouth))
    try:
        await _survive(session.connect(mouth, desk.greeting))
        async for text in _texts(socket):
            await _survive(_hear(text, desk, session))
    finally:
        await _survive(session.disconnect(mouth))
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)


async def _speak(socket: WebSocket, mouth: Mouth) -> None:
    async for frame in mouth.frames():
        await socket.send_text(frame)
    await socket.close()


async def _survive(hearing: Awaitable[None]) -> None:
    """Carry on with the call when one event could not be read or recorded."""
    try:
        await hearing
    except BadFrame as error:
        _log.warning("a relay frame could not be read", error=str(error))
    except JournalFailed as error:
        _log.error("what the relay said could not be recorded", error=str(error))


async def _hear(text: str, desk: FrontDesk, session: Session) -> None:
    match relay.decode(text, drop_dtmf=session.keys_are_card_data):
        case relay.Prompt(words=words, last=True) if words.strip():
            await session.hear(words)
        case relay.Interrupt(heard=heard):
            await session.post(ev.CallerInterrupted(heard))
        case relay.Dtmf(digit=digit) if digit in desk.language_keys:
            await session.post(ev.LanguageKeyPressed(desk.language_keys[digit]))
        case relay.RelayError():
            _log.warning("Twilio reports an error on the relay")
        case relay.UnknownFrame(type=kind):
            _log.info("an unknown relay frame was passed over", type=kind)
