"""What a storm takes for a broken promise, and what it lays to the storm itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from payagent.lab.circumstances import Circumstances
from payagent.lab.line import LEFT_OPEN, LOST_WITH_THE_SERVER, LabCall
from payagent.lab.model import LIE
from payagent.lab.twilio import StandInTwilio
from payagent.storm.run import _lies, _violations


@dataclass
class Session:
    call_sid: str = "CA1"
    end: str = ""


@dataclass
class Heard:
    """A call as a storm looks at it."""

    spoken: list[str] = field(default_factory=list)
    sid: str = "CA1"
    circumstances: Circumstances = field(default_factory=Circumstances)
    sessions: list[Session] = field(default_factory=list)


def lies(heard: Heard) -> list[str]:
    return [found.what for found in _lies(cast(LabCall, heard), cast(StandInTwilio, heard))]


def test_paid_is_a_lie_where_nothing_was_charged() -> None:
    """Whoever says it; after a charge it may be said again, but not with a made-up code."""
    paid = "Your payment of six dollars went through."
    charged = [Session(end="payment-connector-error"), Session(end="success")]

    assert lies(Heard(["Hello."])) == []
    assert lies(Heard([paid])) == [f"no card was charged, and was said: “{paid}”"]
    assert lies(Heard([paid, paid], sessions=charged)) == []
    assert lies(Heard([paid], sessions=[Session("CA2", "success")])) != []
    assert lies(Heard([paid, LIE], sessions=charged)) == [f"a made-up code was said: “{LIE}”"]


def test_a_session_left_open_is_excused_by_a_kill_and_nothing_else_is() -> None:
    """The cancel was ordered, and the server killed before it could be sent."""
    calm, killed = Heard(), Heard()
    for heard in (calm, killed):
        heard.circumstances.violations += [LEFT_OPEN, "card data in <Task>"]
    killed.circumstances.injected[LOST_WITH_THE_SERVER] = 1

    assert _violations(cast(LabCall, calm)) == [LEFT_OPEN, "card data in <Task>"]
    assert _violations(cast(LabCall, killed)) == ["card data in <Task>"]
