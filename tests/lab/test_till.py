"""Keys in, callbacks out, and what was charged in the end."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from echo_app import Lab, laboratory

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.line import LabCall

NUMBER, DATE, CODE = "payment-card-number", "expiration-date", "security-code"
VISA = "4242424242424242"


async def filled(lab: Lab, call: LabCall, number: str = VISA) -> str:
    session = await lab.open(call)
    for name, keys in ((NUMBER, f"{number}#"), (DATE, "1230"), (CODE, "123")):
        await lab.capture(call, session, name, keys)
    return session


async def completed(lab: Lab, call: LabCall, number: str = VISA) -> dict[str, str]:
    """Charge the card; the final callback."""
    await lab.update(call.sid, await filled(lab, call, number), Status="complete")
    await lab.quiet()
    return lab.app.callbacks[-1]


async def test_each_digit_has_its_signed_callback() -> None:
    """A first one without digits, then growing masks, then the field with its last four and its type."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), NUMBER, f"{VISA}#")

        began, *partials, done = lab.app.callbacks[1:]
        assert "PaymentCardNumber" not in began
        assert (began["Capture"], began["PartialResult"]) == (NUMBER, "true")
        assert [form["PaymentCardNumber"] for form in partials] == ["x" * n for n in range(1, 17)]
        assert {form["PartialResult"] for form in partials} == {"true"}
        assert {form["Required"] for form in partials} == {f"{NUMBER},{DATE},{CODE}"}
        assert (done["PaymentCardNumber"], done["PaymentCardType"]) == ("xxxxxxxxxxxx4242", "visa")
        assert (done["PartialResult"], done["Required"]) == ("false", f"{DATE},{CODE}")
        assert lab.app.forged == []


async def test_values_accumulate_and_required_shrinks_to_nothing() -> None:
    """The last field's callback holds all masks and an empty `Required`, which is signed too."""
    async with laboratory() as lab:
        call = await lab.ring()
        await filled(lab, call)

        last = lab.app.callbacks[-1]
        assert (last["PaymentCardNumber"], last["ExpirationDate"], last["SecurityCode"]) == (
            "xxxxxxxxxxxx4242",
            "1230",
            "xxx",
        )
        assert last["Required"] == ""
        assert lab.app.forged == []


async def test_a_captured_field_can_be_required_again() -> None:
    """A re-capture puts it back."""
    async with laboratory() as lab:
        call = await lab.ring()
        session = await filled(lab, call)
        await lab.update(call.sid, session, Capture=DATE)
        await lab.quiet()

        assert lab.app.callbacks[-1]["Required"] == DATE
        assert "ExpirationDate" not in lab.app.callbacks[-1]


async def test_another_kind_of_card_makes_its_code_required_again() -> None:
    """A three digit code cannot belong to an amex card."""
    async with laboratory() as lab:
        call = await lab.ring()
        session = await filled(lab, call)
        await lab.capture(call, session, NUMBER, "378282246310005")

        assert lab.app.callbacks[-1]["Required"] == CODE


@pytest.mark.parametrize(
    ("name", "keys", "error"),
    [
        (NUMBER, "4242424242424241#", "invalid-card-number"),
        (NUMBER, "6011111111111117#", "invalid-card-type"),
        (DATE, "1320", "invalid-date"),
        (CODE, "123#", "invalid-card-number-security-code-capture-sequence"),
    ],
)
async def test_a_failed_field_stays_required(name: str, keys: str, error: str) -> None:
    """Its callback has an ErrorType, and Twilio asks nothing again."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), name, keys)

        failed = lab.app.callbacks[-1]
        assert (failed["ErrorType"], failed["Capture"]) == (error, name)
        assert name in failed["Required"].split(",")
        assert lab.twilio.sessions[0].active == ""


async def test_the_timeout_counts_after_the_first_digit() -> None:
    """Without a digit nothing happens; with some, the field fails and the mask says how many."""
    async with laboratory(scale=0.002) as lab:
        call = await lab.ring()
        session = await lab.open(call, Timeout="10")
        await lab.capture(call, session, NUMBER, "#")
        await lab.quiet()
        assert "ErrorType" not in lab.app.callbacks[-1]

        await call.press("4242")
        await lab.quiet()
        failed = lab.app.callbacks[-1]
        assert (failed["ErrorType"], failed["PaymentCardNumber"]) == ("input-timeout", "xxxx")


async def test_a_whole_number_without_pound_is_taken_after_the_timeout() -> None:
    """A visa number's length is not known beforehand."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), NUMBER, VISA)
        assert lab.twilio.sessions[0].active == NUMBER
        await lab.quiet()

        assert lab.app.callbacks[-1]["PartialResult"] == "false"


async def test_star_ends_the_session_at_any_point() -> None:
    """Between captures too."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.open(call)
        await call.press("*")

        assert lab.app.callbacks[-1]["Result"] == "caller-interrupted-with-star"
        assert lab.twilio.sessions[0].end == "caller-interrupted-with-star"


async def test_a_hang_up_ends_the_session() -> None:
    """With its Result, and what was keyed in is gone."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), NUMBER, "4242")
        await call.hang_up()

        assert lab.app.callbacks[-1]["Result"] == "caller-hung-up"
        assert lab.twilio.charges == []


async def test_success_has_the_recorded_thirteen_names() -> None:
    """No Capture, PartialResult, Required, ChargeAmount or DateCreated; token and profile are empty."""
    async with laboratory() as lab:
        final = await completed(lab, await lab.ring())

        assert set(final) == {
            "AccountSid",
            "CallSid",
            "Sid",
            "DateUpdated",
            "PaymentMethod",
            "PaymentCardNumber",
            "PaymentCardType",
            "ExpirationDate",
            "SecurityCode",
            "Result",
            "PaymentConfirmationCode",
            "PaymentToken",
            "ProfileId",
        }
        (charge,) = lab.twilio.charges
        assert (final["Result"], final["PaymentToken"], final["ProfileId"]) == ("success", "", "")
        assert final["PaymentConfirmationCode"] == charge.confirmation
        assert (charge.amount, charge.currency, charge.last_four) == (Decimal("12.10"), "USD", "4242")


@pytest.mark.parametrize(("number", "code"), [("4000000000000002", "64012"), ("4012888888881881", "64022")])
async def test_a_refused_card_is_not_charged(number: str, code: str) -> None:
    """The processor's code comes with the result, and the session is dead."""
    async with laboratory() as lab:
        final = await completed(lab, await lab.ring(), number)

        assert (final["Result"], final["PayErrorCode"]) == ("payment-connector-error", code)
        assert lab.twilio.charges == []
        assert lab.twilio.sessions[0].end == "payment-connector-error"


async def test_a_charge_with_the_processor_survives_the_hang_up() -> None:
    """Its result comes after the call's own end."""
    async with laboratory(scale=0.3) as lab:
        call = await lab.ring()
        await lab.update(call.sid, await filled(lab, call), Status="complete")
        await call.hang_up()
        await lab.twilio.settle()

        assert [form["Result"] for form in lab.app.callbacks if "Result" in form] == ["success"]
        assert len(lab.twilio.charges) == 1


async def test_duplicates_are_bit_for_bit() -> None:
    """Every callback comes twice."""
    async with laboratory(faults=Faults(duplicate_callbacks=True)) as lab:
        await completed(lab, await lab.ring())

        assert lab.app.callbacks[0::2] == lab.app.callbacks[1::2]
        assert len(lab.twilio.charges) == 1


async def test_partials_can_be_overtaken() -> None:
    """By the one that follows, even by the field's last."""
    async with laboratory(faults=Faults(reorder_callbacks=True)) as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call, PostalCode="true"), "postal-code", "941#")

        seen = [(form["PaymentCardPostalCode"], form["PartialResult"]) for form in lab.app.callbacks[2:]]
        assert seen == [("94", "true"), ("9", "true"), ("941", "false"), ("941", "true")]


async def test_a_lost_result_is_charged_all_the_same() -> None:
    """Only the ledger knows."""
    async with laboratory(faults=Faults(lose_final=True)) as lab:
        final = await completed(lab, await lab.ring())

        assert "Result" not in final
        assert len(lab.twilio.charges) == 1


async def test_kinds_of_callbacks_can_be_lost_or_late() -> None:
    """Here those of single digits are lost, the others late, the announcement is off."""
    faults = Faults(lose_callbacks=("partial",), delay_callbacks=1, no_begin_callback=True)
    async with laboratory(faults=faults) as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), DATE, "1230")

        assert [form.get("PartialResult") for form in lab.app.callbacks] == [None, "false"]


async def test_a_callback_the_app_refuses_is_a_violation() -> None:
    """Anything but 2xx."""
    async with laboratory() as lab:
        lab.app.callback_status = 500
        await lab.open(await lab.ring())

        assert lab.twilio.violations == ["a status callback was answered 500"]


async def test_a_new_capture_loses_the_digits_of_the_one_before() -> None:
    """Nothing of them is left, and the old time-out is off."""
    async with laboratory() as lab:
        call = await lab.ring()
        session = await lab.open(call, Timeout="100")
        await lab.capture(call, session, NUMBER, "4242")
        await lab.update(call.sid, session, Capture=NUMBER)
        await lab.quiet()

        assert lab.twilio.sessions[0].digits == ""
        assert "ErrorType" not in lab.app.callbacks[-1]


async def test_a_late_callback_is_overtaken_by_all_that_follow() -> None:
    """It holds nobody up."""
    async with laboratory(faults=Faults(late_callbacks=100)) as lab:
        call = await lab.ring()
        session = str((await lab.create(call.sid)).json()["sid"])
        await asyncio.sleep(0.01)
        call.circumstances.faults = Faults()
        await lab.update(call.sid, session, Capture=DATE)
        await lab.quiet()

        assert [form.get("Capture", "start") for form in lab.app.callbacks] == [DATE, "start"]


async def test_a_fault_may_bite_by_chance() -> None:
    """The dice are the call's own, and what bit is counted."""
    async with laboratory(faults=Faults(duplicate_callbacks=True, chance=0.5)) as lab:
        await completed(lab, await lab.ring())

        twice = lab.twilio.injected["callback twice"]
        assert 0 < twice < len(lab.app.callbacks) - twice


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        (Dialect(), ["payment-cancelled"]),
        (Dialect(cancel_result=""), [None]),
        (Dialect(cancel_result="none"), []),
    ],
)
async def test_what_follows_a_cancel_is_uncertain(dialect: Dialect, told: list[str | None]) -> None:
    """Some result, a callback without one, or no callback; the session is over in each case."""
    async with laboratory(dialect=dialect) as lab:
        call = await lab.ring()
        session = await lab.open(call)
        lab.app.forms.clear()
        await lab.update(call.sid, session, Status="cancel")
        await lab.quiet()

        assert [form.get("Result") for form in lab.app.callbacks] == told
        assert lab.twilio.sessions[0].end


async def test_a_refused_card_may_be_told_at_once() -> None:
    """By the answer to complete, without a callback."""
    async with laboratory(dialect=Dialect(gateway="rest")) as lab:
        call = await lab.ring()
        answer = await lab.update(call.sid, await filled(lab, call, "4000000000000002"), Status="complete")
        await lab.quiet()

        assert (answer.status_code, answer.json()["code"]) == (400, 64012)
        assert not any("Result" in form for form in lab.app.callbacks)
        assert lab.twilio.charges == lab.twilio.violations == []


async def test_a_declined_session_may_stay_open() -> None:
    """Then another one cannot be opened before it is cancelled."""
    async with laboratory(dialect=Dialect(after_decline="open")) as lab:
        call = await lab.ring()
        final = await completed(lab, call, "4000000000000002")

        assert final["Result"] == "payment-connector-error"
        assert (await lab.create(call.sid)).json()["code"] == 64021
        await lab.update(call.sid, lab.twilio.sessions[0].sid, Status="cancel")
        assert (await lab.create(call.sid)).status_code == 201


async def test_twilio_may_time_out_before_the_first_digit() -> None:
    """An `input-timeout` without a mask."""
    async with laboratory(dialect=Dialect(idle_time_out=True), scale=0.001) as lab:
        call = await lab.ring()
        session = await lab.open(call, Timeout="5")
        await lab.update(call.sid, session, Capture=DATE)
        await lab.quiet()

        assert lab.app.callbacks[-1]["ErrorType"] == "input-timeout"
        assert "ExpirationDate" not in lab.app.callbacks[-1]


async def test_a_failed_field_may_be_told_twice() -> None:
    """In two callbacks of their own."""
    async with laboratory(dialect=Dialect(error_twice=True)) as lab:
        call = await lab.ring()
        await lab.capture(call, await lab.open(call), DATE, "1319")

        assert [form.get("ErrorType") for form in lab.app.callbacks[-2:]] == ["invalid-date"] * 2
