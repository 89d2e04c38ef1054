"""The app's relay frames, checked as Twilio's 64107 does."""

from __future__ import annotations

import json

import pytest

from payagent.lab import frames


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "text", "token": "", "last": True},
        {"type": "text", "token": "a", "lang": "en-US", "interruptible": False, "preemptible": True},
        {"type": "play", "source": "https://x.test/a.mp3", "loop": 1},
        {"type": "sendDigits", "digits": "1w#*"},
        {"type": "language", "ttsLanguage": "es-US"},
        {"type": "end"},
        {"type": "end", "handoffData": "{}"},
    ],
)
def test_the_five_messages_pass(frame: dict[str, object]) -> None:
    """As documented."""
    assert frame == frames.read(json.dumps(frame))


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        "no json",
        "[]",
        '{"type":"error","description":"x"}',
        '{"type":"text"}',
        '{"type":"text","token":null}',
        '{"type":"text","token":"a","last":"true"}',
        '{"type":"text","token":"a","interruptible":"none"}',
        '{"type":"text","token":"a","voice":"x"}',
        '{"type":"play","source":"x","loop":true}',
        '{"type":"sendDigits","digits":"a"}',
        '{"type":"language"}',
        '{"type":"end","handoffData":{"a":1}}',
    ],
)
def test_everything_else_is_rejected(raw: str | bytes) -> None:
    """Wrong types, unknown fields and types, missing fields."""
    with pytest.raises(frames.InvalidFrame):
        frames.read(raw)


def test_card_data_is_found_in_any_field() -> None:
    """Hand-off data above all."""
    assert frames.leak_in({"type": "end", "handoffData": '{"card":"4242 4242 4242 4242"}'}) == "handoffData"
    assert frames.leak_in({"type": "end", "handoffData": '{"lastFour":"4242"}'}) == ""
