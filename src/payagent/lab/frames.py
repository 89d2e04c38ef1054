"""Checks what the app sends to the relay's socket (fact sheet 3.2), as Twilio's 64107 does."""

from __future__ import annotations

import json
import re
from typing import Any

from payagent.lab.cards import contains_card

# type: {field: (its JSON type, whether it must be there)}
_SHAPES: dict[str, dict[str, tuple[type, bool]]] = {
    "text": {
        "token": (str, True),
        "last": (bool, False),
        "lang": (str, False),
        "interruptible": (bool, False),
        "preemptible": (bool, False),
    },
    "play": {
        "source": (str, True),
        "loop": (int, False),
        "interruptible": (bool, False),
        "preemptible": (bool, False),
    },
    "sendDigits": {"digits": (str, True)},
    "language": {"ttsLanguage": (str, False), "transcriptionLanguage": (str, False)},
    "end": {"handoffData": (str, False)},
}


class InvalidFrame(Exception):
    """A frame Twilio rejects with 64107."""


def read(raw: str | bytes) -> dict[str, Any]:
    """The frame as an object.

    Raises:
        InvalidFrame: it is not one of the five messages, or a field is missing, unknown or of the wrong type.
    """
    if isinstance(raw, bytes):
        raise InvalidFrame("a binary frame")
    try:
        frame = json.loads(raw)
    except ValueError:
        raise InvalidFrame("not JSON") from None
    if not isinstance(frame, dict) or frame.get("type") not in _SHAPES:
        raise InvalidFrame("no message of that type")
    _check_fields(frame)
    return frame


def _check_fields(frame: dict[str, Any]) -> None:
    kind = frame["type"]
    shape = _SHAPES[kind]
    for name, value in frame.items():
        if name == "type":
            continue
        if name not in shape:
            raise InvalidFrame(f"{kind} has no field {name}")
        if type(value) is not shape[name][0]:
            raise InvalidFrame(f"{kind}.{name} must be {shape[name][0].__name__}, is {type(value).__name__}")
    for name, (_, needed) in shape.items():
        if needed and name not in frame:
            raise InvalidFrame(f"{kind} lacks {name}")
    if kind == "language" and len(frame) == 1:
        raise InvalidFrame("language names neither language")
    if kind == "sendDigits" and not re.fullmatch(r"[0-9w#*]*", frame["digits"]):
        raise InvalidFrame("sendDigits cannot send that")


def leak_in(frame: dict[str, Any]) -> str:
    """Names the field that carries a card number, or ""."""
    fields = (name for name, value in frame.items() if isinstance(value, str) and contains_card(value))
    return next(fields, "")
