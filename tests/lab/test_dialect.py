"""The recorded callback, in other words that Twilio may use."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from payagent.lab.dialect import Dialect, reword

UPDATE = {
    "AccountSid": "AC1",
    "CallSid": "CA1",
    "Sid": "PK1",
    "DateUpdated": "2031-02-03T04:05:06.789Z",
    "Capture": "payment-card-number",
    "Required": "expiration-date,security-code",
    "PartialResult": "false",
    "PaymentCardNumber": "xxxxxxxxxxxx1111",
    "PaymentCardType": "visa",
}
FAILED = {"CallSid": "CA1", "Sid": "PK1", "Capture": "security-code", "ErrorType": "input-timeout"}
FINAL = {"CallSid": "CA1", "Sid": "PK1", "DateUpdated": "d", "PaymentMethod": "credit-card", "Result": "success"}


def test_the_recorded_words_are_the_plain_ones() -> None:
    """Nothing is changed."""
    assert reword(UPDATE, Dialect(), "12.10") == UPDATE
    assert reword(FAILED, Dialect(), "12.10") == FAILED
    assert reword(FINAL, Dialect(), "12.10") == FINAL


@pytest.mark.parametrize(
    ("dialect", "name", "value"),
    [
        (Dialect(required="spaced"), "Required", "expiration-date, security-code"),
        (Dialect(required="pascal"), "Required", "ExpirationDate,SecurityCode"),
        (Dialect(required="camel"), "Required", "expirationDate,securityCode"),
        (Dialect(required="absent"), "Required", None),
        (Dialect(mask="documented"), "PaymentCardNumber", "xxxx-xxxxxx-x1111"),
        (Dialect(mask="stars"), "PaymentCardNumber", "************1111"),
        (Dialect(mask="leaking"), "PaymentCardNumber", "411111xxxxxx1111"),
        (Dialect(partial="title"), "PartialResult", "False"),
        (Dialect(partial="absent"), "PartialResult", None),
        (Dialect(common="all"), "ChargeAmount", "12.10"),
        (Dialect(common="all"), "DateCreated", UPDATE["DateUpdated"]),
        (Dialect(common="none"), "DateUpdated", None),
        (Dialect(extras=True), "SomethingNew", "yes"),
    ],
    ids=repr,
)
def test_an_update_in_other_words(dialect: Dialect, name: str, value: str | None) -> None:
    """Each choice changes its own field."""
    assert reword(UPDATE, dialect, "12.10", "4111111111111111").get(name) == value


@pytest.mark.parametrize("required", get_args(get_type_hints(Dialect)["required"]))
def test_an_empty_required_stays_empty(required: str) -> None:
    """All is done, and said so, unless nothing is said."""
    said = reword(UPDATE | {"Required": ""}, Dialect(required=required), "12.10").get("Required")

    assert said == (None if required == "absent" else "")


def test_a_failed_field_in_other_words() -> None:
    """The other spelling, and a `PartialResult` beside it."""
    said = reword(FAILED, Dialect(time_out="timeout", partial_on_error="false"), "12.10")

    assert (said["ErrorType"], said["PartialResult"]) == ("timeout", "false")


def test_a_mask_of_fewer_digits_is_left_as_it_is() -> None:
    """Only a whole number is grouped, and a leak needs the number."""
    form = {"PaymentCardNumber": "xxx", "SecurityCode": "xxx"}

    assert reword(form, Dialect(mask="documented"), "1.00") == form
    assert reword(form, Dialect(mask="leaking"), "1.00", "4111111111111111") == form
