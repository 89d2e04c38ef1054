"""The proofs: every reachable situation of every table keeps the promises, and a broken table is found out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow import guards as g
from payagent.flow import orders as o
from payagent.flow.builder import numbered
from payagent.flow.rows import Effect, Flow, Row
from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.table import build
from payagent.review import proofs
from payagent.review.promises import PROMISES
from payagent.review.rewalk import Charted, Found, chart, decides_alike, rewalk
from payagent.review.walk import walk

S = State


DRAWN = Path(__file__).parents[2] / "fsm_diagrams"
TABLES = [build(pace, profile) for pace in Pace for profile in Profile]

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


@pytest.mark.promise(1, 2, 3, 6, 7, 8)
@pytest.mark.parametrize("n", range(len(TABLES)), ids=[f"{flow.pace}-{flow.profile}" for flow in TABLES])
@pytest.mark.no_cover
def test_every_promise_is_kept_in_every_reachable_situation(n: int) -> None:
    """One walk a table. No promise breaks (else: here is a shortest story), no call is stuck, nothing goes untried.

    A promise that no step is about would be kept by doing nothing; a row that never fires is dead, or the alphabet does
    not know what it is for; a guard that never says no is redundant, or untested. The figures are those on file.
    """
    flow, found = TABLES[n], walk(TABLES[n])
    filed = proofs.on_file(DRAWN, TABLES)

    assert {words: [step.event for step in steps] for words, steps in found.broken.items()} == {}
    assert [promise.words for promise in PROMISES if not found.checks[promise.words]] == []
    assert found.stuck == []
    assert found.never_fired(flow) == []
    assert {guard.split(": ")[1] for guard in found.never_false(flow)} <= SECOND_LOCKS
    assert 500 < found.situations < 4000, "a fact is not bounded, or a label is not left out"
    assert found.events < 110 * found.situations
    assert filed, "the proofs on file are of other sources; run: payagent diagram"
    assert filed[n] == proofs.proofs_of(flow, found)


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


def leaving_out(left_out: Effect) -> Change:
    return lambda row: replace(row, effects=tuple(effect for effect in row.effects if effect is not left_out))


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
        lambda flow: changed(flow, on("result_overdue"), declined),
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
        lambda flow: changed(flow, on("human_agent_handoff"), only(o.say("hand_off"), o.leave, o.release_if_held)),
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
    "words said meanwhile are forgotten": (
        lambda flow: changed(
            flow, on("cancel_accepted", S.CANCELLING_PAYMENT), only(o.say("cancelled"), o.release_bill)
        ),
        "what the caller said meanwhile is answered",
    ),
    "a person is called, and the caller stays with the model": (
        lambda flow: changed(flow, on("human_agent_handoff", S.CHOOSING_AMOUNT), only(o.say("hand_off"))),
        "a call that is handed over or ended ends its relay",
    ),
    "the model ends the call, and it goes on": (
        lambda flow: changed(flow, on("end_call"), only()),
        "a call that is handed over or ended ends its relay",
    ),
    "a late report of another field is taken for the one being keyed in": (
        lambda flow: changed(flow, on("field_captured", S.EXPIRATION_DATE_ENTRY), without("about_this_field")),
        "a report about another field than the one being keyed in moves nothing",
    ),
    "a person is called, and could not take the payment": (
        lambda flow: changed(flow, on("session_refused", S.STARTING_PAYMENT), leaving_out(o.release_bill)),
        "a caller who is let go holds no bill",
    ),
    "no session could be opened, and the caller waits for a person who is not called": (
        lambda flow: changed(flow, on("pay_not_opened", S.STARTING_PAYMENT), leaving_out(o.close_or_leave)),
        "a call that is handed over or ended ends its relay",
    ),
    "a payment is stopped before its bill is held, and nothing says so on record": (
        lambda flow: changed(flow, on("bill_not_held", S.CANCELLING_PAYMENT), leaving_out(o.release_bill)),
        "the record says how a payment ended",
    ),
    "the ways to pay are asked for, and nothing follows": (
        lambda flow: changed(flow, on("check_payment_options"), only()),
        "whoever is on the line hears of every move, tool and answer",
    ),
    "a field is to be keyed in again, and Twilio does not listen": (
        lambda flow: changed(flow, on("capture_out_of_sequence"), only(o.say("out_of_sequence"))),
        "a field that is the next one is asked for at once",
    ),
    "a card is charged without a word": (
        lambda flow: changed(flow, charging, only(o.complete)),
        "no card is charged without a word to the caller",
    ),
    "no bill can be read, and the caller is passed on without a word": (
        lambda flow: changed(flow, on("bills_unavailable"), only(o.close_or_leave)),
        "whoever is passed to a person is told so",
    ),
    "the model ends the call without a goodbye": (
        lambda flow: changed(flow, on("end_call", S.CONFIRMING_BALANCE), only(o.leave)),
        "whoever's call is ended by the model or the clock is told goodbye",
    ),
    "an order is given twice": (
        lambda flow: changed(flow, charging, doing(o.say("one_moment"), o.say("one_moment"))),
        "no step gives the same order twice",
    ),
}


def charging(row: Row) -> bool:
    return o.complete in row.effects


def charge_at_once(row: Row) -> Row:
    return replace(row, dest=S.PROCESSING_PAYMENT, guards=(), effects=(o.complete,))


def go_on(row: Row) -> Row:
    return replace(row, dest=S.CHOOSING_AMOUNT, effects=(o.say("start_failed"), o.release_bill))


def declined(row: Row) -> Row:
    return replace(row, dest=S.PAYMENT_DECLINED, effects=(o.say("declined"), o.release_declined))


def closes_late(row: Row) -> bool:
    return row.source is S.CANCELLING_PAYMENT and o.cancel in row.effects


def knows_earlier(view: g.View) -> bool:
    """Like `earlier_not_credited`, but for the point of it."""
    return isinstance(view.event, ev.PaymentSucceeded) and bool(view.was.earlier)


@pytest.fixture(scope="module")
def charted() -> Charted:
    """The table that is broken, and its map: a broken one is walked only where it differs."""
    return chart(build(Pace.AUTOMATIC))


@pytest.mark.promise(1, 2, 3, 6, 7, 8)
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_table_is_found_out(charted: Charted, name: str) -> None:
    """The proofs bite: each of these changes breaks a promise, and the walk says which."""
    change, words = BREAKS[name]
    found = rewalk(charted, change(charted.flow))

    assert any(broken.startswith(words) for broken in found.broken), found


@pytest.mark.promise(6)
def test_a_state_that_cannot_be_left_is_found_out(charted: Charted) -> None:
    """No row leads on from there."""
    rows = [row for row in charted.flow.rows if row.source is not S.PAYMENT_CANCELLED or row.dest is None]
    found = rewalk(charted, replace(charted.flow, rows=numbered(rows)))

    assert (found.broken, found.stuck) == ((), ("payment_cancelled",))


def test_a_row_that_never_fires_is_found_out(charted: Charted) -> None:
    """It stands behind one that leaves it nothing."""
    dead = replace(a_row("caller_spoke", S.CHOOSING_AMOUNT, None, Party.LINE, o.think), guards=(g.card_cut,))
    rows = [*charted.flow.rows, dead]
    found = rewalk(charted, replace(charted.flow, rows=numbered(rows)))

    assert found == Found(never_fired=("caller_spoke@choosing_amount#3",))


def test_an_unchanged_table_is_found_whole(charted: Charted) -> None:
    """Nothing is tried anew, and nothing is missed; a table built anew has other functions, and is walked again."""
    assert rewalk(charted, charted.flow) == rewalk(charted, build(Pace.AUTOMATIC)) == Found()


def test_what_makes_no_difference_is_told_from_what_goes_unnoticed(charted: Charted) -> None:
    """Neither in what is decided, be a count worn out, nor in what is offered."""

    def alike(change: Callable[[Flow], Flow]) -> bool:
        return decides_alike(charted, change(charted.flow))

    here = S.CHOOSING_AMOUNT
    assert alike(lambda flow: flow)
    assert alike(lambda flow: changed(flow, on("cancel_overdue", S.HANDING_OFF), without("not_leaving")))
    assert not alike(lambda flow: changed(flow, on("model_failed", here), without("model_failures_left")))
    assert not alike(lambda flow: changed(flow, on("start_payment", here), lambda row: replace(row, guards=())))
    assert not alike(lambda flow: changed(flow, on("caller_spoke", here), only()))
    assert not alike(lambda flow: with_row(flow, a_row("verify_user", here, None, Party.MODEL)))


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


def test_tables_are_walked_side_by_side(tmp_path: Path) -> None:
    """In processes of their own, in the order asked for; in a fresh interpreter here, since this one has threads."""
    program = """
from dataclasses import replace
from payagent.flow.states import Pace, State
from payagent.flow.table import build
from payagent.review.walk import walk
from payagent.review.walks import walk_all

def part(flow, names):
    rows = (row for row in flow.rows if row.source is State.VERIFYING_IDENTITY and row.trigger in names)
    return replace(flow, rows=tuple(rows))

flows = [part(build(pace), names) for pace in Pace for names in (("silence",), ("silence", "caller_spoke"))]
found = walk_all(flows)
assert found == [walk(flow) for flow in flows], found
print(found[0] == found[1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
