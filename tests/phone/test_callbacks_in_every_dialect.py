"""Every callback of a payment session reads the same, however Twilio may word it (fact sheet 5.1 and 10)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product

import pytest

from payagent.flow import events as ev
from payagent.lab import cards
from payagent.lab.dialect import Dialect, reword
from payagent.lab.paysession import Callback, PaySession
from payagent.phone.callbacks import decode

VISA = "4242424242424242"


def session() -> PaySession:
    """A session for card number, expiration date and security code."""
    return PaySession(
        sid="PK" + "3" * 32,
        call_sid="CA" + "2" * 32,
        account_sid="AC" + "1" * 32,
        amount=Decimal("12.10"),
        currency="USD",
        connector="Default",
        captures=(cards.CARD_NUMBER, cards.EXPIRATION_DATE, cards.SECURITY_CODE),
        rules=cards.Rules(frozenset({"visa"}), 5, date(2026, 11, 1)),
        timeout_seconds=10,
        callback_url="https://pay.example.test/api/status-callback",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
    )


def whole_payment() -> list[Callback]:
    """From the start to success, with an expiration date that is over and a time-out in between."""
    one = session()
    told = [one.opened(), one.begin(cards.CARD_NUMBER)]
    told += [callback for key in f"{VISA}#" for callback in one.key(key)]
    told.append(one.begin(cards.EXPIRATION_DATE))
    told += [callback for key in "1319" for callback in one.key(key)]
    told.append(one.begin(cards.EXPIRATION_DATE))
    told += [callback for key in "12" for callback in one.key(key)]
    told += [one.timed_out(), one.begin(cards.EXPIRATION_DATE), one.timed_out(), one.begin(cards.EXPIRATION_DATE)]
    told += [callback for key in "1230" for callback in one.key(key)]
    told.append(one.begin(cards.SECURITY_CODE))
    told += [callback for key in "123" for callback in one.key(key)]
    return [*told, one.succeed("ch_1")]


def read(dialect: Dialect) -> list[str]:
    """What the program makes of the whole payment, without the digests (a hash of the words)."""
    events = [decode(reword(callback.form, dialect, "12.10", VISA))[1] for callback in whole_payment()]
    return [_bare(event) for event in events]


def _bare(event: ev.Event) -> str:
    return repr({name: value for name, value in vars_of(event).items() if name != "digest"})


def vars_of(event: ev.Event) -> dict[str, object]:
    """The event's kind and fields."""
    return {"kind": type(event).__name__} | {name: getattr(event, name) for name in event.__dataclass_fields__}


TOLD_BY = [
    ("kebab", "lower"),
    ("spaced", "title"),
    ("pascal", "lower"),
    ("camel", "title"),
    ("absent", "lower"),
    ("absent", "title"),
    ("kebab", "absent"),
    ("pascal", "absent"),
    ("camel", "absent"),
]
MASKS = ["recorded", "documented", "stars", "leaking"]
COMMON = [("recorded", False), ("all", True), ("none", False)]
ON_ERROR = ["", "true", "false"]


@pytest.mark.promise(4)
@pytest.mark.parametrize(("required", "partial"), TOLD_BY)
def test_a_payment_reads_the_same_in_every_dialect(required: str, partial: str) -> None:
    """The same events in the same order; of the card nothing but its type and last four."""
    plain = [
        re.sub(r"'required': \(.*?\)", "'required': None", e) if required == "absent" else e for e in read(Dialect())
    ]
    for mask, (common, extras), on_error in product(MASKS, COMMON, ON_ERROR):
        shown = {"mask": mask, "common": common, "extras": extras, "partial_on_error": on_error}
        dialect = Dialect(required=required, partial=partial, **shown)
        events = read(dialect)

        assert events == plain, dialect
        assert [text for text in events if "424242" in text or "1230" in text] == []


def test_the_other_spelling_of_the_time_out() -> None:
    """`timeout` is `input-timeout`."""
    assert read(Dialect(time_out="timeout")) == read(Dialect())
