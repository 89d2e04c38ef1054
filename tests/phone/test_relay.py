"""The relay codec: what Twilio sends is read, what it would reject is never written."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.errors import BadFrame
from payagent.phone import relay

SETUP = {
    "type": "setup",
    "sessionId": "VX0f",
    "accountSid": "AC01",
    "parentCallSid": "",
    "callSid": "CA02",
    "from": "+15550100",
    "to": "+15550199",
    "callStatus": "RINGING",
    "customParameters": {"token": "abc"},
}

FRAMES = [
    (SETUP, relay.Setup("VX0f", "CA02", "+15550100", {"token": "abc"})),
    ({"type": "setup", "sessionId": "VX0f", "callSid": "CA02"}, relay.Setup("VX0f", "CA02")),
    (SETUP | {"from": None, "customParameters": None}, relay.Setup("VX0f", "CA02")),
    (SETUP | {"from": "", "customParameters": {"a": "b", "n": 5}}, relay.Setup("VX0f", "CA02", "", {"a": "b"})),
    (
        {"type": "prompt", "voicePrompt": "pay my bill", "lang": "en-US", "last": True},
        relay.Prompt("pay my bill", "en-US", True),
    ),
    ({"type": "prompt", "voicePrompt": "pay", "lang": "en-US", "last": False}, relay.Prompt("pay", "en-US", False)),
    ({"type": "prompt", "voicePrompt": "pay", "last": "false"}, relay.Prompt("pay", "", False)),
    ({"type": "prompt", "voicePrompt": "pay"}, relay.Prompt("pay", "", True)),
    ({"type": "prompt", "voicePrompt": "pay", "last": None, "agentSpeaking": True}, relay.Prompt("pay", "", True)),
    (
        {"type": "interrupt", "utteranceUntilInterrupt": "Your balance is", "durationUntilInterruptMs": 460},
        relay.Interrupt("Your balance is", 460),
    ),
    (
        {"type": "interrupt", "utteranceUntilInterrupt": "Your", "durationUntilInterruptMs": "460"},
        relay.Interrupt("Your", 460),
    ),
    (
        {"type": "interrupt", "utteranceUntilInterrupt": "Your", "durationUntilInterruptMs": 460.7},
        relay.Interrupt("Your", 460),
    ),
    (
        {"type": "interrupt", "utteranceUntilInterrupt": "", "durationUntilInterruptMs": ""},
        relay.Interrupt("", None),
    ),
    ({"type": "interrupt", "durationUntilInterruptMs": -1}, relay.Interrupt("", None)),
    ({"type": "interrupt"}, relay.Interrupt("", None)),
    ({"type": "dtmf", "digit": "1"}, relay.Dtmf("1")),
    ({"type": "dtmf", "digit": "#"}, relay.Dtmf("#")),
    ({"type": "dtmf", "digit": "*"}, relay.Dtmf("*")),
    ({"type": "error", "description": "Invalid message received"}, relay.RelayError("Invalid message received")),
    ({"type": "error"}, relay.RelayError("")),
    ({"type": "info", "name": "agentSpeaking", "value": "on", "ts": 1752091234567}, relay.Info("agentSpeaking", "on")),
    ({"type": "info", "name": "tokensPlayed"}, relay.Info("tokensPlayed", "")),
    ({"type": "surprise", "more": [1]}, relay.UnknownFrame("surprise")),
    ({"type": "4111 1111 1111 1111"}, relay.UnknownFrame("")),
]

BAD_FRAMES = [
    "",
    "hello 4111111111111111",
    "null",
    "[1]",
    '"4111111111111111"',
    "{}",
    '{"type": 4111111111111111}',
    '{"type": "prompt"',
    '{"type":"prompt"}',
    '{"type":"prompt","voicePrompt":4111111111111111}',
    '{"type":"dtmf"}',
    '{"type":"dtmf","digit":"4111111111111111"}',
    '{"type":"dtmf","digit":"\\u0661"}',
    '{"type":"dtmf","digit":4}',
    '{"type":"info"}',
    '{"type":"setup","sessionId":"VX0f"}',
    '{"type":"setup","callSid":"CA02"}',
    '{"type":"setup","sessionId":"","callSid":""}',
    '{"type":"prompt","voicePrompt":"\ud800"}',
    '{"type":"surprise","deep":' + "[" * 5000 + "]" * 5000 + "}",
]


@pytest.mark.parametrize(("frame", "expected"), FRAMES)
def test_reads_each_frame(frame: dict[str, object], expected: relay.Incoming) -> None:
    """Every documented frame, and every variation the fact sheet lists, has its reading."""
    assert expected == relay.decode(json.dumps(frame), drop_dtmf=False)


@pytest.mark.parametrize("text", BAD_FRAMES)
def test_bad_frame_is_not_quoted(text: str) -> None:
    """An unreadable frame is refused in words that hold nothing of it, and drags no parser error along."""
    with pytest.raises(BadFrame) as caught:
        relay.decode(text, drop_dtmf=False)

    assert "4111" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_size_is_counted_in_bytes() -> None:
    """64 KiB pass, one byte more does not, and a letter of two bytes counts twice."""
    frame = '{"type":"prompt","voicePrompt":"%s"}'
    room = 64 * 1024 - len(frame % "")

    assert relay.Prompt("a" * room) == relay.decode(frame % ("a" * room), drop_dtmf=False)
    with pytest.raises(BadFrame):
        relay.decode(frame % ("a" * (room + 1)), drop_dtmf=False)
    with pytest.raises(BadFrame):
        relay.decode(frame % ("é" * (room // 2 + 1)), drop_dtmf=False)


@pytest.mark.parametrize("digit", ['"4"', '"4111"', "4", "null"])
def test_dropped_digit_is_not_read(digit: str) -> None:
    """While a payment is open a keypad frame says that a key was pressed, not which; even a senseless one."""
    assert relay.DtmfDropped() == relay.decode(f'{{"digit":{digit},"type":"dtmf"}}', drop_dtmf=True)


def test_dropping_keys_drops_nothing_else() -> None:
    """The caller may still speak while keys are dropped."""
    assert relay.Prompt("wait") == relay.decode('{"type":"prompt","voicePrompt":"wait"}', drop_dtmf=True)


def test_repr_keeps_the_caller_to_itself() -> None:
    """A frame that slips into a log line shows neither words, keys, number nor token."""
    shown = repr(
        [
            relay.Setup("VX0f", "CA02", "+15550100", {"token": "abc"}),
            relay.Prompt("four one one one"),
            relay.Interrupt("four one"),
            relay.Dtmf("7"),
        ]
    )

    for secret in ("15550100", "abc", "four", "7"):
        assert secret not in shown


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_text_never_breaks_the_decoder(text: str) -> None:
    """Whatever arrives, it is a frame or a BadFrame."""
    with contextlib.suppress(BadFrame):
        relay.decode(text, drop_dtmf=False)


json_values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dictionaries(st.text(), st.text())
)
keys = sorted({key for frame, _ in FRAMES for key in frame} - {"type"})


@given(
    kind=st.sampled_from(["setup", "prompt", "dtmf", "interrupt", "error", "info"]) | st.text(),
    fields=st.dictionaries(st.sampled_from(keys), json_values),
    drop=st.booleans(),
)
def test_any_values_never_break_the_decoder(kind: str, fields: dict[str, object], drop: bool) -> None:
    """Known frames with senseless values are a frame or a BadFrame, too."""
    with contextlib.suppress(BadFrame):
        relay.decode(json.dumps({"type": kind, **fields}), drop_dtmf=drop)


MESSAGES = [
    (relay.text("Your ", last=False), {"type": "text", "token": "Your ", "last": False}),
    (relay.text("", last=True), {"type": "text", "token": "", "last": True}),
    (
        relay.text("Gracias.", last=True, interruptible=False, language="es-US"),
        {"type": "text", "token": "Gracias.", "last": True, "interruptible": False, "lang": "es-US"},
    ),
    (
        relay.text('say "é"\n\\', last=True, interruptible=True),
        {"type": "text", "token": 'say "é"\n\\', "last": True, "interruptible": True},
    ),
    (relay.text("half \ud83d pair", last=False), {"type": "text", "token": "half ? pair", "last": False}),
    (
        relay.language("es-US", "es-419"),
        {"type": "language", "ttsLanguage": "es-US", "transcriptionLanguage": "es-419"},
    ),
    (relay.end(None), {"type": "end"}),
    (relay.end('{"reason":"human"}'), {"type": "end", "handoffData": '{"reason":"human"}'}),
]


@pytest.mark.parametrize(("written", "message"), MESSAGES)
def test_writes_each_message(written: str, message: dict[str, object]) -> None:
    """What is sent is exactly a message Twilio documents: no null, no key of ours."""
    assert message == json.loads(written)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_words_arrive_as_they_were(token: str, last: bool) -> None:
    """A token's spaces, quotes and accents survive the journey."""
    assert {"type": "text", "token": token, "last": last} == json.loads(relay.text(token, last=last))
