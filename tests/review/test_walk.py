"""The proofs: every reachable situation of every table keeps the promises, and a broken table is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow import guards as g
from payagent.flow import orders as o
from payagent.flow.builder import numbered
from payagent.flow.rows import Flow, Row
from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.table import build
from payagent.review.promises import PROMISES
from payagent.review.walk import Walked, walk

pytestmark = [
    pytest.mark.promise(1),
    pytest.mark.promise(2),
    pytest.mark.promise(3),
    pytest.mark.promise(6),
    pytest.mark.promise(7),
]

S = State
ALL = [(pace, profile) for profile in Profile for pace in Pace]


@pytest.fixture(scope="module", params=ALL, ids=lambda p: f"{p[0]}-{p[1]}")
def walked(request: pytest.FixtureRequest) -> tuple[Flow, Walked]:
    """One walk a table; all the tests below read it."""
    flow = build(*request.param)
    return flow, walk(flow)


# What holds of every table


def test_every_promise_is_kept_in_every_reachable_situation(walked: tuple[Flow, Walked]) -> None:
    """If not, here is the shortest story that breaks it."""
    _, found = walked

    assert {words: [step.event for step in steps] for words, steps in found.broken.items()} == {}


def test_every_promise_is_put_to_the_test(walked: tuple[Flow, Walked]) -> None:
    """A promise that no step is about would be kept by doing nothing."""
    _, found = walked

    assert [promise.words for promise in PROMISES if not found.checks[promise.words]] == []


def test_every_situation_can_reach_an_end(walked: tuple[Flow, Walked]) -> None:
    """No call is stuck."""
    _, found = walked

    assert found.stuck == []


def test_every_row_fires_somewhere(walked: tuple[Flow, Walked]) -> None:
    """A row that never does is dead, or the alphabet does not know what it is for."""
    flow, found = walked

    assert found.never_fired(flow) == []


def test_the_walk_stays_small_enough_for_every_test_run(walked: tuple[Flow, Walked]) -> None:
    """A fact that is not bounded, or a label that is not left out, shows here first."""
    _, found = walked

    assert 500 < found.situations < 4000
    assert found.events < 110 * found.situations


SECOND_LOCKS = {
    "identified",
    "balance_told",
    "balance_confirmed",
    "heard_since",
    "no_session_open",
    "amount_agreed",
    "bill_held",
    "not_completing",
    "every_field_captured",
    "not_credited",
    "not_leaving",
    "connected_before",
}
"""Guards that the way to their row implies, in some or all of their rows.

The rows in front of a payment and of a charge say all their conditions themselves; `every_field_captured` is what is
left when no next field is missing; `not_credited` and `not_leaving` are asked on rows that stand for several states and
triggers; `connected_before` is asked of the first relay, before which the walk does not look.
"""


def test_every_other_guard_says_no_somewhere(walked: tuple[Flow, Walked]) -> None:
    """A guard that never does is redundant, or untested."""
    flow, found = walked
    never = {entry.split(": ")[1] for entry in found.never_false(flow)}

    assert never <= SECOND_LOCKS


# The proofs bite

Change = Callable[[Row], Row]


def changed(flow: Flow, fits: Callable[[Row], bool], change: Change) -> Flow:
    """The flow with those rows changed; at least one of them."""
    assert any(fits(row) for row in flow.rows)
    return replace(flow, rows=numbered(change(row) if fits(row) else row for row in flow.rows))


def without(*names: str) -> Change:
    """A row without these guards."""
    return lambda row: replace(row, guards=tuple(guard for guard in row.guards if guard.name not in names))


def to(dest: State | None) -> Change:
    return lambda row: replace(row, dest=dest)


def doing(*effects: object) -> Change:
    return lambda row: replace(row, effects=(*row.effects, *effects))  # type: ignore[arg-type]


def only(*effects: object) -> Change:
    return lambda row: replace(row, effects=effects)  # type: ignore[arg-type]


def on(trigger: str, *sources: State) -> Callable[[Row], bool]:
    return lambda row: row.trigger == trigger and (not sources or row.source in sources)


def first(trigger: str, source: State) -> Callable[[Row], bool]:
    return lambda row: row.trigger == trigger and row.source is source and row.n == 0


def with_row(flow: Flow, *rows: Row) -> Flow:
    return replace(flow, rows=numbered((*rows, *flow.rows)))


def a_row(trigger: str, source: State, dest: State | None, party: Party, *effects: object) -> Row:
    return Row(trigger, source, dest, party, (), effects, "For this test.")  # type: ignore[arg-type]


BREAKS: dict[str, tuple[Callable[[Flow], Flow], str]] = {
    "the balance need not be heard": (
        lambda flow: changed(flow, on("start_payment"), without("heard_since")),
        "a payment is started only after words of the caller since",
    ),
    "any amount will do": (
        lambda flow: changed(flow, on("start_payment"), without("amount_fits")),
        "a payment is started only by a known caller, for a confirmed balance and an amount within it",
    ),
    "the balance need not be confirmed": (
        lambda flow: with_row(
            flow,
            replace(
                a_row("start_payment", S.CONFIRMING_BALANCE, S.STARTING_PAYMENT, Party.MODEL, o.hold_bill),
                guards=(g.heard_since, g.amount_fits),
            ),
        ),
        "a payment is started only by a known caller, for a confirmed balance and an amount within it",
    ),
    "the session is opened before the bill is held": (
        lambda flow: changed(flow, on("start_payment"), doing(o.open_pay)),
        "a session is opened once, for the amount agreed, on a held bill",
    ),
    "the charge is asked for twice": (
        lambda flow: changed(flow, charging, doing(o.complete)),
        "at most one charge",
    ),
    "the charge is asked for again when it is late": (
        lambda flow: changed(flow, on("still_working"), doing(o.complete)),
        "at most one charge",
    ),
    "a charge with a field missing": (
        lambda flow: changed(flow, first("field_captured", S.EXPIRATION_DATE_ENTRY), charge_at_once),
        "no charge without",
    ),
    "a rejected field counts as captured": (
        lambda flow: changed(flow, first("field_rejected", S.SECURITY_CODE_ENTRY), charge_at_once),
        "no charge without",
    ),
    "a tool is open while the charge is": (
        lambda flow: with_row(
            flow, a_row("cancel_payment_processing", S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT, Party.MODEL, o.cancel)
        ),
        "while a charge is with the processor no tool is open",
    ),
    "the model may speak while the charge is open": (
        lambda flow: changed(flow, on("caller_spoke", S.PROCESSING_PAYMENT), only(o.think)),
        "while a charge is with the processor no tool is open",
    ),
    "a charge is cancelled when it is late": (
        lambda flow: changed(flow, on("result_overdue"), only(o.cancel)),
        "a payment whose charge Twilio may have accepted is never cancelled",
    ),
    "“paid” is said of a failure": (
        lambda flow: changed(
            flow,
            first("payment_failed", S.PROCESSING_PAYMENT),
            lambda row: replace(row, guards=(), dest=S.PAYMENT_COMPLETED, effects=(o.tell_paid,)),
        ),
        "“paid” is said only after the processor's success",
    ),
    "an unknown charge counts as a decline": (
        lambda flow: changed(flow, on("payment_failed", S.PROCESSING_PAYMENT), without("is_decline")),
        "a bill whose charge is unknown stays held",
    ),
    "an unknown charge may be tried again": (
        lambda flow: changed(flow, on("result_overdue"), to(S.PAYMENT_DECLINED)),
        "a bill whose charge is unknown stays held",
    ),
    "a success is credited twice": (
        lambda flow: changed(flow, on("payment_succeeded"), without("not_credited")),
        "a bill is credited once",
    ),
    "an earlier success is credited twice": (
        lambda flow: changed(
            flow,
            on("earlier_payment_succeeded"),
            lambda row: replace(row, guards=(replace(g.earlier_not_credited, holds=knows_earlier),)),
        ),
        "a bill is credited once",
    ),
    "the bill stays held after a cancel": (
        lambda flow: changed(flow, on("cancel_accepted", S.CANCELLING_PAYMENT), only(o.say("cancelled"))),
        "a bill does not stay held by a call that is over",
    ),
    "the bill stays held after a hang-up": (
        lambda flow: changed(flow, on("caller_hung_up"), only()),
        "a bill does not stay held by a call that is over",
    ),
    "a lost line leaves the session open": (
        lambda flow: changed(flow, on("line_overdue"), only()),
        "a payment session is open only while",
    ),
    "the call is passed on with an open session": (
        lambda flow: changed(flow, on("human_agent_handoff"), only(o.say("hand_off"), o.leave)),
        "a payment session is open only while",
    ),
    "a stray session is left alone": (
        lambda flow: replace(flow, rows=tuple(row for row in flow.rows if o.cancel_stray not in row.effects)),
        "a session that nobody waits for is cancelled",
    ),
    "a session that comes late is left alone": (
        lambda flow: replace(
            flow,
            rows=tuple(
                row for row in flow.rows if not (row.source is S.CANCELLING_PAYMENT and o.cancel in row.effects)
            ),
        ),
        "a payment session is open only while",
    ),
    "the call goes on while a session's fate is open": (
        lambda flow: changed(flow, on("start_overdue"), go_on),
        "a payment session is open only while",
    ),
    "the last state is left": (
        lambda flow: with_row(flow, a_row("caller_spoke", S.ENDED, S.CHOOSING_AMOUNT, Party.LINE, o.think)),
        "a final state is never left",
    ),
}


def charging(row: Row) -> bool:
    return o.complete in row.effects


def charge_at_once(row: Row) -> Row:
    return replace(row, dest=S.PROCESSING_PAYMENT, guards=(), effects=(o.complete,))


def go_on(row: Row) -> Row:
    return replace(row, dest=S.CHOOSING_AMOUNT, effects=(o.release_bill,))


def closes_late(row: Row) -> bool:
    return row.source is S.CANCELLING_PAYMENT and o.cancel in row.effects


def knows_earlier(view: g.View) -> bool:
    """Like `earlier_not_credited`, but for the point of it."""
    return isinstance(view.event, ev.PaymentSucceeded) and bool(view.was.earlier)


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_table_is_found_out(name: str) -> None:
    """The proofs bite: each of these changes breaks a promise, and the walk says which."""
    change, words = BREAKS[name]
    found = walk(change(build(Pace.AUTOMATIC)), until_broken=True)

    assert any(broken.startswith(words) for broken in found.broken), list(found.broken)


def test_a_state_that_cannot_be_left_is_found_out() -> None:
    """No row leads on from there."""
    flow = build(Pace.AUTOMATIC)
    found = walk(replace(flow, rows=tuple(row for row in flow.rows if row.source is not S.PAYMENT_CANCELLED)))

    assert found.stuck == ["payment_cancelled"]


def test_a_broken_promise_comes_with_its_shortest_story() -> None:
    """From the first word of the caller to the step that breaks it."""
    flow = changed(build(Pace.AUTOMATIC), charging, doing(o.complete))
    story = next(iter(walk(flow, until_broken=True).broken.values()))

    assert [step.seq for step in story] == list(range(3, 3 + len(story)))
    assert isinstance(story[0].event, ev.CallerSpoke)
    assert [type(order) for order in story[-1].orders] == [do.Say, do.CompletePay, do.CompletePay]


def test_what_is_not_bounded_is_found_out() -> None:
    """The walk gives up rather than going on for ever."""
    with pytest.raises(RuntimeError, match="more than 10 situations"):
        walk(build(), limit=10)
