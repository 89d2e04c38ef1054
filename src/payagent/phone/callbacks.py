"""Reads a Payments status callback into the one event it reports.

Rules:

* `CallSid` and `Sid` are required; everything else may be missing (Twilio's pages and recorded bodies disagree).
* `Result` first, then `ErrorType`, then progress: a final result is never hidden by what stands beside it.
* Only the exact word `success` is a success; unknown values of `Result` and `ErrorType` stay failures.
* Of the card only its type and last four digits leave this module. Expiry, postal code, token, masks and counts do
  not, no error quotes a value, and no free word of Twilio's keeps more than four digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from payagent.errors import BadCallback
from payagent.flow.events import (
    CaptureBegan,
    CaptureOutOfSequence,
    EntryTimedOut,
    FieldCaptured,
    FieldRejected,
    KeyPressed,
    PaymentFailed,
    PaymentSessionStarted,
    PaymentSucceeded,
    PayReport,
    SessionRefused,
    snake,
)
from payagent.flow.states import CARD_NUMBER, EXPIRATION_DATE, FIELDS, POSTAL_CODE, SECURITY_CODE

MASKS = {
    CARD_NUMBER.name: "PaymentCardNumber",
    EXPIRATION_DATE.name: "ExpirationDate",
    SECURITY_CODE.name: "SecurityCode",
    POSTAL_CODE.name: "PaymentCardPostalCode",
}
"""Where a field's keyed-in value stands, masked or (expiry, postal code) in clear."""

_KEYED_IN = frozenset(MASKS.values())

TIMEOUTS = {"input-timeout", "timeout"}
"""One error, spelt in two ways on Twilio's `<Pay>` and `<Prompt>` pages."""

OUT_OF_SEQUENCE = "invalid-card-number-security-code-capture-sequence"
SESSION_ERRORS = {"session-in-progress", "internal-error"}


def decode(form: Mapping[str, str], token: str = "") -> tuple[str, PayReport]:
    """Read a callback into its call's SID and its event.

    `token` is the `I-Twilio-Idempotency-Token` header, the same on every delivery of one callback.

    Raises:
        BadCallback: `CallSid` or `Sid` is missing or is no SID.
    """
    call_sid, session = sid(form, "CallSid", "CA"), sid(form, "Sid", "PK")
    digest = _digest(form, token)
    if form.get("Result"):
        return call_sid, _final(form, session, digest)
    if form.get("ErrorType"):
        return call_sid, _failure(form, session, digest)
    return call_sid, _progress(form, session, digest)


def sid(form: Mapping[str, str], name: str, prefix: str) -> str:
    """The SID in `form[name]`: `prefix` and 32 hex digits, as in Twilio's OpenAPI file.

    Raises:
        BadCallback: it is missing or has another shape.
    """
    value = form.get(name, "")
    if not re.fullmatch(prefix + "[0-9a-fA-F]{32}", value):
        raise BadCallback(f"{name} is missing or is not a SID")
    return value


def word(value: str) -> str:
    """A free word of Twilio's, fit for the record: 64 plain characters, and no digits where it has more than four."""
    plain = re.sub(r"[^A-Za-z0-9 _.-]", "", value)
    kept = plain if len(_digits(plain)) <= 4 else re.sub("[0-9]", "", plain)
    return kept.strip()[:64] or "unknown"


def _final(form: Mapping[str, str], session: str, digest: str) -> PayReport:
    if form["Result"] == "success":
        code = re.sub("[^A-Za-z0-9_.:/#+=-]", "", form.get("PaymentConfirmationCode", ""))[:64]
        return PaymentSucceeded(session, code, *_card(form), digest)
    error = form.get("PayErrorCode", "")
    return PaymentFailed(session, word(form["Result"]), int(error) if re.fullmatch("[0-9]{1,5}", error) else 0, digest)


def _failure(form: Mapping[str, str], session: str, digest: str) -> PayReport:
    """Asked before progress: an error may come with or without `PartialResult` (fact sheet 10.9)."""
    error, field = form["ErrorType"].strip().lower(), _field(form.get("Capture", ""))
    if error in TIMEOUTS:
        return EntryTimedOut(session, field, _has_digits(form, field), digest)
    if error == OUT_OF_SEQUENCE:
        return CaptureOutOfSequence(session, field, digest)
    if error in SESSION_ERRORS:
        return SessionRefused(session, error, digest)
    return FieldRejected(session, field, word(error), digest)


def _progress(form: Mapping[str, str], session: str, digest: str) -> PayReport:
    field = _field(form.get("Capture", ""))
    if not field:
        return PaymentSessionStarted(session, digest)
    required = _required(form)
    if _is_done(form, field, required):
        return FieldCaptured(session, field, required, *_card(form), digest)
    return (KeyPressed if _has_digits(form, field) else CaptureBegan)(session, field, digest)


def _is_done(form: Mapping[str, str], field: str, required: tuple[str, ...] | None) -> bool:
    """Whether the field is complete (fact sheet 10.6).

    Without `PartialResult` a mask must be there as well: the first callback after the request may carry nothing
    but the field's name, and is neither progress nor completion (10.8).
    """
    partial = form.get("PartialResult", "").strip().lower()
    if partial == "true" or (required is not None and field in required):
        return False
    return partial == "false" or (required is not None and _has_digits(form, field))


def _has_digits(form: Mapping[str, str], field: str) -> bool:
    return bool(form.get(MASKS.get(field, ""), ""))


def _squash(name: str) -> str:
    """`payment-card-number`, `PaymentCardNumber` and `paymentCardNumber-matcher` are one name."""
    return re.sub("[^a-z]", "", name.lower()).removesuffix("matcher")


NAMES = {_squash(f.capture): f.name for f in FIELDS.values()} | {_squash(MASKS[name]): name for name in FIELDS}


def _field(capture: str) -> str:
    """Payagent's name of a Twilio field; a field it does not know keeps its own, in snake case and without digits."""
    return NAMES.get(_squash(capture)) or re.sub("[^a-z_]", "", snake(capture.strip()).replace("-", "_"))[:64]


def _required(form: Mapping[str, str]) -> tuple[str, ...] | None:
    """The fields still missing: () when Twilio says none are, None when it does not say (fact sheet 10.5)."""
    if "Required" not in form:
        return None
    names = (_field(name) for name in form["Required"].split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _card(form: Mapping[str, str]) -> tuple[str, str]:
    """The card's last four digits ("" when fewer are shown) and its type.

    More than four digits would be a leak: the rest is dropped here, unlogged (fact sheet 10.7).
    """
    last_four = _digits(form.get(MASKS[CARD_NUMBER.name], ""))[-4:]
    card_type = re.sub("[^a-z-]", "", form.get("PaymentCardType", "").lower())[:20]
    return (last_four if len(last_four) == 4 else ""), card_type


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def _digest(form: Mapping[str, str], token: str) -> str:
    """16 hex digits that are equal for two deliveries of one callback.

    The card's values go in with their digits masked: an expiry or a postal code could be guessed back from a hash.
    """
    if token:
        return sha256(token.encode(errors="replace")).hexdigest()[:16]
    body = sorted((k, re.sub("[0-9]", "x", v) if k in _KEYED_IN else v) for k, v in form.items())
    return sha256(ascii(body).encode()).hexdigest()[:16]
