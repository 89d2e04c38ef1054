"""One payment session inside Twilio: keys in, status callbacks out (fact sheet 5.1 to 5.4). No I/O.

Values accumulate: a later field's callback repeats the masks of the earlier ones. `Required` shrinks to the empty
string. The clear digits live here, in the part of the lab that plays Twilio, and leave it only masked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from payagent.lab import cards
from payagent.lab.dialect import NAMES

STAR = "caller-interrupted-with-star"
HUNG_UP = "caller-hung-up"
CANCELLED = "payment-cancelled"  # what Twilio really sends after a cancel is not published (5.2, point 9)
DECLINED = "payment-connector-error"
SUCCESS = "success"

_REASONS = {
    64012: "Your card was declined.",
    64022: "The connector is in TEST mode and the card is not a test card.",
}


@dataclass(frozen=True, slots=True)
class Callback:
    """One status callback; `kind` is `start began partial done error` or `final`."""

    kind: str
    form: dict[str, str]


@dataclass(slots=True)
class PaySession:
    """A payment session; `end` is "" while it is open, then its `Result` (or what the stand-in calls it).

    `asked` are the kinds of requests that came in for it, whatever became of them: `capture complete cancel`.
    """

    sid: str
    call_sid: str
    account_sid: str
    amount: Decimal
    currency: str
    connector: str
    captures: tuple[str, ...]
    rules: cards.Rules
    timeout_seconds: float
    callback_url: str
    now: Callable[[], datetime]
    end: str = ""
    completing: bool = False
    asked: set[str] = field(default_factory=set)
    active: str = ""
    digits: str = ""
    values: dict[str, str] = field(default_factory=dict)

    @property
    def card(self) -> str:
        """The captured card number in clear, "" before it is captured."""
        return self.values.get(cards.CARD_NUMBER, "")

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields still to be captured."""
        return tuple(capture for capture in self.captures if capture not in self.values)

    def opened(self) -> Callback:
        """The start callback: exactly the seven recorded names (5.2, point 1)."""
        created = {
            "DateCreated": self.timestamp(),
            "PaymentConnector": self.connector,
            "PaymentMethod": "credit-card",
            "ChargeAmount": f"{self.amount:.2f}",
        }
        return Callback("start", self._ids() | created)

    def begin(self, capture: str) -> Callback:
        """Listen for `capture`; one captured before is required again (4.2)."""
        self.active, self.digits = capture, ""
        self.values.pop(capture, None)
        return Callback("began", self._update(PartialResult="true"))

    def key(self, key: str) -> list[Callback]:
        """One key of the keypad, while a capture is active."""
        if key == "*":
            return [self.close(STAR)]
        if key == "#":
            return [self._finish()] if self.digits else []
        self.digits += key
        partial = Callback("partial", self._update(PartialResult="true", **self._typed()))
        full = cards.full_length(self.active, self.digits, self.card)
        return [partial, self._finish()] if len(self.digits) == full else [partial]

    def timed_out(self) -> Callback:
        """No digit for `timeout_seconds`: what is in counts if it is whole, else it is an input time-out."""
        if self.digits and not self._error():
            return self._finish()
        typed = self._typed() if self.digits else {}
        return self._fail("input-timeout", typed)

    def close(self, result: str, **extra: str) -> Callback:
        """The session is over; the callback that carries `Result`."""
        self.end, self.active, self.digits = result, "", ""
        # PaymentMethod, the masks and Result: the recorded final shape (5.2, point 6)
        form = self._ids() | {"DateUpdated": self.timestamp(), "PaymentMethod": "credit-card"}
        return Callback("final", form | self._masks() | {"Result": result} | extra)

    def succeed(self, confirmation: str) -> Callback:
        """The processor charged the card: the 13 recorded names."""
        return self.close(SUCCESS, PaymentConfirmationCode=confirmation, PaymentToken="", ProfileId="")

    def decline(self, code: int) -> Callback:
        """The processor refused the card (5.2, point 8)."""
        reason = _REASONS[code]
        return self.close(DECLINED, PayErrorCode=str(code), PaymentError=reason, ConnectorError=reason)

    def reopen(self) -> None:
        """The session goes on after a refused card; whether Twilio's does is not published (point 16)."""
        self.end, self.completing, self.values = "", False, {}

    def _finish(self) -> Callback:
        error = self._error()
        if error:
            return self._fail(error, {})
        self.values[self.active] = self.digits
        self._drop_code_that_does_not_fit()
        done = Callback("done", self._update(PartialResult="false"))
        self.active, self.digits = "", ""
        return done

    def _fail(self, error: str, typed: dict[str, str]) -> Callback:
        failed = Callback("error", self._update(ErrorType=error, **typed))
        self.active, self.digits = "", ""
        return failed

    def _error(self) -> str:
        return cards.error_of(self.active, self.digits, self.card, self.rules)

    def _drop_code_that_does_not_fit(self) -> None:
        scheme = cards.scheme_of(self.card)
        code = self.values.get(cards.SECURITY_CODE)
        if code and scheme and len(code) != scheme.code_length:
            del self.values[cards.SECURITY_CODE]

    def _typed(self) -> dict[str, str]:
        return {NAMES[self.active]: cards.mask(self.active, self.digits, done=False)}

    def _masks(self) -> dict[str, str]:
        masks = {NAMES[c]: cards.mask(c, digits, done=True) for c, digits in self.values.items()}
        scheme = cards.scheme_of(self.card)
        return masks | ({"PaymentCardType": scheme.name} if scheme else {})

    def _update(self, **extra: str) -> dict[str, str]:
        form = self._ids() | {"DateUpdated": self.timestamp(), "Capture": self.active}
        return form | {"Required": ",".join(self.missing)} | self._masks() | extra

    def _ids(self) -> dict[str, str]:
        return {"AccountSid": self.account_sid, "CallSid": self.call_sid, "Sid": self.sid}

    def timestamp(self) -> str:
        """Now, as callbacks write it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
