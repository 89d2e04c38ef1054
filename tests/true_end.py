"""What must be true of a call when it has come to its end, whatever went wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_line import CALL, PAYMENT, Line
from structlog.testing import capture_logs
from virtual_time import virtual_now

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.states import Outcome
from payagent.performer import CLAIM


@pytest.fixture
def quiet() -> Iterator[None]:
    """Hundreds of calls, whose log nobody reads."""
    with capture_logs():
        yield


PAID = ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok")


async def is_over(line: Line) -> bool:
    """Whether the call has ended and no order is owed."""
    journal = line.worker.journal
    return not await journal.live_calls() and not await journal.open_orders(virtual_now() + CLAIM)


async def faults(line: Line) -> list[str]:
    """Which promises about the end of a call that wanted to pay 600.00 do not hold."""
    steps = await line.steps()
    events, facts = [step.event for step in steps], Call(line.flow, CALL).replay(steps).facts
    asked, outcome, paid = line.till.asked, facts.outcome, PAID in events
    charges = len(line.till.done.get("complete", []))
    ordered = any(isinstance(order, do.CompletePay) for step in steps for order in step.orders)
    free = await line.accounts.hold("B-2001", "another", "A-1001", virtual_now())
    owed = [str(bill.owed.amount) for bill in await line.accounts.bills("A-1001")]
    nothing = {Outcome.NONE, Outcome.CANCELLED, Outcome.DECLINED} | ({Outcome.UNKNOWN} if ordered else set())
    possible = {Outcome.PAID} if paid else {Outcome.UNKNOWN} if charges else nothing
    wrong = {
        "it does not come to an end": not await is_over(line),
        "the record is not whole": bool(await line.worker.journal.verify(CALL)),
        "charged twice": charges > 1,
        "cancelled after the charge": charges > 0 and "cancel" in asked,
        f"paid {paid}, and {owed} is owed": owed != ([] if paid else ["600.00"]),
        f"charges {charges}, paid {paid}, and told as {outcome}": outcome not in possible,
        f"told as {outcome}, and the bill is {free}": (free == "held") != (outcome is Outcome.UNKNOWN),
    }
    return [words for words, is_wrong in wrong.items() if is_wrong]
