"""What the parts of the stand-in Twilio share: the made-up account, the ledger's entries, the lab's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from payagent.lab.circumstances import Circumstances


@dataclass(frozen=True, slots=True)
class LabAccount:
    """The made-up Twilio account; `connector` is the unique name of its Pay connector."""

    account_sid: str = "AC" + "0a" * 16
    auth_token: str = "ab" * 16
    api_key: str = "SK" + "0b" * 16
    api_secret: str = "cd" * 16
    connector: str = "Default"
    number: str = "+15550199"


@dataclass(frozen=True, slots=True)
class Charge:
    """A card that was charged."""

    session: str
    amount: Decimal
    currency: str
    confirmation: str
    last_four: str


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A REST request and the HTTP status it was answered with; `operation` is `create capture complete cancel`."""

    operation: str
    idempotency_key: str
    status: int


@dataclass(frozen=True, slots=True)
class LabSettings:
    """`scale` multiplies every wait, `now` is UTC and aware; `calls` has the circumstances of each call by its SID.

    `tell` is told violations in words. `outages` says that the app may be gone for a while: that is no violation then.
    """

    account: LabAccount
    scale: float
    now: Callable[[], datetime]
    usual: Circumstances
    calls: dict[str, Circumstances]
    tell: Callable[[str], None]
    outages: bool = False

    def of(self, call_sid: str) -> Circumstances:
        """The circumstances of this call; the usual ones for a call nobody knows."""
        return self.calls.get(call_sid, self.usual)

    def report(self, violation: str, call_sid: str = "") -> None:
        """Something Twilio would reject has happened, in this call if one is named."""
        here = self.of(call_sid)
        here.violations.append(violation)
        here.observer.on("violation", text=violation)
        self.tell(violation)
