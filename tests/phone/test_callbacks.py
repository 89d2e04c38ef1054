"""Payments callbacks: every documented shape, every listed variation, and nothing of the card beyond its last four."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
)
from payagent.phone import callbacks

CALL = "CA" + "0" * 31 + "2"
PAY = "PK" + "0" * 31 + "3"
IDS = {"AccountSid": "AC" + "0" * 31 + "1", "CallSid": CALL, "Sid": PAY}

CARD = "payment-card-number"
ALL = "payment-card-number,expiration-date,security-code"
ALL_NAMES = ("card_number", "expiration_date", "security_code")
VISA = {"PaymentCardNumber": "xxxxxxxxxxxx1111", "PaymentCardType": "visa"}
FILLED = VISA | {"ExpirationDate": "1231", "SecurityCode": "xxx"}

STARTED = [
    ({}, PaymentSessionStarted(PAY)),
    (
        {"DateCreated": "2031-02-03T04:05:06.789Z", "PaymentConnector": "Default", "ChargeAmount": "12.10"},
        PaymentSessionStarted(PAY),
    ),
    ({"Capture": "", "Result": "", "ErrorType": ""}, PaymentSessionStarted(PAY)),
]

PROGRESS = [
    ({"Capture": CARD}, CaptureBegan(PAY, "card_number")),
    ({"Capture": CARD, "PartialResult": "true", "Required": ALL}, CaptureBegan(PAY, "card_number")),
    # a first callback that names nothing as missing is not a completion (fact sheet 10.8)
    ({"Capture": CARD, "Required": ""}, CaptureBegan(PAY, "card_number")),
    (
        {"Capture": CARD, "PartialResult": "true", "PaymentCardNumber": "xx", "Required": ALL},
        KeyPressed(PAY, "card_number"),
    ),
    ({"Capture": CARD, "PartialResult": "TRUE", **VISA, "Required": ""}, KeyPressed(PAY, "card_number")),
    ({"Capture": CARD, "PaymentCardNumber": "**"}, KeyPressed(PAY, "card_number")),
    ({"Capture": CARD, "PartialResult": "false", **VISA, "Required": ALL}, KeyPressed(PAY, "card_number")),
    (
        {"Capture": "security-code", "PartialResult": "true", **VISA, "Required": "security-code"},
        CaptureBegan(PAY, "security_code"),
    ),
]

CAPTURED = [
    (
        {"Capture": CARD, "PartialResult": "false", "Required": "expiration-date,security-code", **VISA},
        FieldCaptured(PAY, "card_number", ("expiration_date", "security_code"), "1111", "visa"),
    ),
    (
        {"Capture": CARD, "Required": "expiration-date, security-code", **VISA},
        FieldCaptured(PAY, "card_number", ("expiration_date", "security_code"), "1111", "visa"),
    ),
    (
        {"Capture": CARD, "PartialResult": "False", **VISA},
        FieldCaptured(PAY, "card_number", None, "1111", "visa"),
    ),
    (
        {"Capture": "PaymentCardNumber", "PartialResult": "false", "Required": "ExpirationDate", **VISA},
        FieldCaptured(PAY, "card_number", ("expiration_date",), "1111", "visa"),
    ),
    (
        {"Capture": "expirationDate", "PartialResult": "false", "Required": "securityCode,PostalCode", **VISA},
        FieldCaptured(PAY, "expiration_date", ("security_code", "postal_code"), "1111", "visa"),
    ),
    (
        {"Capture": "security-code-matcher", "PartialResult": "false", "Required": " , postal-code-matcher,PostalCode"},
        FieldCaptured(PAY, "security_code", ("postal_code",)),
    ),
    (
        {"Capture": "security-code", "PartialResult": "false", "Required": "", **FILLED},
        FieldCaptured(PAY, "security_code", (), "1111", "visa"),
    ),
    (
        {"Capture": "postal-code", "PartialResult": "false", "Required": "", "PaymentCardPostalCode": "90210"},
        FieldCaptured(PAY, "postal_code", ()),
    ),
    (
        {"Capture": "bank-routing-number", "PartialResult": "false", "Required": "BankAccountNumber"},
        FieldCaptured(PAY, "bank_routing_number", ("bank_account_number",)),
    ),
]

LAST_FOURS = [
    ("xxxxxxxxxxxx1111", "1111"),
    ("xxxx-xxxxxx-x4001", "4001"),
    ("**** **** **** 4242", "4242"),
    ("4111111111111234", "1234"),  # a leak: the rest is dropped
    ("x111", ""),
    ("xxxx", ""),
    ("", ""),
]

ERRORS = [
    ("invalid-card-number", FieldRejected(PAY, "card_number", "invalid-card-number")),
    ("invalid-card-type", FieldRejected(PAY, "card_number", "invalid-card-type")),
    ("invalid-date", FieldRejected(PAY, "card_number", "invalid-date")),
    ("invalid-security-code", FieldRejected(PAY, "card_number", "invalid-security-code")),
    ("invalid-postal-code", FieldRejected(PAY, "card_number", "invalid-postal-code")),
    ("invalid-bank-routing-number", FieldRejected(PAY, "card_number", "invalid-bank-routing-number")),
    ("invalid-bank-account-number", FieldRejected(PAY, "card_number", "invalid-bank-account-number")),
    ("invalid-bank-account-type", FieldRejected(PAY, "card_number", "invalid-bank-account-type")),
    ("input-matching-failed", FieldRejected(PAY, "card_number", "input-matching-failed")),
    ("something-new", FieldRejected(PAY, "card_number", "something-new")),
    ("saw 4111111111111111", FieldRejected(PAY, "card_number", "saw")),
    ("¿?", FieldRejected(PAY, "card_number", "unknown")),
    ("input-timeout", EntryTimedOut(PAY, "card_number", digits=False)),
    ("timeout", EntryTimedOut(PAY, "card_number", digits=False)),
    ("invalid-card-number-security-code-capture-sequence", CaptureOutOfSequence(PAY, "card_number")),
    ("session-in-progress", SessionRefused(PAY, "session-in-progress")),
    ("internal-error", SessionRefused(PAY, "internal-error")),
]

RESULTS = [
    ("payment-connector-error", "payment-connector-error"),
    ("caller-interrupted-with-star", "caller-interrupted-with-star"),
    ("caller-hung-up", "caller-hung-up"),
    ("validation-error", "validation-error"),
    ("too-many-failed-attempts", "too-many-failed-attempts"),
    ("internal-error", "internal-error"),
    ("Success", "Success"),
    ("success ", "success"),
    ("maybe<script>", "maybescript"),
    ("x" * 100, "x" * 64),
    ("4111-1111-1111-1111 ok", "--- ok"),
]


def read(fields: Mapping[str, str]) -> PayReport:
    """The event of a callback with these fields, its digest taken out."""
    call_sid, event = callbacks.decode(IDS | fields)
    assert call_sid == CALL
    return dataclasses.replace(event, digest="")


@pytest.mark.parametrize(("fields", "expected"), STARTED + PROGRESS + CAPTURED)
def test_reads_progress(fields: dict[str, str], expected: PayReport) -> None:
    """Start, first callback, key and completion are told apart in every spelling."""
    assert expected == read(fields)


@pytest.mark.parametrize(("mask", "last_four"), LAST_FOURS)
def test_keeps_at_most_four_digits(mask: str, last_four: str) -> None:
    """Of the card number its last four digits stay, whatever the mask, and nothing less than four."""
    captured = read({"Capture": CARD, "PartialResult": "false", "PaymentCardNumber": mask})
    succeeded = read({"Result": "success", "PaymentCardNumber": mask})

    assert FieldCaptured(PAY, "card_number", None, last_four) == captured
    assert PaymentSucceeded(PAY, "", last_four) == succeeded


@pytest.mark.parametrize("more", [{}, {"PartialResult": "false", "Required": ""}, {"PartialResult": "true"}])
@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_reads_errors_before_progress(error: str, expected: PayReport, more: dict[str, str]) -> None:
    """An error is an error with or without `PartialResult`, and unknown ones reject the field."""
    assert expected == read({"Capture": CARD, "ErrorType": error} | more)


@pytest.mark.parametrize(("mask", "digits"), [("", False), ("x", True)])
def test_time_out_says_whether_keys_were_pressed(mask: str, digits: bool) -> None:
    """Only the mask of the field that timed out counts."""
    fields = FILLED | {"Capture": "expiration-date", "ErrorType": "input-timeout", "ExpirationDate": mask}

    assert EntryTimedOut(PAY, "expiration_date", digits) == read(fields)


def test_error_without_a_field() -> None:
    """An error that names no field keeps none, and invents none."""
    assert EntryTimedOut(PAY, "", digits=False) == read({"ErrorType": "timeout"})


@pytest.mark.parametrize(("code", "kept"), [("ch_0a", "ch_0a"), ("", ""), ("<a b>\n", "ab"), ("9" * 80, "9" * 64)])
def test_reads_success(code: str, kept: str) -> None:
    """A success carries its confirmation code in plain characters, the card's last four and its type."""
    fields = FILLED | {"Result": "success", "PaymentConfirmationCode": code, "PaymentToken": "tok", "ProfileId": ""}

    assert PaymentSucceeded(PAY, kept, "1111", "visa") == read(fields)


def test_success_hides_behind_nothing() -> None:
    """A success is a success even if the body names a field and an error as well."""
    fields = {"Result": "success", "ErrorType": "internal-error", "Capture": CARD, "PayErrorCode": "64012"}

    assert PaymentSucceeded(PAY, "") == read(fields)


@pytest.mark.parametrize(("result", "kept"), RESULTS)
def test_anything_else_is_no_success(result: str, kept: str) -> None:
    """Every other result, near misses of `success` too, is a failure in its own word."""
    assert PaymentFailed(PAY, kept) == read({"Result": result, "ErrorType": "input-timeout"})


@pytest.mark.parametrize(("code", "number"), [("64012", 64012), ("", 0), ("64012x", 0), ("4111111111111111", 0)])
def test_reads_the_error_code(code: str, number: int) -> None:
    """`PayErrorCode` is a number of at most five digits, else 0."""
    expected = PaymentFailed(PAY, "payment-connector-error", number)

    assert expected == read({"Result": "payment-connector-error", "PayErrorCode": code})


@pytest.mark.parametrize(("shown", "kept"), [("Diners-Club", "diners-club"), ("4111111111111111", ""), ("", "")])
def test_card_type_is_a_word(shown: str, kept: str) -> None:
    """The card's type holds letters and hyphens only."""
    fields = {"Capture": CARD, "PartialResult": "false", "PaymentCardType": shown}

    assert FieldCaptured(PAY, "card_number", None, "", kept) == read(fields)


@pytest.mark.parametrize("name", ["CallSid", "Sid"])
@pytest.mark.parametrize("value", [None, "", "4111111111111111", "CA123", PAY + "0", PAY + "\n", "XX" + "0" * 32])
def test_both_sids_are_required(name: str, value: str | None) -> None:
    """Without a call and a session there is nothing to report; the refusal names the field, not its value."""
    form = {k: v for k, v in (IDS | {name: value}).items() if v is not None}

    with pytest.raises(BadCallback) as caught:
        callbacks.decode(form)

    assert str(caught.value) == f"{name} is missing or is not a SID"


def digest(fields: Mapping[str, str], token: str = "") -> str:
    """The digest of a callback with these fields."""
    return callbacks.decode(IDS | fields, token)[1].digest


def test_digest_tells_callbacks_apart() -> None:
    """Equal bodies have equal digests in any order of fields; another value makes another digest."""
    one = {"Capture": CARD, "ErrorType": "input-timeout"}

    assert re.fullmatch("[0-9a-f]{16}", digest(one))
    assert digest(one) == digest(dict(reversed(one.items())))
    assert digest(one) != digest(one | {"DateUpdated": "2031-02-03T04:05:06.789Z"})
    assert digest({"Capture": CARD, "PaymentCardNumber": "x"}) != digest({"Capture": CARD, "PaymentCardNumber": "xx"})


def test_digest_of_a_token_is_of_the_token_only() -> None:
    """Twilio's own token of a delivery decides, whatever the body."""
    assert digest({"Capture": CARD}, "t1") == digest({"Result": "success"}, "t1")
    assert digest({"Capture": CARD}, "t1") != digest({"Capture": CARD}, "t2")
    assert digest({"Capture": CARD}, "t1") != digest({"Capture": CARD})


@pytest.mark.parametrize("name", ["ExpirationDate", "PaymentCardPostalCode", "SecurityCode", "PaymentCardNumber"])
def test_digest_gives_no_card_value_away(name: str) -> None:
    """Nobody can try out expiry dates against a digest: they do not make a difference to it."""
    assert digest({"Capture": CARD, name: "1231"}) == digest({"Capture": CARD, name: "0934"})


names = st.sampled_from([
    "CallSid", "Sid", "Capture", "PartialResult", "Required", "ErrorType", "Result", "PayErrorCode",
    "PaymentCardNumber", "PaymentCardType", "ExpirationDate", "SecurityCode", "PaymentCardPostalCode",
])  # fmt: skip
values = st.text() | st.sampled_from([
    "true", "false", "success", "internal-error", "input-timeout", CARD, "expiration-date", ALL, CALL, PAY,
]) | st.text("0123456789x-*", max_size=30)  # fmt: skip


@given(fields=st.dictionaries(names | st.text(), values), token=st.text(), whole=st.booleans())
def test_no_body_breaks_the_decoder_or_leaks(fields: dict[str, str], token: str, whole: bool) -> None:
    """Whatever a body holds: an event or a BadCallback, and never more than four digits of a mask in a row."""
    try:
        _, event = callbacks.decode(fields | IDS if whole else fields, token)
    except BadCallback:
        return

    spoken = {k: v for k, v in dataclasses.asdict(event).items() if k not in ("session", "digest", "code")}
    assert not re.search("[0-9]{5}", str(spoken))
    assert spoken.get("expiration_date") is None
