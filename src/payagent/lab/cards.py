"""What a card may look like and what the processor does with it (fact sheet 5.6 and 7).

Numbers are strings of digits, expiry is `MMYY`. Errors are Twilio's `ErrorType` words, "" when there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

CARD_NUMBER = "payment-card-number"
EXPIRATION_DATE = "expiration-date"
SECURITY_CODE = "security-code"
POSTAL_CODE = "postal-code"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A card type: how its numbers begin and how many digits they have."""

    name: str
    prefix: str
    lengths: tuple[int, ...]

    @property
    def code_length(self) -> int:
        """Digits of the security code."""
        return 4 if self.name == "amex" else 3


# The narrower prefixes stand first: maestro's bare 6 would else take every discover card.
SCHEMES = (
    Scheme("amex", r"3[47]", (15,)),
    Scheme("jcb", r"352[89]|35[3-8]", (16, 17, 18, 19)),
    Scheme("diners-club", r"30[0-4]|3095|3[689]", (14, 15, 16, 17, 18, 19)),
    Scheme("enroute", r"2014|2149", (15,)),
    Scheme("mastercard", r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    Scheme("visa", r"4", (13, 16, 19)),
    Scheme("discover", r"6011|6[45]", (16, 17, 18, 19)),
    Scheme("maestro", r"50|5[6-8]|6", tuple(range(12, 20))),
)
CARD_TYPES = frozenset({scheme.name for scheme in SCHEMES} | {"optima"})

APPROVED = frozenset({"4242424242424242", "4111111111111111", "5555555555554444", "378282246310005"})
DECLINED = frozenset({"4000000000000002", "4000000000009995"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What one payment session accepts."""

    accepted: frozenset[str]
    min_postal_code_length: int
    today: date


def luhn(number: str) -> bool:
    """Whether the check digit fits."""
    doubled = (int(d) * 2 for d in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def scheme_of(number: str) -> Scheme | None:
    """The card type by its first digits."""
    return next((s for s in SCHEMES if re.match(s.prefix, number)), None)


def error_of(capture: str, digits: str, card: str, rules: Rules) -> str:
    """What is wrong with `digits` keyed in for `capture`; `card` is the number captured before, or ""."""
    match capture:
        case "payment-card-number":
            return _number_error(digits, rules)
        case "expiration-date":
            return _date_error(digits, rules.today)
        case "security-code":
            return _code_error(digits, card)
        case "postal-code":
            return "" if rules.min_postal_code_length <= len(digits) <= 10 else "invalid-postal-code"
        case _:
            return "internal-error"


def _number_error(digits: str, rules: Rules) -> str:
    scheme = scheme_of(digits)
    if scheme is None or len(digits) not in scheme.lengths or not luhn(digits):
        return "invalid-card-number"
    return "" if scheme.name in rules.accepted else "invalid-card-type"


def _date_error(digits: str, today: date) -> str:
    if not re.fullmatch(r"(0[1-9]|1[0-2])\d\d", digits):
        return "invalid-date"
    month, year = int(digits[:2]), 2000 + int(digits[2:])
    return "invalid-date" if (year, month) < (today.year, today.month) else ""


def _code_error(digits: str, card: str) -> str:
    scheme = scheme_of(card)
    if scheme is None:
        return "invalid-card-number-security-code-capture-sequence"
    return "" if len(digits) == scheme.code_length else "invalid-security-code"


def full_length(capture: str, digits: str, card: str) -> int | None:
    """At how many digits the field is complete by itself; None: only by `#` or by the time-out (5.4)."""
    match capture:
        case "expiration-date":
            return 4
        case "security-code":
            scheme = scheme_of(card)
            return scheme.code_length if scheme else None
        case "payment-card-number":
            scheme = scheme_of(digits)
            return scheme.lengths[0] if scheme and len(scheme.lengths) == 1 else None
        case _:
            return None


def mask(capture: str, digits: str, *, done: bool) -> str:
    """The digits as a callback shows them: last four of a finished number, no code, expiry and postal code in clear."""
    if capture == CARD_NUMBER:
        return "x" * (len(digits) - 4) + digits[-4:] if done else "x" * len(digits)
    return "x" * len(digits) if capture == SECURITY_CODE else digits


def refusal_of(number: str) -> int:
    """The processor's `PayErrorCode`: 0 approved, 64012 declined, 64022 not a test card (section 7)."""
    if number in APPROVED:
        return 0
    return 64012 if number in DECLINED else 64022


def contains_card(text: str) -> bool:
    """Whether a whole card number stands in `text`, spaces and dashes allowed between its digits.

    Digits that touch a letter are part of a SID, a hash or a token, some of which would pass Luhn by chance.
    """
    runs = re.findall(r"(?<!\w)\d(?:[ -]?\d){12,18}(?!\w)", text)
    return any(luhn(re.sub(r"\D", "", run)) for run in runs)
