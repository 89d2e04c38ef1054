"""Twilio's REST fails in every way at every order of a payment call: the call comes to a true end all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from live_line import CALL, PAYMENT, Line, calls, keyed_fields, open_line
from true_end import PAID, faults, is_over, quiet  # noqa: F401
from virtual_time import anyio_backend, owing_threads  # noqa: F401

from payagent.errors import TwilioRefused, TwilioUnanswered
from payagent.flow import events as ev
from payagent.flow.states import Outcome, Pace, State
from payagent.phone.payments import NeverSent

pytestmark = pytest.mark.usefixtures("quiet")

ROUNDS = 60
ORDERS = ("open", "capture", "complete", "cancel")
PAYMENT_ERRORS = [TwilioRefused(code, 400, "no") for code in range(64001, 64026)]
OTHERS = [
    TwilioRefused(20404, 404, "no such call"),
    TwilioRefused(404, 404, ""),
    TwilioRefused(20409, 409, "conflict"),
    TwilioRefused(21220, 400, "the call is not in progress"),
    TwilioRefused(20003, 401, "credentials"),
    TwilioRefused(403, 403, ""),
    TwilioRefused(400, 400, "a number nobody has heard of"),
    TwilioRefused(20429, 429, "too many requests"),
    NeverSent("connection refused"),
]
REFUSALS = [*PAYMENT_ERRORS, *OTHERS]
KINDS = [error for error in PAYMENT_ERRORS if error.code in (64001, 64002, 64012, 64018, 64019, 64021)] + OTHERS
MAY_PASS = [
    TwilioRefused(64019, 400, "a field is missing"),
    TwilioRefused(20429, 429, "too many"),
    NeverSent("refused"),
]
UNANSWERED = TwilioUnanswered("time-out, reset or 5xx")

STARTED = ev.PaymentSessionStarted(PAYMENT, "started")
DONE_ALL_THE_SAME: dict[str, list[ev.PayReport]] = {
    "open": [STARTED],
    "capture": [ev.CaptureBegan(PAYMENT, "card_number", "began")],
    "complete": [PAID],
    "cancel": [ev.PaymentFailed(PAYMENT, "payment-cancelled", 0, "cancelled")],
}
"""What Twilio reports of a deed whose answer was lost."""


async def pay(line: Line, order: str) -> None:
    """A call that pays, as far as it comes; one whose cancel is to fail is cancelled by its caller."""
    await line.ring()
    await line.paying()
    for _ in range(3):
        if line.state is State.CHOOSING_AMOUNT:
            await line.caller_says("All of it", calls("start_payment", amount="600.00"))
    if order == "cancel":
        await line.caller_says("Stop", calls("cancel_payment_processing"))
        return
    for report in keyed_fields(line.flow):
        await line.worker.switchboard.report(CALL, report)
        await asyncio.sleep(0.1)


async def to_the_end(line: Line) -> list[str]:
    """The caller hangs up, and the call is left to itself; what is wrong with its end."""
    await asyncio.sleep(8)
    await line.session.post(ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    for _ in range(ROUNDS):
        await line.worker.switchboard.sweep()
        await asyncio.sleep(10)
        if await is_over(line):
            break
    return await faults(line)


@pytest.mark.promise(2)
@pytest.mark.parametrize("order", ORDERS)
async def test_refused_at_any_order_a_call_comes_to_a_true_end(order: str, tmp_path: Path) -> None:
    """Again and again, or once where it may pass. The charge is refused by every payment error there is."""
    wrong: list[str] = []
    refusals = REFUSALS if order == "complete" else KINDS
    for n, (refusal, times) in enumerate([*((one, 9) for one in refusals), *((one, 1) for one in MAY_PASS)]):
        folder = tmp_path / str(n)
        folder.mkdir()
        async with open_line(folder, Pace.AUTOMATIC) as line:
            line.till.fails = {order: [refusal] * times}
            await pay(line, order)
            wrong += [f"{order}: {refusal} ({times} times): {fault}" for fault in await to_the_end(line)]
            wrong += [f"{order}: {refusal}: two sessions" for _ in range(sessions(line) - 1)]

    assert wrong == []


def sessions(line: Line) -> int:
    """How many sessions Twilio may have opened; a request repeated under its key opens no second one."""
    return len(set(line.till.done.get("open", [])))


@pytest.mark.promise(2, 3)
@pytest.mark.parametrize("told", [0.5, 6, 40, None], ids=["at once", "late", "very late", "never"])
@pytest.mark.parametrize("order", ORDERS)
async def test_unanswered_at_any_order_a_call_comes_to_a_true_end(
    order: str, told: float | None, tmp_path: Path
) -> None:
    """With the deed done, which a callback tells of so much later, and without."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        line.till.fails = {order: [UNANSWERED] * 9}
        asked_for = asyncio.Event()
        line.till.after = lambda request: asked_for.set() if request.startswith(order) else None
        telling = asyncio.create_task(tell(line, order, told, asked_for)) if told else None
        await pay(line, order)
        wrong = await to_the_end(line)
        if telling:
            await telling
            wrong = await faults(line)

    assert wrong == []
    assert sessions(line) <= 1


async def tell(line: Line, order: str, after: float, asked_for: asyncio.Event) -> None:
    """So long after Twilio was first asked for it, its callback comes."""
    await asked_for.wait()
    await asyncio.sleep(after)
    for report in DONE_ALL_THE_SAME[order]:
        await line.worker.switchboard.report(CALL, report)
    await asyncio.sleep(1)


@pytest.mark.promise(2)
async def test_a_session_whose_answer_was_lost_is_adopted(tmp_path: Path) -> None:
    """By its callback: the payment goes on, and no second one is opened."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        line.till.fails = {"open": [UNANSWERED]}
        await line.ring()
        await line.paying()
        await line.reports(STARTED, *keyed_fields(line.flow), PAID)

        assert line.session.call.facts.outcome is Outcome.PAID
        assert line.till.asked.count("open 600.00") == 1
        assert await line.accounts.bills("A-1001") == ()
