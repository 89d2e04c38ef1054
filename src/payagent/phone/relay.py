"""The codec of the ConversationRelay socket: text frames in, text frames out, no socket.

Rules:

* Only what a frame must have is required; unknown types and unknown keys pass (Twilio: "WebSocket messages").
* What is wrong with a frame is said without quoting it: a frame may carry what the caller said or keyed in.
* While keypad frames are dropped their digit is skipped by the parser: it never becomes a Python object.
* Everything encoded here is a message Twilio documents; any other would be answered with error 64107.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from payagent.errors import BadFrame

LARGEST_FRAME = 64 * 1024
"""Bytes of UTF-8; Twilio documents no limit, and nothing it sends comes near."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The first frame: relay session `session` serves call `call_sid`; `caller` is Twilio's `from`, unmasked."""

    session: str
    call_sid: str
    caller: str = field(default="", repr=False)
    custom_parameters: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The caller's words in `language` ("" when not said); with `last` false, a later frame replaces them."""

    words: str = field(repr=False)
    language: str = ""
    last: bool = True


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller talked over the agent, who was `heard` until then, `after_ms` milliseconds in (None: not said)."""

    heard: str = field(default="", repr=False)
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Dtmf:
    """One key: `0`-`9`, `*` or `#`."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DtmfDropped:
    """A key was pressed while a payment was open; which one was not read."""


@dataclass(frozen=True, slots=True)
class RelayError:
    """Twilio could not use a message of ours, or the session broke."""

    description: str


@dataclass(frozen=True, slots=True)
class Info:
    """A speaker or playback event, such as `agentSpeaking` = `on`: a comfort, never relied upon."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UnknownFrame:
    """A frame of a type this codec does not know."""

    type: str


Incoming = Setup | Prompt | Interrupt | Dtmf | DtmfDropped | RelayError | Info | UnknownFrame
"""What Twilio's side of the socket can say."""


class _Envelope(msgspec.Struct):
    type: str


_envelope = msgspec.json.Decoder(_Envelope)
_whole = msgspec.json.Decoder(dict[str, Any])


def decode(text: str, *, drop_dtmf: bool) -> Incoming:
    """Read one frame; with `drop_dtmf` a keypad frame comes back without its digit.

    Raises:
        BadFrame: not JSON, not an object, over 64 KiB, or without a field its type must have.
    """
    try:
        raw = text.encode()
        if len(raw) > LARGEST_FRAME:
            raise BadFrame("the frame is larger than 64 KiB")
        if _envelope.decode(raw).type == "dtmf" and drop_dtmf:
            return DtmfDropped()
        return _read(_whole.decode(raw))
    except (ValueError, RecursionError):
        # Not chained: the parser's error may quote the frame.
        raise BadFrame("the frame is not a JSON object with a type") from None


def _read(frame: dict[str, Any]) -> Incoming:
    match frame:
        case {"type": "setup", "sessionId": str(session), "callSid": str(call_sid)} if session and call_sid:
            return Setup(session, call_sid, _text(frame, "from"), _parameters(frame))
        case {"type": "prompt", "voicePrompt": str(words)}:
            return Prompt(words, _text(frame, "lang"), _last(frame.get("last")))
        case {"type": "interrupt"}:
            return Interrupt(_text(frame, "utteranceUntilInterrupt"), _whole_number(frame, "durationUntilInterruptMs"))
        case {"type": "dtmf", "digit": str(digit)} if re.fullmatch(r"[0-9*#]", digit):
            return Dtmf(digit)
        case {"type": "error"}:
            return RelayError(_text(frame, "description"))
        case {"type": "info", "name": str(name)}:
            return Info(name, _text(frame, "value"))
        case {"type": "setup" | "prompt" | "dtmf" | "info" as kind}:
            raise BadFrame(f"the {kind} frame lacks a field it must have")
        case _:
            return UnknownFrame(re.sub(r"[^A-Za-z_-]", "", frame["type"])[:32])


def _text(frame: dict[str, Any], key: str) -> str:
    """The string at `key`; "" when it is missing or of another kind."""
    value = frame.get(key)
    return value if isinstance(value, str) else ""


def _parameters(frame: dict[str, Any]) -> dict[str, str]:
    given = frame.get("customParameters")
    return {k: v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}


def _last(value: object) -> bool:
    """Absent means true: without `partialPrompts` every prompt is the last of its utterance."""
    return str(value).lower() != "false"


def _whole_number(frame: dict[str, Any], key: str) -> int | None:
    """The number at `key`, which older frames write as a string; None when missing, empty or senseless."""
    value = frame.get(key)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?", value):
        value = float(value)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None


class _Text(msgspec.Struct, tag="text", omit_defaults=True):
    token: str
    last: bool
    lang: str | None = None
    interruptible: bool | None = None


class _Language(msgspec.Struct, tag="language", rename="camel"):
    tts_language: str
    transcription_language: str


class _End(msgspec.Struct, tag="end", rename="camel", omit_defaults=True):
    handoff_data: str | None = None


_encode = msgspec.json.Encoder().encode


def text(token: str, *, last: bool, interruptible: bool | None = None, language: str | None = None) -> str:
    """Words to speak: tokens are joined as they are, and `last` closes the talk cycle.

    Half a surrogate pair (a model's stream may cut one) is spoken as a question mark.
    """
    try:
        return _encode(_Text(token, last, language, interruptible)).decode()
    except UnicodeEncodeError:
        return text(token.encode(errors="replace").decode(), last=last, interruptible=interruptible, language=language)


def language(tts: str, transcription: str) -> str:
    """Speak and listen in these languages from here on (codes as in the TwiML, such as `es-US`)."""
    return _encode(_Language(tts, transcription)).decode()


def end(handoff_data: str | None) -> str:
    """End the relay session after the queued speech; `handoff_data` comes back on `/api/action` and is not secret."""
    return _encode(_End(handoff_data)).decode()
