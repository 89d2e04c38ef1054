"""The REST side: what Twilio would answer, and what it would refuse."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx
import pytest
from echo_app import laboratory

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults

CARD = "4242424242424242#"


async def test_a_create_twilio_would_refuse_is_a_violation() -> None:
    """It is answered with its code, as a JSON error body."""
    async with laboratory() as lab:
        call = await lab.ring()
        answer = await lab.create(call.sid, ChargeAmount="12.101")

        assert (answer.status_code, answer.json()["code"]) == (400, 64003)
        assert answer.json()["more_info"].endswith("64003")
        assert len(lab.twilio.violations) == 1
        assert lab.twilio.sessions == []


async def test_a_missing_parameter_is_refused() -> None:
    """StatusCallback and IdempotencyKey are needed every time."""
    async with laboratory() as lab:
        call = await lab.ring()
        answer = await lab.rest.post(f"Calls/{call.sid}/Payments.json", data={"IdempotencyKey": "k"})

        assert answer.json()["code"] == 64020
        assert lab.twilio.violations == ["REST create refused with 64020: StatusCallback is required"]


async def test_a_create_answers_as_twilio_does() -> None:
    """201 and six names, none of them a status; then the start callback with its seven."""
    async with laboratory() as lab:
        call = await lab.ring()
        answer = await lab.create(call.sid)
        await lab.quiet()

        assert answer.status_code == 201
        assert set(answer.json()) == {"account_sid", "call_sid", "sid", "date_created", "date_updated", "uri"}
        (start,) = lab.app.callbacks
        assert list(start) == [
            "AccountSid",
            "CallSid",
            "Sid",
            "DateCreated",
            "PaymentConnector",
            "PaymentMethod",
            "ChargeAmount",
        ]
        assert start["ChargeAmount"] == "12.10"
        assert lab.twilio.sessions[0].amount == Decimal("12.10")


async def test_one_session_a_call() -> None:
    """A second create while one is open is 64021, and no violation: it may be an answer that was lost."""
    async with laboratory() as lab:
        call = await lab.ring()
        await lab.open(call)

        assert (await lab.create(call.sid)).json()["code"] == 64021
        assert lab.twilio.violations == []


async def test_an_equal_key_does_nothing_twice() -> None:
    """The same answer, one session, one start callback."""
    async with laboratory() as lab:
        call = await lab.ring()
        form = {"IdempotencyKey": "same"}
        first, second = await lab.create(call.sid, **form), await lab.create(call.sid, **form)
        await lab.quiet()

        assert first.json() == second.json()
        assert len(lab.twilio.sessions) == len(lab.app.callbacks) == 1
        other = await lab.create(call.sid, **form, ChargeAmount="13")
        assert other.json()["code"] == 64020
        assert "two different requests" in lab.twilio.violations[0]


@pytest.mark.parametrize(("form", "code"), [({"Capture": "postal-code"}, 64020), ({"Status": "complete"}, 64019)])
async def test_an_update_the_session_is_not_ready_for_is_a_violation(form: dict[str, str], code: int) -> None:
    """A field it was opened without, a complete too soon."""
    async with laboratory() as lab:
        call = await lab.ring()
        answer = await lab.update(call.sid, await lab.open(call), **form)

        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert len(lab.twilio.violations) == 1


async def test_unknown_calls_and_sessions_are_not_found() -> None:
    """404 with 20404."""
    async with laboratory() as lab:
        call = await lab.ring()

        assert (await lab.create("CA" + "0" * 32)).status_code == 404
        assert (await lab.update(call.sid, "PK" + "0" * 32, Status="cancel")).json()["code"] == 20404


async def test_a_call_that_is_over_takes_no_payment() -> None:
    """21220, and no violation: the request may have crossed the hang-up."""
    async with laboratory() as lab:
        call = await lab.ring()
        session = await lab.open(call)
        await call.hang_up()

        assert (await lab.update(call.sid, session, Status="cancel")).json()["code"] == 21220
        assert (await lab.create(call.sid)).json()["code"] == 21220
        assert lab.twilio.violations == []


async def test_a_session_that_is_over_takes_nothing() -> None:
    """64021 after the cancel."""
    async with laboratory() as lab:
        call = await lab.ring()
        session = await lab.open(call)
        assert (await lab.update(call.sid, session, Status="cancel")).status_code == 202
        await lab.quiet()

        assert (await lab.update(call.sid, session, Capture="security-code")).json()["code"] == 64021
        assert lab.app.callbacks[-1]["Result"] == "payment-cancelled"


async def test_credentials_are_needed() -> None:
    """401 without them, 404 for another account; the account itself can be read."""
    async with laboratory() as lab:
        call = await lab.ring()
        mine = lab.twilio.account.account_sid

        assert (await lab.rest.get(f"../{mine}.json")).json()["status"] == "active"
        assert (await lab.rest.get("../AC00.json")).status_code == 404
        bad = await lab.rest.post(f"Calls/{call.sid}/Payments.json", auth=("SK0", "x"))
        assert (bad.status_code, bad.json()["code"]) == (401, 20003)


async def test_nothing_follows_a_complete() -> None:
    """A cancel and a second complete before the result are violations; the same complete again is not."""
    async with laboratory(scale=1) as lab:
        call = await lab.ring()
        session = await lab.open(call)
        for name, keys in (("payment-card-number", CARD), ("expiration-date", "1230"), ("security-code", "123")):
            await lab.capture(call, session, name, keys)
        complete = {"Status": "complete", "IdempotencyKey": "the-charge"}
        assert (await lab.update(call.sid, session, **complete)).status_code == 202

        assert (await lab.update(call.sid, session, **complete)).status_code == 202
        assert lab.twilio.violations == []
        assert (await lab.update(call.sid, session, Status="cancel")).json()["code"] == 64021
        assert (await lab.update(call.sid, session, Status="complete")).json()["code"] == 64021
        assert len(lab.twilio.violations) == 2


@pytest.mark.parametrize(("fault", "done"), [("create:503", 0), ("create:429", 0), ("create:500:done", 1)])
async def test_rest_errors_hit_one_request(fault: str, done: int) -> None:
    """The deed may be done all the same; the same request again succeeds and does it once."""
    async with laboratory(faults=Faults(rest_error=(fault,))) as lab:
        call = await lab.ring()
        first = await lab.create(call.sid, IdempotencyKey="k")
        assert first.status_code == int(fault.split(":")[1])
        assert len(lab.twilio.sessions) == done

        assert (await lab.create(call.sid, IdempotencyKey="k")).status_code == 201
        assert len(lab.twilio.sessions) == 1
        assert [request.status for request in lab.twilio.requests] == [first.status_code, 201]
        assert lab.twilio.violations == []


async def test_what_goes_wrong_may_change_while_a_call_goes_on() -> None:
    """From then on; a REST error that hit is used up, the other faults stay."""
    async with laboratory() as lab:
        call = await lab.ring()
        lab.twilio.faults = Faults(rest_error=("create:503", "cancel:500"), lose_callbacks=("start",))
        assert (await lab.create(call.sid)).status_code == 503

        assert lab.twilio.faults == Faults(rest_error=("cancel:500",), lose_callbacks=("start",))
        assert (await lab.create(call.sid)).status_code == 201
        await lab.twilio.settle()
        assert lab.app.callbacks == []


async def test_a_callback_may_be_faster_than_its_answer() -> None:
    """With `callback_first` the start callback is delivered before the 201."""
    async with laboratory(faults=Faults(callback_first=True)) as lab:
        call = await lab.ring()
        await lab.create(call.sid)

        assert lab.app.callbacks[0]["ChargeAmount"] == "12.10"
        assert lab.app.forged == []


@pytest.mark.parametrize(("fault", "done"), [("create:reset", 0), ("create:reset:done", 1), ("create:hang:done", 1)])
async def test_a_request_may_get_no_answer(fault: str, done: int) -> None:
    """The connection is cut, at once or after a long wait; the deed may be done all the same."""
    async with laboratory(faults=Faults(rest_error=(fault,)), scale=0.001) as lab:
        call = await lab.ring()
        with pytest.raises(httpx.RemoteProtocolError):
            await lab.create(call.sid, IdempotencyKey="k")
        await lab.quiet()

        assert len(lab.twilio.sessions) == len(lab.app.callbacks) == done
        assert (await lab.create(call.sid, IdempotencyKey="k")).status_code == 201
        assert lab.twilio.injected == {f"REST {fault.partition(':')[2]}": 1}


@pytest.mark.parametrize("status", [400, 409])
async def test_one_of_twilios_own_numbers_may_come_with_any_status(status: int) -> None:
    """Which one is not published."""
    faults = Faults(rest_error=("create:64002",))
    async with laboratory(faults=faults, dialect=Dialect(error_status=status)) as lab:
        answer = await lab.create((await lab.ring()).sid)

        assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, 64002, status)
        assert lab.twilio.violations == []


async def test_who_is_killed_while_it_asks_gets_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A request that breaks off in its body does nothing, and is no fault of the stand-in's."""
    async with laboratory() as lab:
        call = await lab.ring()
        host, port = str(lab.rest.base_url.host), lab.rest.base_url.port
        _, writer = await asyncio.open_connection(host, port)
        path = f"{lab.rest.base_url.path}Calls/{call.sid}/Payments.json"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n".encode())
        writer.write(b"Content-Type: application/x-www-form-urlencoded\r\n\r\nIdempotencyKey=")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)

        assert lab.twilio.requests == []
        assert caplog.records == []
