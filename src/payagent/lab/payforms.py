"""Checks the forms posted to the Payments subresource and reads them (fact sheet 4.1, 4.2, 4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from payagent.lab import cards

CURRENCIES = frozenset({"USD", "CAD", "EUR", "GBP", "MXN"})

_BOOLEAN = "true|false"
_PARAMETERS = {
    "IdempotencyKey": r"\S+",
    "StatusCallback": r"https?://\S+",
    "ChargeAmount": r".*",
    "Currency": r"[A-Z]{3}",
    "TokenType": "one-time|reusable|payment-method",
    "PaymentMethod": "credit-card|ach-debit",
    "BankAccountType": "consumer-checking|consumer-savings|commercial-checking",
    "PaymentConnector": r".+",
    "PostalCode": _BOOLEAN,
    "MinPostalCodeLength": r"\d{1,2}",
    "SecurityCode": _BOOLEAN,
    "Timeout": r"[1-9]\d?|[1-5]\d\d|600",
    "ValidCardTypes": rf"({'|'.join(cards.CARD_TYPES)})( ({'|'.join(cards.CARD_TYPES)}))*",
    "Input": "dtmf",
    "Description": r"(?s).*",
    "Parameter": r"(?s).*",
    "RequireMatchingInputs": "",  # the stand-in has nobody key a value twice
    "Confirmation": "false",  # nor reads the last four back
}
_UPDATE = {
    "IdempotencyKey": _PARAMETERS["IdempotencyKey"],
    "StatusCallback": _PARAMETERS["StatusCallback"],
    "Capture": f"{cards.CARD_NUMBER}|{cards.EXPIRATION_DATE}|{cards.SECURITY_CODE}|{cards.POSTAL_CODE}",
    "Status": "complete|cancel",
}


class Refusal(Exception):
    """An error answer; `forbidden` says that a correct app never causes it."""

    def __init__(self, code: int, message: str, *, status: int = 400, forbidden: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True)
class Opening:
    """A create as it is meant."""

    amount: Decimal
    currency: str
    captures: tuple[str, ...]
    accepted: frozenset[str]
    min_postal_code_length: int
    timeout_seconds: int
    callback_url: str


def read_create(form: Mapping[str, str], connector: str) -> Opening:
    """Read a create.

    Raises:
        Refusal: with the code of 4.4.
    """
    _check(form, _PARAMETERS)
    _check_kind(form, connector)
    get = form.get
    wanted = {
        cards.CARD_NUMBER: True,
        cards.EXPIRATION_DATE: True,
        cards.SECURITY_CODE: get("SecurityCode", "true") == "true",
        cards.POSTAL_CODE: get("PostalCode", "true") == "true",
    }
    return Opening(
        amount=_amount(get("ChargeAmount", "")),
        currency=get("Currency", "USD"),
        captures=tuple(capture for capture, on in wanted.items() if on),
        accepted=frozenset(get("ValidCardTypes", "visa mastercard amex").split()),
        min_postal_code_length=int(get("MinPostalCodeLength", "1")),
        timeout_seconds=int(get("Timeout", "5")),
        callback_url=form["StatusCallback"],
    )


def read_update(form: Mapping[str, str]) -> str:
    """Read an update: `complete`, `cancel` or the name of the field to capture.

    Raises:
        Refusal: with the code of 4.4.
    """
    _check(form, _UPDATE)
    if ("Capture" in form) == ("Status" in form):
        raise Refusal(64018, "exactly one of Capture and Status is needed")
    return form.get("Capture") or form["Status"]


def _check(form: Mapping[str, str], known: Mapping[str, str]) -> None:
    for name in ("IdempotencyKey", "StatusCallback"):
        if name not in form:
            raise Refusal(64020, f"{name} is required")
    for name, value in form.items():
        if name not in known:
            raise Refusal(64020, f"there is no parameter {name}")
        if not re.fullmatch(known[name], value):
            raise Refusal(64020, f"invalid {name}")
        if cards.contains_card(value):
            raise Refusal(64020, f"card data in {name}")
    url = urlsplit(form["StatusCallback"])
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost"):
        raise Refusal(64016, "StatusCallback must be https")


def _check_kind(form: Mapping[str, str], connector: str) -> None:
    rules: tuple[tuple[int, str, Callable[[], bool]], ...] = (
        (64004, "no connector of that name", lambda: form.get("PaymentConnector", "Default") != connector),
        (64013, "the connector takes cards only", lambda: form.get("PaymentMethod", "credit-card") != "credit-card"),
        (64017, "BankAccountType is not for cards", lambda: "BankAccountType" in form),
        (64011, "the connector does not take that currency", lambda: form.get("Currency", "USD") not in CURRENCIES),
    )
    for code, message, broken in rules:
        if broken():
            raise Refusal(code, message)


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"(0|[1-9]\d{0,5})(\.\d{1,2})?", text):
        raise Refusal(64003, f"ChargeAmount {text!r} is not an amount with at most two decimals")
    amount = Decimal(text)
    if amount == 0:
        raise Refusal(64003, "ChargeAmount 0 would tokenize the card, not charge it")
    return amount
