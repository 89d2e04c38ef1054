"""What a tab may ask its booth to do, as it comes over the wire; anything else is unreadable."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from payagent.demo.booth import Booth, Plan
from payagent.demo.rooms import Room
from payagent.demo.switches import Switches

LONGEST_WORDS = 500
FASTEST = 8.0


class Deed(BaseModel):
    """One thing to do in a room."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    async def do(self, room: Room) -> None:
        """Do it.

        Raises:
            NoCall: it needs a call, and none is on.
            FileNotFoundError, KeyError: it names what there is not.
        """
        raise NotImplementedError


class Ring(Deed):
    """Begin a call."""

    pace: Literal["model", "automatic"] = "model"
    profile: Literal["card", "card_postal_code"] = "card"
    model: Literal["scripted", "real"] = "scripted"
    account: str = Field("", max_length=40)

    async def do(self, room: Room) -> None:
        room.go_on()
        plan = Plan(self.pace, self.profile, self.model)
        await room.do(lambda booth: booth.ring(plan, self.account))


class Play(Deed):
    """Begin a scenario's call."""

    scenario: str = Field(pattern=r"^[a-z0-9_]{1,60}$")

    async def do(self, room: Room) -> None:
        room.go_on()
        await room.do(lambda booth: booth.play(self.scenario))


class HangUp(Deed):
    """Put the phone down."""

    async def do(self, room: Room) -> None:
        room.go_on()
        await room.do(Booth.hang_up)


class Reset(Deed):
    """Forget what was paid."""

    async def do(self, room: Room) -> None:
        room.go_on()
        await room.do(Booth.reset)


class Say(Deed):
    """Say something."""

    words: str = Field(min_length=1, max_length=LONGEST_WORDS)

    async def do(self, room: Room) -> None:
        await room.do(lambda booth: booth.say(self.words))


class Press(Deed):
    """Press keys."""

    keys: str = Field(pattern=r"^[0-9*#]{1,30}$")

    async def do(self, room: Room) -> None:
        await room.do(lambda booth: booth.press(self.keys))


class Card(Deed):
    """Key a test card in."""

    card: str = Field(max_length=20)

    async def do(self, room: Room) -> None:
        await room.do(lambda booth: booth.use_card(self.card))


class Interrupt(Deed):
    """Talk over the agent."""

    heard: str | None = Field(None, max_length=LONGEST_WORDS)

    async def do(self, room: Room) -> None:
        await room.do(lambda booth: booth.interrupt(self.heard))


class DropLine(Deed):
    """Cut the socket."""

    async def do(self, room: Room) -> None:
        await room.do(Booth.drop_line)


class Switch(Deed):
    """Switch faults on and off."""

    duplicate: bool = False
    reordered: bool = False
    late: bool = False
    lost_callbacks: bool = False
    lost_result: bool = False
    rest_error: bool = False
    model_error: bool = False
    lost_socket: bool = False

    async def do(self, room: Room) -> None:
        switches = Switches(**self.model_dump())
        await room.do(lambda booth: booth.switch(switches))


class Clock(Deed):
    """Let time go faster or slower, or stop it."""

    rate: float = Field(ge=0, le=FASTEST)

    async def do(self, room: Room) -> None:
        room.pace(self.rate)


DEEDS: dict[str, type[Deed]] = {
    "ring": Ring,
    "play": Play,
    "hang-up": HangUp,
    "reset": Reset,
    "say": Say,
    "press": Press,
    "card": Card,
    "interrupt": Interrupt,
    "drop-line": DropLine,
    "switch": Switch,
    "clock": Clock,
}
