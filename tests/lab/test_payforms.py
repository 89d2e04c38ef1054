"""The forms of the Payments subresource: what is read, and what is refused with which code."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payagent.lab import payforms

BASIS = {"IdempotencyKey": "k", "StatusCallback": "https://pay.example.test/cb"}
CREATE = BASIS | {"ChargeAmount": "12.10"}


def test_a_create_is_read_with_its_defaults() -> None:
    """Security code and postal code are asked for unless switched off; three card types; 5 seconds."""
    opening = payforms.read_create(CREATE, "Default")

    assert opening.amount == Decimal("12.10")
    assert opening.captures == ("payment-card-number", "expiration-date", "security-code", "postal-code")
    assert opening.accepted == {"visa", "mastercard", "amex"}
    assert (opening.currency, opening.timeout_seconds) == ("USD", 5)
    short = payforms.read_create(CREATE | {"PostalCode": "false", "SecurityCode": "false"}, "Default")
    assert short.captures == ("payment-card-number", "expiration-date")


@pytest.mark.parametrize("amount", ["12.101", "12.100000000000001", "-1", "0", "", "1000000", "1e3", "012", "12,10"])
def test_only_an_exact_amount_is_taken(amount: str) -> None:
    """At most two decimals, below a million, never zero: that would tokenize."""
    with pytest.raises(payforms.Refusal) as caught:
        payforms.read_create(CREATE | {"ChargeAmount": amount}, "Default")

    assert caught.value.code == 64003
    assert caught.value.forbidden


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"PaymentConnector": "default"}, 64004),
        ({"PaymentMethod": "ach-debit"}, 64013),
        ({"BankAccountType": "consumer-checking"}, 64017),
        ({"Currency": "XXX"}, 64011),
        ({"Currency": "usd"}, 64020),
        ({"SecurityCode": "True"}, 64020),
        ({"Timeout": "0"}, 64020),
        ({"Timeout": "601"}, 64020),
        ({"ValidCardTypes": "visa,mastercard"}, 64020),
        ({"TokenType": "single"}, 64020),
        ({"Confirmation": "true"}, 64020),
        ({"Amount": "1"}, 64020),
        ({"IdempotencyKey": ""}, 64020),
        ({"StatusCallback": "/relative"}, 64020),
        ({"StatusCallback": "http://pay.example.test/cb"}, 64016),
        ({"Description": "card 4242424242424242"}, 64020),
    ],
)
def test_a_create_out_of_range_is_refused(form: dict[str, str], code: int) -> None:
    """Each with the code of the error dictionary."""
    with pytest.raises(payforms.Refusal) as caught:
        payforms.read_create(CREATE | form, "Default")

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 64018),
        ({"Capture": "payment-card-number", "Status": "cancel"}, 64018),
        ({"Capture": "card-number"}, 64020),
        ({"Status": "done"}, 64020),
        ({"ChargeAmount": "1"}, 64020),
    ],
)
def test_an_update_is_exactly_one_deed(form: dict[str, str], code: int) -> None:
    """Neither, both, or unknown ones are refused."""
    with pytest.raises(payforms.Refusal) as caught:
        payforms.read_update(BASIS | form)

    assert caught.value.code == code


@pytest.mark.parametrize("name", ["IdempotencyKey", "StatusCallback"])
def test_two_parameters_are_needed_every_time(name: str) -> None:
    """In an update too."""
    form = {key: value for key, value in BASIS.items() if key != name} | {"Status": "cancel"}
    with pytest.raises(payforms.Refusal, match=name):
        payforms.read_update(form)


def test_the_deed_is_read() -> None:
    """A field's name, or what to do with the session."""
    assert payforms.read_update(BASIS | {"Capture": "security-code"}) == "security-code"
    assert payforms.read_update(BASIS | {"Status": "complete"}) == "complete"
