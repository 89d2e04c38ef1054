"""Card rules: what may be keyed in, field by field."""

from __future__ import annotations

from datetime import date

import pytest

from payagent.lab import cards
from payagent.lab.cards import Rules

RULES = Rules(frozenset({"visa", "mastercard", "amex"}), 5, date(2026, 11, 22))
VISA, AMEX = "4242424242424242", "378282246310005"


@pytest.mark.parametrize(
    ("number", "scheme"),
    [
        (VISA, "visa"),
        ("4222222222222", "visa"),
        (AMEX, "amex"),
        ("5555555555554444", "mastercard"),
        ("2221000000000009", "mastercard"),
        ("2720990000000007", "mastercard"),
        ("2721000000000004", ""),
        ("6011111111111117", "discover"),
        ("3530111333300000", "jcb"),
        ("36227206271667", "diners-club"),
        ("201400000000009", "enroute"),
        ("6759649826438453", "maestro"),
        ("9111111111111111", ""),
    ],
)
def test_the_first_digits_tell_the_card_type(number: str, scheme: str) -> None:
    """Prefixes are those of the fact sheet, section 5.6."""
    found = cards.scheme_of(number)

    assert scheme == (found.name if found else "")


@pytest.mark.parametrize(
    ("capture", "digits", "card", "error"),
    [
        (cards.CARD_NUMBER, VISA, "", ""),
        (cards.CARD_NUMBER, "4242424242424241", "", "invalid-card-number"),
        (cards.CARD_NUMBER, "424242424242424", "", "invalid-card-number"),
        (cards.CARD_NUMBER, "0", "", "invalid-card-number"),
        (cards.CARD_NUMBER, "6011111111111117", "", "invalid-card-type"),
        (cards.EXPIRATION_DATE, "1126", VISA, ""),
        (cards.EXPIRATION_DATE, "1026", VISA, "invalid-date"),
        (cards.EXPIRATION_DATE, "1225", VISA, "invalid-date"),
        (cards.EXPIRATION_DATE, "1330", VISA, "invalid-date"),
        (cards.EXPIRATION_DATE, "130", VISA, "invalid-date"),
        (cards.SECURITY_CODE, "123", VISA, ""),
        (cards.SECURITY_CODE, "1234", VISA, "invalid-security-code"),
        (cards.SECURITY_CODE, "1234", AMEX, ""),
        (cards.SECURITY_CODE, "123", AMEX, "invalid-security-code"),
        (cards.SECURITY_CODE, "123", "", "invalid-card-number-security-code-capture-sequence"),
        (cards.POSTAL_CODE, "94105", VISA, ""),
        (cards.POSTAL_CODE, "941", VISA, "invalid-postal-code"),
        ("bank-account-number", "1", "", "internal-error"),
    ],
)
def test_each_field_has_its_rule(capture: str, digits: str, card: str, error: str) -> None:
    """What does not fit is named by Twilio's ErrorType."""
    assert error == cards.error_of(capture, digits, card, RULES)


@pytest.mark.parametrize(
    ("capture", "digits", "card", "length"),
    [
        (cards.CARD_NUMBER, "55", "", 16),
        (cards.CARD_NUMBER, "37", "", 15),
        (cards.CARD_NUMBER, "42", "", None),
        (cards.EXPIRATION_DATE, "1", VISA, 4),
        (cards.SECURITY_CODE, "1", AMEX, 4),
        (cards.SECURITY_CODE, "1", "", None),
        (cards.POSTAL_CODE, "9", VISA, None),
    ],
)
def test_only_a_known_length_completes_a_field_by_itself(
    capture: str, digits: str, card: str, length: int | None
) -> None:
    """A visa number may have 13, 16 or 19 digits, so it needs pound or a time-out."""
    assert length == cards.full_length(capture, digits, card)


@pytest.mark.parametrize(
    ("capture", "digits", "done", "shown"),
    [
        (cards.CARD_NUMBER, "4242", False, "xxxx"),
        (cards.CARD_NUMBER, VISA, True, "xxxxxxxxxxxx4242"),
        (cards.SECURITY_CODE, "123", True, "xxx"),
        (cards.EXPIRATION_DATE, "1230", True, "1230"),
        (cards.POSTAL_CODE, "94105", True, "94105"),
    ],
)
def test_masks_show_what_callbacks_show(capture: str, digits: str, done: bool, shown: str) -> None:
    """Of a number the last four, of a code nothing, of the rest everything."""
    assert shown == cards.mask(capture, digits, done=done)


@pytest.mark.parametrize(
    ("number", "code"), [(VISA, 0), ("4000000000000002", 64012), ("4000000000009995", 64012), ("4222222222222", 64022)]
)
def test_the_processor_decides_by_number(number: str, code: int) -> None:
    """Test cards pass or are declined; others are not allowed in TEST mode."""
    assert code == cards.refusal_of(number)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("card 4242 4242 4242 4242 please", True),
        ("4242-4242-4242-4242", True),
        ("4242424242424241", False),
        ("call CA0123456789abcdef", False),
        ("token ab4242424242424242", False),
        ("hash 4242424242424242ef", False),
        ('{"card":"4242424242424242"}', True),
        ("call 15550100123", False),
        ("xxxxxxxxxxxx4242", False),
    ],
)
def test_a_whole_card_number_is_found_in_text(text: str, found: bool) -> None:
    """Spaces and dashes do not hide it; other numbers are left alone."""
    assert found == cards.contains_card(text)
