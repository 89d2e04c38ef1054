"""The index of calls: whatever happens to a call, its line says what a fold of its steps says."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.money import Money
from payagent.flow.states import FINAL, Outcome, Pace, State
from payagent.flow.step import Step
from payagent.flow.table import build
from payagent.journal import index
from payagent.journal.protocol import CallSummary, DayTotals, Journal, Search
from payagent.review.alphabet import alphabet
from payagent.testing import START, PracticeCall

OpenJournal = Callable[[], Awaitable[Journal]]

DAY = timedelta(days=1)
FLOWS = {pace: build(pace) for pace in Pace}
WAYS: tuple[Callable[[PracticeCall], object], ...] = (
    PracticeCall.verify,
    PracticeCall.agree,
    PracticeCall.start,
    PracticeCall.open,
    PracticeCall.key_in_card,
    PracticeCall.go_ahead,
    lambda call: call.report(ev.PaymentSucceeded, confirmation="ch_1"),
)
MONEY_EVENTS = (
    ev.PaymentSucceeded,
    ev.PaymentFailed,
    ev.FieldCaptured,
    ev.FieldRejected,
    ev.EntryTimedOut,
    ev.OutcomeResolved,
    ev.CancelAccepted,
)


def wandering(seed: int, call_sid: str = "CA1", steps: int = 40) -> list[Step]:
    """A call that goes some of the usual way and then has anything happen to it, what moves money more often."""
    chance = random.Random(seed)
    practice = PracticeCall(FLOWS[chance.choice(list(Pace))], call_sid)
    for go in WAYS[: chance.randrange(len(WAYS) + 1)]:
        go(practice)
    for _ in range(steps):
        events = [event for event, _ in alphabet(practice.call)]
        weights = [8 if isinstance(event, MONEY_EVENTS) else 1 for event in events]
        practice.post(chance.choices(events, weights)[0], after=chance.randrange(5))
    return practice.steps


def folded(steps: list[Step]) -> CallSummary:
    """The line as the call itself would tell it: state and facts after a replay."""
    flow = next(flow for flow in FLOWS.values() if flow.version == steps[0].flow)
    call = Call(flow, steps[0].call_sid).replay(steps)
    facts = call.facts
    opened = [step for step in steps for order in step.orders if isinstance(order, do.OpenPay)]
    started = [step for step in steps if step.row.startswith("start_payment@")]
    is_open = bool(opened) and opened[-1].seq > started[-1].seq
    card = [
        step.event
        for step in steps
        if step.seq > (started[-1].seq if started else 0) and step.row.startswith("field_captured@")
    ]
    keyed = [event for event in card if isinstance(event, ev.FieldCaptured) and event.field == "card_number"]
    return CallSummary(
        call_sid=call.call_sid,
        state=call.state,
        started_at=steps[0].at,
        updated_at=steps[-1].at,
        entered_at=[step for step in steps if step.before is not step.after or step.seq == 1][-1].at,
        steps=call.seq,
        ended=call.state in FINAL,
        next_due=min((timer.due for timer in call.timers), default=None),
        language=facts.language,
        account=facts.account.id if facts.account else "",
        amount=facts.payment.amount if is_open else None,
        outcome=facts.outcome,
        last_four=keyed[-1].last_four if keyed else "",
        card_type=keyed[-1].card_type if keyed else "",
        tries=sum(_failed(step) for step in steps) + facts.declines,
        reconnects=facts.reconnects,
        reason=next((ev.trigger_of(s.event) for s in steps if s.before is not s.after is State.HANDING_OFF), ""),
    )


def _failed(step: Step) -> bool:
    match step.event:
        case ev.IdentityNotMatched() | ev.FieldRejected() | ev.CaptureOutOfSequence() | ev.EntryTimedOut(digits=True):
            return step.row.startswith(f"{ev.trigger_of(step.event)}@")  # neither late nor a session's first word
    return False


@pytest.mark.parametrize("part", range(4))
def test_line_is_the_fold_of_the_steps(part: int) -> None:
    """After every step of many wandering calls, merging what each step changes gives what a replay gives."""
    for seed in range(part * 10, part * 10 + 10):
        steps = wandering(seed)
        line = None
        for n, step in enumerate(steps, start=1):
            line = index.merged(line, index.columns(step))
            if n % 15 == 0 or n == len(steps):
                assert folded(steps[:n]) == index.summary(line), f"seed {seed} after step {n}"


def test_last_four_is_of_the_card_that_counts() -> None:
    """The line shows the card that the facts hold, and none once another payment is started."""
    call = PracticeCall(FLOWS[Pace.MODEL]).verify().agree().start().open().key_in_card("1111")
    line = None
    for step in call.steps:
        line = index.merged(line, index.columns(step))
    assert line is not None
    assert index.summary(line).last_four == call.call.facts.last_four == "1111"

    fresh = replace(call.steps[0], seq=99, event=ev.ToolCalled("t", "c", "start_payment", "{}"), row="start_payment@x")
    assert index.summary(index.merged(line, index.columns(fresh))).last_four == ""


async def test_database_keeps_the_same_line(journal: Journal) -> None:
    """What SQL makes of the steps is what a replay of them makes, and the record verifies against it."""
    calls = [wandering(seed, f"CA{seed}") for seed in range(100, 106)]
    for number, steps in enumerate(calls):
        for at in range(0, len(steps), 1 + number % 3):
            await journal.append(*steps[at : at + 1 + number % 3])

    for steps in calls:
        assert await journal.search(Search(call_sid=steps[0].call_sid)) == [folded(steps)]
    assert await journal.verify_all() == []


# Searches


async def paid(journal: Journal, call_sid: str, after: timedelta = timedelta(0), amount: str = "600.00") -> None:
    """A whole call that paid; `after` START."""
    call = PracticeCall(FLOWS[Pace.AUTOMATIC], call_sid).verify().agree().start(amount).open().key_in_card()
    call.report(ev.PaymentSucceeded, confirmation="ch_1")
    await put(journal, call, after)


async def put(journal: Journal, call: PracticeCall, after: timedelta = timedelta(0)) -> None:
    for step in call.steps:
        await journal.append(replace(step, at=step.at + after))


async def found(journal: Journal, **search: object) -> list[str]:
    return [call.call_sid for call in await journal.search(Search(**search))]  # type: ignore[arg-type]


async def test_calls_are_found_newest_first_page_by_page(journal: Journal) -> None:
    """The limit ends a page; the next one is what is older than its last line."""
    for n in range(5):
        await put(journal, PracticeCall(call_sid=f"CA{n}"), n * DAY)

    assert await found(journal) == ["CA4", "CA3", "CA2", "CA1", "CA0"]
    page = await journal.search(Search(limit=2))
    assert [call.call_sid for call in page] == ["CA4", "CA3"]
    assert await found(journal, limit=2, before=page[-1].started_at) == ["CA2", "CA1"]


async def test_calls_are_found_by_what_is_asked(journal: Journal) -> None:
    """Each condition narrows the search; all that are given have to hold."""
    await paid(journal, "CA-paid")
    await put(journal, PracticeCall(call_sid="CA-new"), DAY)
    unknown = PracticeCall(FLOWS[Pace.AUTOMATIC], "CA-unknown").verify().agree().start().open().key_in_card()
    unknown.report(ev.PaymentFailed, result="something-new")
    await put(journal, unknown, 2 * DAY)
    handed = PracticeCall(call_sid="CA-handed").verify()
    handed.say("a person")
    handed.tool("human_agent_handoff", reason="asked")
    await put(journal, handed, 3 * DAY)
    ended = PracticeCall(call_sid="CA-ended")
    ended.post(ev.CallerHungUp())
    await put(journal, ended, 4 * DAY)

    assert await found(journal, call_sid="CA-new") == ["CA-new"]
    assert await found(journal, account="A-1") == ["CA-handed", "CA-unknown", "CA-paid"]
    assert await found(journal, outcome=Outcome.PAID) == ["CA-paid"]
    assert await found(journal, state=State.VERIFYING_IDENTITY) == ["CA-new"]
    assert await found(journal, since=START + DAY, until=START + 3 * DAY) == ["CA-unknown", "CA-new"]
    assert await found(journal, live=True) == ["CA-handed", "CA-unknown", "CA-new", "CA-paid"]
    assert await found(journal, needs_person=True) == ["CA-handed", "CA-unknown"]
    assert await found(journal, account="A-1", outcome=Outcome.UNKNOWN, live=True) == ["CA-unknown"]
    assert await found(journal, account="A-1", state=State.ENDED) == []


async def test_totals_of_a_day(journal: Journal) -> None:
    """Calls and payments are counted by the day the call began, in UTC, the amounts exactly and by currency."""
    await paid(journal, "CA1", amount="1.10")
    await paid(journal, "CA2", amount="2.20")
    await put(journal, PracticeCall(call_sid="CA3"))
    declined = PracticeCall(FLOWS[Pace.AUTOMATIC], "CA4").verify().agree().start().open().key_in_card()
    declined.report(ev.PaymentFailed, result="payment-connector-error", code=64012)
    await put(journal, declined, DAY)
    unknown = PracticeCall(FLOWS[Pace.AUTOMATIC], "CA5").verify().agree().start().open().key_in_card()
    unknown.report(ev.PaymentFailed, result="something-new")
    await put(journal, unknown, DAY)
    cancelled = PracticeCall(call_sid="CA6").verify().agree().start().open()
    cancelled.report(ev.PaymentFailed, result="caller-interrupted-with-star")
    await put(journal, cancelled, DAY)

    first, second = date(2026, 1, 1), date(2026, 1, 2)
    days = [
        DayTotals(second, 3, 0, (), declined=1, cancelled=1, unknown=1),
        DayTotals(first, 3, 2, (Money(Decimal("3.30"), "USD"),), declined=0, cancelled=0, unknown=0),
    ]
    assert await journal.totals() == days
    assert await journal.totals(until=START + DAY) == days[1:]
    assert await journal.totals(since=START + DAY) == days[:1]


async def test_totals_keep_currencies_apart(journal: Journal, make_step: Callable[..., Step]) -> None:
    """Two payments of one call in two currencies are two amounts; one credited twice counts once."""
    dollars, pesos = (Money(Decimal(amount), currency) for amount, currency in (("5.25", "USD"), ("90.00", "MXN")))
    credits = (do.CreditBill("B1", "CA1:1", dollars, "ch_1"), do.CreditBill("B2", "CA1:2", pesos, "ch_2"))
    await journal.append(make_step(orders=credits))
    await journal.append(make_step(seq=2, orders=credits[:1]))

    (day,) = await journal.totals()
    assert (day.paid, day.amounts) == (2, (pesos, dollars))


async def test_days_are_utc(journal: Journal, make_step: Callable[..., Step]) -> None:
    """A call late in the evening west of Greenwich belongs to the next day."""
    late = datetime.fromisoformat("2026-11-02T23:30:00-05:00")
    await journal.append(make_step(at=late))

    assert [day.day for day in await journal.totals()] == [date(2026, 11, 3)]
    assert await found(journal, since=datetime(2026, 11, 3, 4, 30, tzinfo=UTC)) == ["CA1"]
