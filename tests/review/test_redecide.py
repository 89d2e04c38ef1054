"""Re-deciding a record: nothing for the table that made it, and every difference of a changed one by step, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recorded import CALL, Driven, begun, cancelled, keying, verified

from payagent import rehearsal, wiring
from payagent.errors import IllegalMove
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.limits import Limits
from payagent.flow.rows import Effect, Guard, Row
from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.flow.table import Flow, build
from payagent.flow.tools import ARGUMENTS_LENGTH
from payagent.journal.sqlite import SqliteJournal
from payagent.lab import scenario as scenarios
from payagent.review import today
from payagent.review.redecide import differences


def by(flow: Flow) -> Callable[[str], Flow]:
    return lambda version: flow


def changed(row_id: str, change: Callable[[Row], Row | None]) -> Flow:
    """Today's table with one row changed, or taken out."""
    flow = build()
    rows = [change(row) if row.id == row_id else row for row in flow.rows]
    assert list(flow.rows) != rows
    return replace(flow, rows=tuple(row for row in rows if row))


def words(steps: list[Step], flow: Flow) -> list[str]:
    return [difference.words for difference in differences(steps, by(flow))]


# The same table


@pytest.mark.parametrize(
    "scenario", ["declined_then_another_card", "full_payment_automatic", "identity_fails", "wrong_card_then_right"]
)
def test_a_real_record_is_decided_the_same(scenario: str, tmp_path: Path) -> None:
    """Rehearsed over real sockets, read back from the journal, with the spoken words and without them."""

    async def recorded() -> list[list[Step]]:
        result = await rehearsal.rehearse(scenarios.load(scenario), directory=tmp_path, scale=0.05)
        assert result.ok, result.report()
        journal = SqliteJournal(tmp_path / f"{scenario}.db", wiring.LAB_KEY.encode())
        await journal.open()
        whole = await journal.steps(result.call_sid)
        await journal.erase_words(datetime.now(UTC) + timedelta(days=1))
        erased = await journal.steps(result.call_sid)
        await journal.close()
        return [whole, erased]

    whole, erased = asyncio.run(recorded())
    assert whole != erased

    for steps in (whole, erased):
        flows = today.tables(Limits().scaled(today.wait_scale(steps)))
        assert {step.flow for step in steps} <= {flow.version for flow in flows}
        assert [d.words for d in differences(steps, today.flow_of(steps, flows))] == []


@pytest.mark.parametrize("driven", [verified, keying, cancelled], ids=lambda driven: driven.__name__)
def test_live_steps_and_recorded_ones_are_decided_the_same(driven: Callable[[], Driven]) -> None:
    """Identity values that only a live step carries make no difference."""
    live = driven()
    assert live.steps != live.recorded

    assert differences(live.steps, by(build())) == []
    assert differences(live.recorded, by(build())) == []


def test_an_empty_record_has_no_difference() -> None:
    """Nothing was decided."""
    assert differences([], by(build())) == []


def test_refused_arguments_that_are_not_recorded_make_no_difference() -> None:
    """The record says that half an identity could not be read, and does not hold it."""
    driven = begun()
    refused = driven.tool("verify_user", '{"full_name":"Ada Payer"}').refused

    assert refused.startswith("date_of_birth: ")
    assert differences(driven.recorded, by(build())) == []


@pytest.mark.parametrize(("tool", "argument"), [("switch_language", "language"), ("human_agent_handoff", "reason")])
def test_arguments_that_were_too_long_make_no_difference(tool: str, argument: str) -> None:
    """They were refused whole, and what is left of them in the record, if anything, is refused again."""
    driven = begun()
    long = "x" * ARGUMENTS_LENGTH
    refused = driven.tool(tool, f'{{"{argument}":"{long}"}}').refused

    assert refused == "arguments: too long"
    assert differences(driven.recorded, by(build())) == []


# Another table


def test_another_destination_is_named() -> None:
    """By step, trigger and state, with both places."""
    flow = changed("confirm_balance@confirming_balance", lambda row: replace(row, dest=State.HANDING_OFF))

    assert words(keying().recorded, flow) == [
        f"call {CALL} step 8, confirm_balance in confirming_balance: led to choosing_amount, today to handing_off"
    ]


def test_the_next_steps_are_decided_from_the_record() -> None:
    """A difference does not bring on others: they start from where the call really was."""
    flow = changed("confirm_balance@confirming_balance", lambda row: replace(row, dest=State.HANDING_OFF))

    assert [d.recorded.seq for d in differences(cancelled().recorded, by(flow))] == [8]


def test_a_new_guard_is_a_refusal_today() -> None:
    """With its words."""
    never = Guard("the moon is full", lambda view: False, "Not tonight.")
    flow = changed("start_payment@choosing_amount", lambda row: replace(row, guards=(*row.guards, never)))

    (told,) = words(keying().recorded, flow)

    assert "step 10, start_payment in choosing_amount: accepted, today refused (“Not tonight.”)" in told
    assert "led to starting_payment, today to choosing_amount" in told
    assert "decided by start_payment@choosing_amount, today by no row" in told
    assert "orders no longer HoldBill B-1; orders now Think" in told


def test_a_guard_that_is_gone_is_an_acceptance_today() -> None:
    """Also for `verify_user`, whose arguments no record holds: they could be read then."""
    driven = begun()
    driven.tool("verify_user", '{"full_name":"Ada Payer","date_of_birth":"1990-05-01"}')
    refused = driven.tool("verify_user", '{"full_name":"Ada Payer","date_of_birth":"1990-05-01"}').refused
    flow = changed("verify_user@verifying_identity", lambda row: replace(row, guards=()))
    assert refused

    (told,) = words(driven.recorded, flow)

    assert f"step 6, verify_user in verifying_identity: refused (“{refused}”), today accepted" in told
    assert "Not Recorded" not in told


def test_a_row_that_is_gone_leaves_the_call_in_place() -> None:
    """What is never refused is recorded in place."""
    flow = changed("pay_opened@starting_payment", lambda row: None)

    (told,) = words(keying().recorded, flow)

    assert "led to card_number_due, today to starting_payment" in told
    assert "decided by pay_opened@starting_payment, today by " in told


def test_other_orders_are_named() -> None:
    """Those that are gone and those that are new."""
    hang_up = Effect("hang up", lambda view: (do.HangUp("goodbye"),))
    flow = changed("start_payment@choosing_amount", lambda row: replace(row, effects=(hang_up,)))

    assert words(keying().recorded, flow) == [
        f"call {CALL} step 10, start_payment in choosing_amount: orders no longer HoldBill B-1; "
        "orders now HangUp goodbye"
    ]


def test_another_sequence_of_orders_is_named() -> None:
    """First speaking and then opening is not the other way round."""

    def backwards(row: Row) -> Row:
        return replace(row, effects=(Effect("", lambda v: tuple(o for e in row.effects for o in e.orders(v))[::-1]),))

    (told,) = words(keying().recorded, changed("bill_held@starting_payment", backwards))

    assert told.endswith("orders in another sequence: OpenPay 600.00 USD; Say about_to_pay (600.00 USD, clinic visit)")


def test_other_details_of_an_order_are_named() -> None:
    """Even those that have no words, such as the payment a bill is held for."""
    other = Effect("hold", lambda view: (do.HoldBill("B-1", "another", "A-1"),))
    flow = changed("start_payment@choosing_amount", lambda row: replace(row, effects=(other,)))

    (told,) = words(keying().recorded, flow)

    assert told.endswith(": orders HoldBill B-1 with other details")


def test_another_row_with_the_same_outcome_is_named() -> None:
    """Who signs the table wants to know which row decides."""
    flow = changed("bill_held@starting_payment", lambda row: replace(row, n=3))

    (told,) = words(keying().recorded, flow)

    assert told.endswith(": decided by bill_held@starting_payment, today by bill_held@starting_payment#4")


def test_a_table_that_fails_on_an_event_is_named() -> None:
    """An effect may rely on a guard that the record's table did not have."""

    def fail(view: object) -> tuple[do.Order, ...]:
        raise KeyError("amount")

    flow = changed("start_payment@choosing_amount", lambda row: replace(row, effects=(Effect("fail", fail),)))

    (told,) = words(keying().recorded, flow)

    assert told.endswith(": today's table fails on it (KeyError)")


def test_an_event_that_would_not_be_recorded_today_is_named() -> None:
    """As the end of a turn that is not the current one."""
    steps = verified().recorded
    steps[-2:] = [replace(steps[-2], event=ev.TurnEnded("another", "stop"), after=steps[-2].before)]

    (told,) = words(steps, build())

    assert told.endswith("step 5, turn_ended in verifying_identity: today it would not be recorded")


def test_each_step_is_decided_by_the_table_of_its_own_version() -> None:
    """A call that outlived a release has steps of two."""
    steps = cancelled().recorded
    steps = [*steps[:12], *(replace(step, flow="newer") for step in steps[12:])]
    other = changed("start_payment@payment_cancelled", lambda row: replace(row, dest=State.ENDED))

    found = differences(steps, lambda version: other if version == "newer" else build())
    older = changed("start_payment@choosing_amount", lambda row: replace(row, dest=State.ENDED))

    assert [d.recorded.seq for d in found] == [17]
    assert differences(steps, lambda version: older if version == "newer" else build()) == []


def test_digits_of_an_invented_tool_are_masked() -> None:
    """A difference is told to a person, as a trace is."""
    driven = begun()
    driven.tool("pay_4111111111111111")
    steps = driven.recorded
    steps[-1] = replace(steps[-1], refused="There is no tool 'pay_4111111111111111'.")

    (told,) = words(steps, build())

    assert "1111" not in told
    assert "pay_••••" in told


def test_steps_with_a_gap_cannot_be_decided_again() -> None:
    """The situation before the next step is not known."""
    steps = keying().recorded

    with pytest.raises(IllegalMove):
        differences([*steps[:4], *steps[5:]], by(build()))
