"""Scenario files: a caller's steps and what must have come of the call.

A step waits until `when` (a regular expression, case ignored) matches what was said to the caller since the step
before, and then does its one deed. Each talk cycle is a line: `.` does not cross from one to the next. Money stands as
decimal strings. A file that says anything unknown does not load.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults

Deed = Literal["say", "press", "interrupt", "hang_up", "drop_line", "wait"]
DEEDS: tuple[Deed, ...] = get_args(Deed)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Strict):
    """One deed of the caller, and what it waits for ("" for nothing).

    `interrupt` holds the words said over the agent; it does not wait for the agent's sentence to end.
    `wait` is seconds, scaled.
    """

    when: str = ""
    say: str = ""
    press: str = Field("", pattern=r"^[0-9*#]*$")
    interrupt: str = ""
    hang_up: bool = False
    drop_line: bool = False
    wait: float = 0
    partials: bool = False

    @model_validator(mode="after")
    def _one_deed(self) -> Self:
        if sum(bool(getattr(self, deed)) for deed in DEEDS) != 1:
            raise ValueError(f"a step does exactly one of {', '.join(DEEDS)}")
        return self

    @field_validator("when")
    @classmethod
    def _compiles(cls, when: str) -> str:
        try:
            re.compile(when)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return when

    @property
    def deed(self) -> Deed:
        """Which of `DEEDS` it is."""
        return next(deed for deed in DEEDS if getattr(self, deed))


class Expectation(_Strict):
    """What must be true after the call.

    Attributes:
        end: how it ended (`LabCall.end`).
        charged: the amounts really charged, in order.
        sessions: the payment sessions' ends, in order; "" is one left open.
        heard: expressions that must match what was spoken, one after the other.
        not_heard: expressions that must match nowhere in it.
        followed: verbs and relay events that must have been met in this order, others between them allowed.
        model_requests: the most requests the model may have been sent.
    """

    end: Literal["hung_up_by_app", "caller_hung_up", "queue", "dial"]
    charged: tuple[Decimal, ...] = ()
    sessions: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    not_heard: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()
    model_requests: int | None = None


class Scenario(_Strict):
    """A caller, the app's pace and profile, and what goes wrong on purpose."""

    name: str
    description: str
    caller: str = "+15550100"
    pace: Literal["model", "automatic"] = "model"
    profile: Literal["card", "card_postal_code"] = "card"
    model: Literal["plain", "talk_instead_of_capture"] = "plain"
    queue_result: str = "bridged"
    dial_status: str = "completed"
    faults: Faults = Faults()
    dialect: Dialect = Dialect()
    steps: tuple[Step, ...]
    expect: Expectation

    @field_validator("faults", "dialect", mode="before")
    @classmethod
    def _known_switches(cls, given: object, about: ValidationInfo) -> object:
        known = (Faults if about.field_name == "faults" else Dialect).__slots__
        unknown = given.keys() - known if isinstance(given, dict) else ()
        if unknown:
            raise ValueError(f"there are no {about.field_name} {', '.join(sorted(unknown))}")
        return given


def names() -> list[str]:
    """The scenarios that come with the package."""
    entries = (files("payagent.lab") / "scenarios").iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """A packaged scenario by name, or a file by its path.

    Raises:
        FileNotFoundError: there is none such.
        pydantic.ValidationError: the file says something it cannot.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return read(path.read_text("utf-8"))
    if name not in names():
        raise FileNotFoundError(f"there is no scenario {name}; there are: {', '.join(names())}")
    return read((files("payagent.lab") / "scenarios" / f"{name}.toml").read_text("utf-8"))


def read(text: str) -> Scenario:
    """A scenario from the text of its file.

    Raises:
        pydantic.ValidationError: it says something it cannot.
    """
    return Scenario.model_validate(tomllib.loads(text))
