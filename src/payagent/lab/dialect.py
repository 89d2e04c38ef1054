"""How Twilio words its callbacks where its documents and recorded bodies disagree (fact sheet sections 5.1 and 10).

The stand-in makes the recorded shape; `reword` turns it into another one that Twilio may send just as well. Card data
is masked in all of them but the one that leaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = dict[str, str]

NAMES = {
    "payment-card-number": "PaymentCardNumber",
    "expiration-date": "ExpirationDate",
    "security-code": "SecurityCode",
    "postal-code": "PaymentCardPostalCode",
}
"""Where a field's value stands in a callback."""

_MASKED = ("PaymentCardNumber", "SecurityCode")
_IDS = ("AccountSid", "CallSid", "Sid")
_COMMON = ("DateCreated", "PaymentConnector", "PaymentMethod", "ChargeAmount", "DateUpdated")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One choice for each thing that is uncertain; the defaults are what was recorded.

    Attributes:
        required: how `Required` is written; `absent` leaves it out, so that only `PartialResult` tells.
        mask: how card number and code are masked; `leaking` shows the first digits of the number too.
        common: the fields beside the ids: as `recorded`, in `all` callbacks as documented, or in `none`.
        partial: how `PartialResult` is written; `absent` leaves it out, so that only `Required` tells.
        partial_on_error: `PartialResult` of a failed field; "" leaves it out.
        error_twice: a failed field is told in two callbacks that differ in their time only.
        time_out: how the time-out's `ErrorType` is spelt.
        idle_time_out: Twilio times out before the first digit too.
        cancel_result: the `Result` after a cancel; "" is a callback without one, `none` is no callback at all.
        hang_up: what tells that the caller hung up, in order: `socket`, `callback`, `action`; one left out never comes.
        gateway: whether a refused card is told by `callback` or by the `rest` answer to complete.
        after_decline: whether a declined session is `dead`, or stays `open` until it is cancelled (64021).
        extras: fields and relay frames that nobody has documented come along.
        bare_prompts: `last` and `lang` are left out of prompts, and numbers are strings.
        error_status: the HTTP status of Twilio's own error numbers.
    """

    required: Literal["kebab", "spaced", "pascal", "camel", "absent"] = "kebab"
    mask: Literal["recorded", "documented", "stars", "leaking"] = "recorded"
    common: Literal["recorded", "all", "none"] = "recorded"
    partial: Literal["lower", "title", "absent"] = "lower"
    partial_on_error: Literal["", "true", "false"] = ""
    error_twice: bool = False
    time_out: Literal["input-timeout", "timeout"] = "input-timeout"
    idle_time_out: bool = False
    cancel_result: str = "payment-cancelled"
    hang_up: tuple[str, ...] = ("socket", "callback", "action")
    gateway: Literal["callback", "rest"] = "callback"
    after_decline: Literal["dead", "open"] = "dead"
    extras: bool = False
    bare_prompts: bool = False
    error_status: int = 400


def reword(form: Form, dialect: Dialect, amount: str, leak: str = "") -> Form:
    """The callback `form`, of a session for `amount`, as that dialect has it; `leak` is what a leaking mask shows."""
    form = _fields(dict(form), dialect, amount)
    if "Required" in form:
        form = _required(form, dialect)
    if "PartialResult" in form:
        form = _partial(form, dialect)
    if "ErrorType" in form:
        form = _error(form, dialect)
    form |= {name: _masked(form[name], dialect, leak) for name in _MASKED if form.get(name)}
    if dialect.extras:
        form |= {"For": "payment-card-number", "Attempt": "1", "PayConnector_ref": "", "SomethingNew": "yes"}
    return form


def _fields(form: Form, dialect: Dialect, amount: str) -> Form:
    if dialect.common == "none":
        return {name: value for name, value in form.items() if name not in _COMMON}
    if dialect.common == "all":
        everywhere = {"PaymentConnector": "Default", "PaymentMethod": "credit-card", "ChargeAmount": amount}
        date = form.get("DateCreated") or form.get("DateUpdated", "")
        return {"DateCreated": date, "DateUpdated": date} | everywhere | form
    return form


def _required(form: Form, dialect: Dialect) -> Form:
    names = [name for name in form["Required"].split(",") if name]
    match dialect.required:
        case "absent":
            return {name: value for name, value in form.items() if name != "Required"}
        case "spaced":
            return form | {"Required": ", ".join(names)}
        case "pascal":
            return form | {"Required": ",".join(NAMES[name] for name in names)}
        case "camel":
            return form | {"Required": ",".join(NAMES[name][0].lower() + NAMES[name][1:] for name in names)}
        case "kebab":
            return form


def _partial(form: Form, dialect: Dialect) -> Form:
    match dialect.partial:
        case "absent":
            return {name: value for name, value in form.items() if name != "PartialResult"}
        case "title":
            return form | {"PartialResult": form["PartialResult"].title()}
        case "lower":
            return form


def _error(form: Form, dialect: Dialect) -> Form:
    if form["ErrorType"] == "input-timeout":
        form = form | {"ErrorType": dialect.time_out}
    return form | {"PartialResult": dialect.partial_on_error} if dialect.partial_on_error else form


def _masked(value: str, dialect: Dialect, leak: str) -> str:
    match dialect.mask:
        case "documented" if len(value) == 16:
            return f"{value[:4]}-{value[4:10]}-{value[10]}{value[12:]}"
        case "stars":
            return value.replace("x", "*")
        case "leaking" if leak and len(value) == len(leak):
            return leak[:6] + value[6:]
        case _:
            return value
