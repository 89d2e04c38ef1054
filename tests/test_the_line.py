"""The caller's line in every state of the table: hung up, lost and back, lost for good, passed on, left alone.

Driven on the loop of a live call with virtual time; what Twilio is asked for, the book and the record are looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from live_line import CALL, PAYMENT, Line, calls, keyed_fields, open_line, settled
from virtual_time import anyio_backend, owing_threads, virtual_now

from payagent.errors import TwilioUnanswered
from payagent.flow import events as ev
from payagent.flow.states import CARD_NUMBER, EXPIRATION_DATE, SECURITY_CODE, Outcome, Pace, State
from payagent.flow.table import build

__all__ = ["anyio_backend", "owing_threads"]
S = State
EVERYWHERE = [
    *((Pace.MODEL, state) for state in build(Pace.MODEL).states if state is not S.ENDED),
    *((Pace.AUTOMATIC, state) for state in (S.CARD_NUMBER_ENTRY, S.SECURITY_CODE_ENTRY, S.PROCESSING_PAYMENT)),
]
SESSION_OPEN = (
    {f.due for f in (CARD_NUMBER, EXPIRATION_DATE, SECURITY_CODE)}
    | {f.entry for f in (CARD_NUMBER, EXPIRATION_DATE, SECURITY_CODE)}
    | {S.READY_TO_COMPLETE}
)
CHARGED = {S.PROCESSING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN}
DECLINED = ev.PaymentFailed(PAYMENT, "payment-connector-error", 64012, "declined")
SUCCESS = ev.PaymentSucceeded(PAYMENT, "ch_1", "1111", "visa", "success")
LONG = 5 * 3600.0
"""Seconds in which every wait of the flow is over, that of a hand-off too."""

BACK = "The line was interrupted. I'm back now."
DUE = 10.0

FIELDS = {CARD_NUMBER: 0, EXPIRATION_DATE: 1, SECURITY_CODE: 2}


@pytest.fixture(params=EVERYWHERE, ids=lambda at: f"{at[0]}-{at[1]}")
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Line, State]]:
    """A live call in this state."""
    pace, state = request.param
    async with open_line(tmp_path, pace) as line:
        await reach(line, state)
        assert line.state is state
        yield line, state


async def reach(line: Line, state: State) -> None:
    """Bring a fresh call there, as callers do."""
    await line.ring()
    match state:
        case S.VERIFYING_IDENTITY:
            return
        case S.HANDING_OFF:
            await line.caller_says("A person, please", calls("human_agent_handoff", reason="asked"))
        case S.CONFIRMING_BALANCE:
            await line.verified()
        case S.CHOOSING_AMOUNT:
            await line.agreed()
        case S.STARTING_PAYMENT:
            line.till.waits["open"], line.till.fails["open"] = 8, [TwilioUnanswered("no answer")]
            await line.paying()
        case _:
            await _paying(line, state)


async def _paying(line: Line, state: State) -> None:
    """Beyond the start: the session is open."""
    automatic = line.flow.pace is Pace.AUTOMATIC
    done = next((n for f, n in FIELDS.items() if state in (f.due, f.entry)), len(FIELDS))
    cancelling = state in (S.CANCELLING_PAYMENT, S.PAYMENT_CANCELLED)
    asked = [calls(f.tool) for f in FIELDS][: 1 if cancelling else done + (state in {f.entry for f in FIELDS})]
    line.model.scripts.clear()
    await line.agreed()
    await line.caller_says("All of it", calls("start_payment", amount="600.00"), *([] if automatic else asked))
    if cancelling:
        line.till.waits["cancel"] = 4 if state is S.CANCELLING_PAYMENT else 0
        await line.caller_says("Stop it", calls("cancel_payment_processing"))
        return
    await line.reports(*keyed_fields(line.flow)[:done])
    if done < len(FIELDS) or state is S.READY_TO_COMPLETE:
        return
    if not automatic:
        await line.caller_says("Go ahead", calls("complete_payment_processing"))
    match state:
        case S.PAYMENT_COMPLETED:
            await line.reports(SUCCESS)
        case S.PAYMENT_DECLINED:
            await line.reports(DECLINED)
        case S.PAYMENT_OUTCOME_UNKNOWN:
            await line.reports(ev.PaymentFailed(PAYMENT, "internal-error", 0, "odd"))


async def bill_state(line: Line) -> str:
    """What another payment on the bill would be told: "" (free), `held` or `paid`."""
    return await line.accounts.hold("B-2001", "somebody else's", "A-1001", virtual_now())


async def long_after(line: Line) -> None:
    """When everything that was waited for is over; what has no session at work on it is swept."""
    for seconds in (30.0, 30.0, 60.0, 600.0, LONG):
        await asyncio.sleep(seconds)
        await line.worker.switchboard.sweep()
        await settled()
    line.session = await line.worker.switchboard.get(CALL)  # a quiet one without a caller was let go meanwhile


@pytest.mark.promise(7)
async def test_a_hang_up_in_every_state(at: tuple[Line, State]) -> None:
    """The call ends, the session is closed, the bill is free; only a charge that may have gone through is kept held."""
    line, state = at
    before = list(line.till.asked)
    await line.session.disconnect(line.ear.mouth)
    await line.session.post(ev.CallerHungUp())
    await settled()
    now = line.state
    await long_after(line)

    assert line.state is S.ENDED
    assert now in (
        {state} if state in (S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT) else {S.ENDED, S.CANCELLING_PAYMENT}
    )
    assert "complete" not in line.till.asked[len(before) :]
    assert not [asked for asked in line.till.asked[len(before) :] if asked.startswith(("open", "capture"))]
    wanted = "held" if state in CHARGED else "paid" if state is S.PAYMENT_COMPLETED else ""
    assert await bill_state(line) == wanted
    assert (line.session.call.facts.outcome is Outcome.UNKNOWN) == (state in CHARGED)


@pytest.mark.promise(7)
async def test_a_socket_lost_in_every_state(at: tuple[Line, State]) -> None:
    """A new relay goes on where the call was, says so, and starts nothing anew; who parts is let go."""
    line, state = at
    before = list(line.till.asked)
    await line.session.disconnect(line.ear.mouth)
    step = await line.session.post(ev.RelayFailed())
    assert step is not None
    ordered = [type(order).__name__ for order in step.orders]
    back = await line.connect("VX2")

    assert line.state is state
    if state is S.HANDING_OFF:
        assert ordered == ["RouteCall"]
        return
    assert ordered == ["ConnectRelay"]
    assert line.till.asked == before
    assert back.heard.startswith(BACK)
    assert line.session.call.facts.reconnects == 1
    await asyncio.sleep(DUE)  # where a field is due, the clock asks for it
    assert len(back.heard) > len(BACK)


@pytest.mark.promise(6, 7)
async def test_a_line_lost_for_good_in_every_state(at: tuple[Line, State]) -> None:
    """An open session is cancelled, the bill is free, the call ends; a charge that is under way is never cancelled."""
    line, state = at
    before = len(line.till.asked)
    await line.session.disconnect(line.ear.mouth)
    await long_after(line)

    assert line.state is S.ENDED
    cancels = line.till.asked[before:].count("cancel")
    assert cancels == (1 if state in SESSION_OPEN else 0)
    wanted = "held" if state in CHARGED else "paid" if state is S.PAYMENT_COMPLETED else ""
    assert await bill_state(line) == wanted


@pytest.mark.promise(7)
async def test_passed_on_in_every_state_where_one_can_ask_for_it(at: tuple[Line, State]) -> None:
    """An open session is cancelled before the relay ends; without one it ends at once."""
    line, state = at
    if "human_agent_handoff" not in line.session.call.offered(virtual_now()):
        assert state in (*CHARGED, S.CANCELLING_PAYMENT, S.HANDING_OFF)
        return
    line.till.waits["cancel"] = 2
    before = len(line.till.asked)
    await line.caller_says("A person, please", calls("human_agent_handoff", reason="asked"))
    ended_at_once = any(frame["type"] == "end" for frame in line.ear.frames)

    assert line.state is S.HANDING_OFF
    assert line.till.asked[before:] == (["cancel"] if state in SESSION_OPEN else [])
    assert ended_at_once == (state not in SESSION_OPEN | {S.STARTING_PAYMENT})
    await long_after(line)
    assert sum(frame["type"] == "end" for frame in line.ear.frames) == 1
    assert await bill_state(line) == ("paid" if state is S.PAYMENT_COMPLETED else "")


@pytest.mark.promise(6)
async def test_a_call_that_is_left_alone_in_every_state(at: tuple[Line, State]) -> None:
    """Nobody speaks, nothing is reported: it comes to its end by its own waits, and never charges."""
    line, state = at
    completes = line.till.asked.count("complete")
    await long_after(line)

    assert line.state is S.ENDED
    assert line.till.asked.count("complete") == completes
    wanted = "held" if state in CHARGED else "paid" if state is S.PAYMENT_COMPLETED else ""
    assert await bill_state(line) == wanted


@pytest.mark.promise(8)
@pytest.mark.parametrize("state", [S.PROCESSING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN])
@pytest.mark.parametrize("late", [1.0, LONG])
async def test_a_success_after_the_caller_is_gone(state: State, late: float, tmp_path: Path) -> None:
    """It is recorded, taken off the bill once, and the call shows it as paid."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        await reach(line, state)
        await line.session.disconnect(line.ear.mouth)
        await line.session.post(ev.CallerHungUp())
        await asyncio.sleep(late)
        await line.reports(SUCCESS, SUCCESS)

        assert await bill_state(line) == "paid"
        assert [type(event).__name__ for event in await line.events()].count("BillCredited") == 1
        facts = line.session.call.facts
        assert (facts.outcome, facts.confirmation, line.state) == (Outcome.PAID, "ch_1", S.ENDED)


@pytest.mark.promise(7)
async def test_re_connects_are_bounded_while_a_payment_goes_on(tmp_path: Path) -> None:
    """Each time it is the same session that goes on; at last a person takes over and the session is cancelled."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        await reach(line, S.CARD_NUMBER_ENTRY)
        for n in range(3):
            await line.session.disconnect(line.ear.mouth)
            await line.session.post(ev.RelayFailed())
            await line.connect(f"VX{n + 2}")
            assert line.state is S.CARD_NUMBER_ENTRY
        await line.session.disconnect(line.ear.mouth)
        step = await line.session.post(ev.RelayFailed())
        await settled()

        assert step is not None
        assert [type(order).__name__ for order in step.orders][:2] == ["RouteCall", "CancelPay"]
        assert [asked for asked in line.till.asked if asked.startswith(("open", "cancel"))] == ["open 600.00", "cancel"]
        assert await bill_state(line) == ""
