"""Callbacks as an adversary would have them: any form at all, and those of a call shuffled, doubled and dropped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payagent.errors import BadCallback
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Outcome, Pace
from payagent.flow.table import build
from payagent.journal import codec
from payagent.phone.callbacks import decode
from payagent.testing import PracticeCall

CALL, SESSION, STRAY = "CA" + "1" * 32, "PK" + "2" * 32, "PK" + "9" * 32
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

NAMES = [
    "Result", "ErrorType", "Capture", "PartialResult", "Required", "PaymentCardNumber", "PaymentCardType",
    "ExpirationDate", "SecurityCode", "PaymentCardPostalCode", "PaymentConfirmationCode", "PayErrorCode", "Made-up",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            "", "success", "SUCCESS ", "payment-connector-error", "input-timeout", "internal-error", "true", "False",
            "payment-card-number", "PaymentCardNumber", "expiration-date", "security-code,expiration-date", "4242",
            "4111111111111111", "xxxxxxxxxxxx4242", "0131", "invalid-card-number-security-code-capture-sequence",
        ]
    ),
    st.text(max_size=40),
    st.text("x9 ", min_size=3000, max_size=4000),
)  # fmt: skip
FORMS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), VALUES, max_size=12)
WRONG = ["", "CA1", "PK" + "g" * 32, "CA" + "1" * 33]
CALLS, SESSIONS = [st.sampled_from([sid] * 20 + [other, *WRONG]) for sid, other in ((CALL, SESSION), (SESSION, CALL))]


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None)
@given(FORMS, CALLS, SESSIONS, st.text(max_size=30))
@pytest.mark.no_cover
def test_any_form_is_an_event_or_unreadable(form: dict[str, str], call: str, session: str, token: str) -> None:
    """Never a crash; what comes of it can be recorded, is short, and holds no card number."""
    try:
        call_sid, event = decode({**form, "CallSid": call, "Sid": session}, token)
    except BadCallback:
        assert (call, session) != (CALL, SESSION)
        return
    record = codec.encode_report(call_sid, event)

    assert codec.decode_report(record) == (CALL, event)
    assert len(record) < 1000
    assert not re.search(r"[0-9]{5}", re.sub(rf"{CALL}|{SESSION}|\"digest\":\"\w+\"|\"code\":[0-9]+", "", free(event)))
    assert (type(event) is ev.PaymentSucceeded) == (form.get("Result") == "success")


def free(event: ev.PayReport) -> str:
    """What is kept of Twilio's words, but for the processor's confirmation code, which may be all digits."""
    kept: dict[str, Any] = {name: getattr(event, name) for name in event.__dataclass_fields__}
    return " ".join(str(value) for name, value in kept.items() if name not in ("digest", "confirmation", "code"))


FIELDS = ["card_number", "expiration_date", "security_code"]
STARTED, PAID = ev.PaymentSessionStarted(SESSION, "started"), ev.PaymentSucceeded(SESSION, "ch_1", digest="paid")
REAL: list[ev.PayReport] = [STARTED]
for place, field in enumerate(FIELDS):
    left = tuple(FIELDS[place + 1 :])
    REAL += [
        ev.CaptureBegan(SESSION, field, f"began {field}"),
        ev.KeyPressed(SESSION, field, f"key {field}"),
        ev.FieldCaptured(SESSION, field, left, "4242", "visa", f"done {field}"),
    ]
REAL.append(PAID)
PAID_AGAIN = ev.PaymentSucceeded(SESSION, "ch_1", "4242", "visa", "the same in other words")
OTHERS: list[ev.PayReport] = [
    PAID_AGAIN,
    ev.PaymentSessionStarted(STRAY, "stray"),
    ev.FieldCaptured(STRAY, "card_number", (), "1111", "visa", "stray card"),
    ev.PaymentFailed(STRAY, "payment-cancelled", 0, "stray end"),
]


@st.composite
def deliveries(draw: st.DrawFn) -> list[ev.PayReport]:
    """The callbacks of a real call: mostly in order, some late or early, some twice, some never, some of others."""
    kept = [report for report in REAL if draw(st.integers(0, 9)) > 0]
    kept += draw(st.lists(st.sampled_from(REAL + OTHERS), max_size=6))
    places = {n: n + draw(st.integers(-3, 3)) for n in range(len(kept))}
    return [kept[n] for n in sorted(places, key=lambda n: (places[n], n))]


ANSWERS: dict[type[do.Order], Any] = {
    do.OpenPay: lambda key, order: ev.PayOpened(key, SESSION),
    do.Capture: lambda key, order: ev.CaptureAccepted(key, order.field),
    do.CompletePay: lambda key, order: ev.CompleteAccepted(key),
    do.CancelPay: lambda key, order: ev.CancelAccepted(key),
    do.CreditBill: lambda key, order: ev.BillCredited(key),
    do.ReleaseBill: lambda key, order: ev.BillReleased(key),
}
FLOW = build(Pace.AUTOMATIC)


@pytest.mark.promise(2, 7)
@settings(max_examples=100, deadline=None)
@given(deliveries(), st.data())
def test_however_callbacks_come_each_effect_happens_once(reports: list[ev.PayReport], data: st.DataObject) -> None:
    """With REST answers before, between and after: one charge at most, one credit, no cancel of what may be paid."""
    call = PracticeCall(FLOW).verify().agree()
    call.start()
    answered = 0
    for report in [*reports, None]:
        owed = [(step, n) for step in call.steps for n, order in enumerate(step.orders) if type(order) in ANSWERS]
        upto = data.draw(st.integers(answered, len(owed))) if report else len(owed)
        for step, n in owed[answered:upto]:
            order = step.orders[n]
            call.post(ANSWERS[type(order)](do.order_key(step.call_sid, step.seq, n), order), after=0.1)
        answered = upto
        if report:
            call.post(report, after=0.3)
    ordered = [order for order in call.ordered(do.CompletePay, do.CancelPay) if order.session == SESSION]  # type: ignore[union-attr]
    paid = PAID in reports or PAID_AGAIN in reports
    credits_ = call.ordered(do.CreditBill)

    assert [type(order) for order in ordered].count(do.CompletePay) <= 1
    assert do.CancelPay not in [type(order) for order in ordered[1:]]
    assert len(credits_) == paid
    assert (call.call.facts.outcome is Outcome.PAID) == paid
