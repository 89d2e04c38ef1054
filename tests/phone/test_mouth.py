"""The mouth: frames in order, one speaker at a time, and an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from payagent.phone.mouth import QUEUED_FRAMES, Mouth

STOP = "(the test reads no further)"
CLOSING = {"type": "text", "token": "", "last": True}


async def sent(mouth: Mouth) -> list[dict[str, Any]]:
    """All frames that were queued, decoded, up to a sentence that is said now."""
    mouth.say(STOP, interruptible=True)
    found = []
    async for text in mouth.frames():
        frame = json.loads(text)
        if frame.get("token") == STOP:
            break
        found.append(frame)
    return found


@pytest.fixture
def mouth() -> Mouth:
    return Mouth("VX1")


async def test_a_sentence_is_one_closed_talk_cycle(mouth: Mouth) -> None:
    """A fixed sentence goes out whole, as the last of its cycle, saying whether it may be talked over."""
    mouth.say("You owe ten dollars.", interruptible=False)
    mouth.say("Are you there?", interruptible=True)

    assert await sent(mouth) == [
        {"type": "text", "token": "You owe ten dollars.", "last": True, "interruptible": False},
        {"type": "text", "token": "Are you there?", "last": True, "interruptible": True},
    ]


async def test_a_running_turn_is_closed_before_anything_else_is_said(mouth: Mouth) -> None:
    """Words of two speakers never interleave: a sentence, a language and an end first close the open cycle."""
    mouth.token("Let me ")
    mouth.say("One moment.", interruptible=True)
    mouth.token("So ")
    mouth.language("es-US", "es-US")
    mouth.token("Good")
    mouth.end(None)

    assert await sent(mouth) == [
        {"type": "text", "token": "Let me ", "last": False},
        CLOSING,
        {"type": "text", "token": "One moment.", "last": True, "interruptible": True},
        {"type": "text", "token": "So ", "last": False},
        CLOSING,
        {"type": "language", "ttsLanguage": "es-US", "transcriptionLanguage": "es-US"},
        {"type": "text", "token": "Good", "last": False},
        CLOSING,
        {"type": "end"},
    ]


async def test_a_cycle_is_closed_once_and_only_when_one_is_open(mouth: Mouth) -> None:
    """`last` without words before it would be a cycle of nothing."""
    mouth.close_cycle()
    mouth.token("Yes.")
    mouth.close_cycle()
    mouth.close_cycle()

    assert await sent(mouth) == [{"type": "text", "token": "Yes.", "last": False}, CLOSING]


async def test_the_end_carries_the_hand_off(mouth: Mouth) -> None:
    """What is told at the end comes back on `/api/action`, as the text it was given."""
    mouth.end('{"reason": "asked for a person"}')

    assert await sent(mouth) == [{"type": "end", "handoffData": '{"reason": "asked for a person"}'}]


async def test_a_closed_mouth_says_nothing_more(mouth: Mouth) -> None:
    """What was queued dies with the relay, what comes after is not queued, and whoever sends comes to an end."""
    mouth.say("Never heard.", interruptible=True)

    mouth.close()
    mouth.close()
    mouth.say("Nor this.", interruptible=True)
    mouth.token("Nor this.")

    assert mouth.closed
    assert [frame async for frame in mouth.frames()] == []


async def test_frames_come_in_order_until_the_close(mouth: Mouth) -> None:
    """The socket's owner gets each frame as it is queued, and the end when the mouth is closed."""
    frames = mouth.frames()
    mouth.token("one")
    first = await anext(frames)
    mouth.token("two")
    second = await anext(frames)
    mouth.close()

    assert [json.loads(first)["token"], json.loads(second)["token"]] == ["one", "two"]
    assert await anext(frames, None) is None


async def test_a_caller_out_of_reach_is_not_talked_to_for_ever(mouth: Mouth) -> None:
    """Beyond the bound nothing is kept in memory: the relay is taken for lost."""
    for _ in range(QUEUED_FRAMES):
        mouth.token("word ")
    full = mouth.closed
    mouth.token("word ")

    assert (full, mouth.closed) == (False, True)
    assert [frame async for frame in mouth.frames()] == []
