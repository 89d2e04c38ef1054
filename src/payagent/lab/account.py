"""What the parts of the stand-in Twilio share: the made-up account, the ledger's entries, the lab's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from payagent.lab.faults import Faults
from payagent.lab.observer import Observer


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


@dataclass(slots=True)
class LabSettings:
    """`scale` multiplies every wait, `now` is UTC and aware, `report` takes violations in words.

    `faults` may be changed while calls go on.
    """

    account: LabAccount
    faults: Faults
    scale: float
    now: Callable[[], datetime]
    observer: Observer
    report: Callable[[str], None]
