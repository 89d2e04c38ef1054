"""What every journal promises (`payagent.journal.protocol`), whichever database keeps it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from payagent.errors import JournalConflict, JournalFailed
from payagent.flow import effects as fx
from payagent.flow import events as ev
from payagent.flow.money import Account
from payagent.flow.states import State
from payagent.flow.step import Step, Timer
from payagent.journal.protocol import Claim, Journal, OpenOrder, Search

MakeStep = Callable[..., Step]
OpenJournal = Callable[[], Awaitable[Journal]]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOLD = fx.HoldBill("B1", "CA1:1", "A1")


@pytest.mark.promise(8)
async def test_steps_come_back_as_they_were_written(journal: Journal, make_step: MakeStep) -> None:
    """What is appended is read back, in order, whole or from a step on."""
    steps = [make_step(seq=1), make_step(seq=2, event=ev.CallerSpoke("yes, please")), make_step(seq=3, orders=(HOLD,))]
    for step in steps:
        await journal.append(step)

    assert await journal.steps("CA1") == steps
    assert await journal.steps("CA1", after=1) == steps[1:]


async def test_unknown_call_has_no_steps(journal: Journal) -> None:
    """A call that is not on the record has no steps, and cannot pass for a whole one."""
    assert await journal.steps("CA9") == []
    assert await journal.verify("CA9") == ["call CA9: not on the record"]


@pytest.mark.promise(8)
async def test_taken_number_is_a_conflict(journal: Journal, make_step: MakeStep) -> None:
    """A second step of the same number is refused and leaves no trace: no order, no done mark, no move."""
    first = make_step(orders=(HOLD,))
    await journal.append(first)

    late = make_step(event=ev.BillHeld("CA1:1:0"), orders=(fx.ReadBills("A1"), HOLD), after=State.ENDED)
    with pytest.raises(JournalConflict):
        await journal.append(late, make_step(seq=2))

    assert await journal.steps("CA1") == [first]
    assert [order.key for order in await journal.open_orders(NOON)] == ["CA1:1:0"]
    assert await journal.live_calls() == ["CA1"]


@pytest.mark.promise(8)
async def test_steps_appended_together_are_all_there(journal: Journal, make_step: MakeStep) -> None:
    """Each with its words and orders, chained, what they answer done, and the last one's waits running."""
    timer = Timer("silence", 3, NOON)
    first = make_step(orders=(HOLD, fx.ReadBills("A1")))
    rest = [
        make_step(seq=2, event=ev.AgentSpoke("turn", "Good day.")),
        make_step(seq=3, event=ev.BillHeld("CA1:1:0"), orders=(HOLD,), timers=(timer,)),
    ]
    await journal.append(first)
    await asyncio.gather(journal.append(*rest), journal.append(make_step("CA2"), make_step("CA2", 2)))
    await journal.append(make_step(seq=4, timers=(timer,)))

    assert (await journal.steps("CA1"))[:3] == [first, *rest]
    assert [step.seq for step in await journal.steps("CA2")] == [1, 2]
    assert [order.key for order in await journal.open_orders(NOON)] == ["CA1:1:1", "CA1:3:0"]
    assert await journal.due(NOON) == [("CA1", timer)]
    assert await journal.verify_all() == []


@pytest.mark.promise(8)
async def test_steps_appended_together_are_all_refused(journal: Journal, make_step: MakeStep) -> None:
    """When the second cannot be written, the first is not written either."""
    await journal.append(make_step())

    with pytest.raises(JournalFailed):
        await journal.append(make_step(seq=2, orders=(HOLD,)), make_step(seq=2))
    assert [step.seq for step in await journal.steps("CA1")] == [1]
    assert await journal.open_orders(NOON + MINUTE) == []
    await journal.append(make_step(seq=2))
    assert await journal.verify_all() == []


@pytest.mark.promise(8)
@pytest.mark.parametrize("seq", [0, 3])
async def test_numbers_are_not_skipped(journal: Journal, make_step: MakeStep, seq: int) -> None:
    """A step that does not follow the call's last one is refused, and not as a conflict."""
    await journal.append(make_step(seq=1))

    with pytest.raises(JournalFailed, match="has no step") as refused:
        await journal.append(make_step(seq=seq))

    assert not isinstance(refused.value, JournalConflict)


@pytest.mark.promise(8)
async def test_concurrent_appends_are_all_recorded(journal: Journal, make_step: MakeStep) -> None:
    """Fifty calls write at once, ten steps each, and every step stands on a whole chain."""

    async def one_call(call_sid: str) -> None:
        for seq in range(1, 11):
            await journal.append(make_step(call_sid, seq))

    await asyncio.gather(*(one_call(f"CA{n}") for n in range(50)))

    assert [summary.steps for summary in await journal.search(Search(limit=100))] == [10] * 50
    assert await journal.verify_all() == []


@pytest.mark.promise(8)
async def test_one_of_many_wins_a_number(journal: Journal, make_step: MakeStep) -> None:
    """Of fifty that write the same step one is let in, and each of the others is told of the conflict."""
    results = await asyncio.gather(*(journal.append(make_step()) for _ in range(50)), return_exceptions=True)

    assert results.count(None) == 1
    assert sum(isinstance(result, JournalConflict) for result in results) == 49
    assert await journal.verify_all() == []


@pytest.mark.promise(8)
async def test_failed_step_fails_alone(journal: Journal, make_step: MakeStep) -> None:
    """Steps handed in together with one that fails are recorded all the same."""
    await journal.append(make_step("CA0"))
    calls = ["CA1", "CA0", "CA2", "CA3"]
    results = await asyncio.gather(*(journal.append(make_step(call)) for call in calls), return_exceptions=True)

    assert [type(result) for result in results] == [type(None), JournalConflict, type(None), type(None)]
    assert await journal.verify_all() == []


async def test_time_without_zone_is_refused(journal: Journal, make_step: MakeStep) -> None:
    """A naive time has no meaning on the record."""
    with pytest.raises(JournalFailed, match="without a zone"):
        await journal.append(make_step(at=datetime(2026, 11, 2, 12)))


async def test_closed_journal_fails(journal: Journal, make_step: MakeStep) -> None:
    """After `close` nothing is written or read, and closing again does no harm."""
    await journal.close()
    await journal.close()

    with pytest.raises(JournalFailed):
        await journal.append(make_step())
    with pytest.raises(JournalFailed):
        await journal.steps("CA1")


@pytest.mark.promise(8)
async def test_reopened_journal_goes_on(open_journal: OpenJournal, make_step: MakeStep) -> None:
    """A journal opened again has steps, words, orders and timers, and goes on with the same chain."""
    timer = Timer("silence", 1, NOON)
    step = make_step(event=ev.CallerSpoke("hello"), orders=(HOLD,), timers=(timer,))
    first = await open_journal()
    await first.append(step)
    await first.close()

    second = await open_journal()
    assert await second.steps("CA1") == [step]
    assert [order.order for order in await second.open_orders(NOON)] == [HOLD]
    assert await second.due(NOON) == [("CA1", timer)]
    await second.append(make_step(seq=2))
    assert await second.verify_all() == []


@pytest.mark.promise(8)
async def test_two_openings_follow_each_other(open_journal: OpenJournal, make_step: MakeStep) -> None:
    """Whoever wrote the call's last step, the next one is chained to it."""
    one, other = await open_journal(), await open_journal()
    for seq in range(1, 6):
        await (one if seq % 2 else other).append(make_step(seq=seq))

    with pytest.raises(JournalConflict):
        await other.append(make_step(seq=5))
    assert await one.verify("CA1") == []


# Orders


async def test_only_durable_orders_are_kept(journal: Journal, make_step: MakeStep) -> None:
    """Orders for the mouth and answers die with their moment; the others wait, numbered as in the step."""
    orders = (fx.Say("processing"), fx.CompletePay("PK1"), fx.HangUp(), fx.ReadBills("A1"))
    await journal.append(make_step(orders=orders))

    assert await journal.open_orders(NOON) == [
        OpenOrder("CA1:1:1", "CA1", 1, 1, fx.CompletePay("PK1"), NOON + MINUTE),
        OpenOrder("CA1:1:3", "CA1", 1, 3, fx.ReadBills("A1"), NOON + MINUTE),
    ]


async def test_identity_values_are_lost(journal: Journal, make_step: MakeStep) -> None:
    """The order to look somebody up comes back without the two values."""
    await journal.append(make_step(orders=(fx.LookUpIdentity("John Doe", "1990-05-01"),)))

    (order,) = await journal.open_orders(NOON)
    assert order.order == fx.LookUpIdentity(None, None)


@pytest.mark.promise(8)
async def test_done_order_is_closed_with_its_answer(journal: Journal, make_step: MakeStep) -> None:
    """The step that records an order's answer closes that order and no other."""
    await journal.append(make_step(orders=(HOLD, fx.ReadBills("A1"))))
    await journal.append(make_step(seq=2, event=ev.BillHeld("CA1:1:0")))

    assert [order.key for order in await journal.open_orders(NOON)] == ["CA1:1:1"]
    assert await journal.claim("CA1:1:0", "w1", NOON + MINUTE, NOON) is Claim.REFUSED


@pytest.mark.promise(8)
async def test_claim_race_has_one_winner(open_journal: OpenJournal, make_step: MakeStep) -> None:
    """Of many workers that reach for an order, on two connections, one gets it."""
    journals = [await open_journal(), await open_journal()]
    await journals[0].append(make_step(orders=(HOLD,)))

    claims = (journals[n % 2].claim("CA1:1:0", f"w{n}", NOON + MINUTE, NOON) for n in range(20))
    assert Counter(await asyncio.gather(*claims)) == {Claim.FIRST: 1, Claim.REFUSED: 19}


@pytest.mark.promise(8)
async def test_claim_race_for_an_order_left_lying_has_one_winner(
    open_journal: OpenJournal, make_step: MakeStep
) -> None:
    """When a claim is over one of many gets the order, and is told that it may have been sent."""
    journals = [await open_journal(), await open_journal()]
    await journals[0].append(make_step(orders=(HOLD,)))
    await journals[0].claim("CA1:1:0", "died", NOON + MINUTE, NOON)

    claims = (journals[n % 2].claim("CA1:1:0", f"w{n}", NOON + 2 * MINUTE, NOON + MINUTE) for n in range(20))
    assert Counter(await asyncio.gather(*claims)) == {Claim.AGAIN: 1, Claim.REFUSED: 19}


async def test_claimed_order_is_not_open_until_the_claim_is_over(journal: Journal, make_step: MakeStep) -> None:
    """A running claim keeps others off; once over, the order is open, and whoever takes it knows of the claim."""
    await journal.append(make_step(orders=(HOLD,)))
    assert await journal.claim("CA1:1:0", "w1", NOON + MINUTE, NOON) is Claim.FIRST

    almost = NOON + MINUTE - timedelta(microseconds=1)
    assert await journal.open_orders(almost) == []
    assert await journal.claim("CA1:1:0", "w2", NOON + 2 * MINUTE, almost) is Claim.REFUSED

    assert [order.key for order in await journal.open_orders(NOON + MINUTE)] == ["CA1:1:0"]
    assert await journal.claim("CA1:1:0", "w2", NOON + 2 * MINUTE, NOON + MINUTE) is Claim.AGAIN


async def test_taking_over_gives_no_order_a_second_first_claim(journal: Journal, make_step: MakeStep) -> None:
    """Whoever begins to work knows of an order that was claimed before that it may have been sent."""
    await journal.append(make_step(orders=(HOLD,)))
    await journal.claim("CA1:1:0", "died", NOON + MINUTE, NOON)
    await journal.take_over(NOON)

    assert await journal.claim("CA1:1:0", "w2", NOON + 3 * MINUTE, NOON + 2 * MINUTE) is Claim.AGAIN


async def test_unknown_order_cannot_be_claimed(journal: Journal) -> None:
    """There is nothing to do under a key that is not on the record."""
    assert await journal.claim("CA9:1:0", "w1", NOON + MINUTE, NOON) is Claim.REFUSED


# Waits and the list of calls


async def test_due_timers_are_found_by_time(journal: Journal, make_step: MakeStep) -> None:
    """Waits that are over come with their call, the longest overdue first; those that run are left out."""
    one, two, three, four = (Timer(f"t{n}", 1, NOON + n * MINUTE) for n in range(1, 5))
    await journal.append(make_step("CA1", timers=(four, one, three)))
    await journal.append(make_step("CA2", timers=(two,)))

    assert await journal.due(NOON) == []
    assert await journal.due(NOON + 3 * MINUTE) == [("CA1", one), ("CA2", two), ("CA1", three)]


async def test_next_step_replaces_the_timers(journal: Journal, make_step: MakeStep) -> None:
    """Only the waits of the call's last step run."""
    await journal.append(make_step(timers=(Timer("silence", 1, NOON),)))
    await journal.append(make_step(seq=2, timers=(Timer("silence", 2, NOON + MINUTE),)))
    assert await journal.due(NOON + MINUTE) == [("CA1", Timer("silence", 2, NOON + MINUTE))]

    await journal.append(make_step(seq=3))
    assert await journal.due(NOON + MINUTE) == []


async def test_ended_calls_are_not_live(journal: Journal, make_step: MakeStep) -> None:
    """A call is live until a step leads to its end, and a late result does not wake it."""
    await journal.append(make_step("CA1"))
    await journal.append(make_step("CA2"))
    await journal.append(make_step("CA1", 2, after=State.ENDED))
    await journal.append(make_step("CA1", 3, before=State.ENDED, after=State.ENDED))

    assert await journal.live_calls() == ["CA2"]
    assert await journal.verify_all() == []


async def test_pages_of_a_search_lose_none_that_began_at_once(journal: Journal, make_step: MakeStep) -> None:
    """The next page is what stands behind the last line, whichever of the calls of that moment it was."""
    names = [f"CA{n}" for n in range(1, 6)]
    for name in names:
        await journal.append(make_step(name))
    seen, search = list[str](), Search(limit=2)
    while page := await journal.search(search):
        seen += [call.call_sid for call in page]
        search = Search(limit=2, before=page[-1].started_at, before_call=page[-1].call_sid)

    assert seen == names[::-1]


async def test_live_calls_are_counted_by_state(journal: Journal, make_step: MakeStep) -> None:
    """Those that have ended are not."""
    assert await journal.states() == {}

    await journal.append(make_step("CA1"))
    await journal.append(make_step("CA2"))
    await journal.append(make_step("CA3", after=State.HANDING_OFF))
    await journal.append(make_step("CA4", after=State.ENDED))

    assert await journal.states() == {State.CONFIRMING_BALANCE: 2, State.HANDING_OFF: 1}


# Words, seals


@pytest.mark.promise(8)
async def test_erased_words_leave_the_chain_whole(journal: Journal, make_step: MakeStep) -> None:
    """What was spoken before the given time is gone, counted, and the steps still verify."""
    spoken = [
        ev.CallerSpoke("hello", card_cut=True),
        ev.AgentSpoke("CA1:1:0", "good day"),
        ev.CallerInterrupted("good"),
    ]
    for seq, event in enumerate(spoken, start=1):
        await journal.append(make_step(seq=seq, event=event))
    await journal.seal(NOON)

    assert await journal.erase_words(NOON + 3 * MINUTE, try_out=True) == 2
    assert [step.event for step in await journal.steps("CA1")] == spoken
    assert await journal.erase_words(NOON + 3 * MINUTE) == 2

    events = [step.event for step in await journal.steps("CA1")]
    assert events == [ev.CallerSpoke("", card_cut=True), ev.AgentSpoke("CA1:1:0", ""), spoken[2]]
    assert await journal.verify_all() == []


async def test_who_called_can_be_erased(journal: Journal, make_step: MakeStep) -> None:
    """The caller's number, as far as it is kept, and the account holder's name; which account it was stays."""
    known = [
        ev.CallStarted("***0100", "a1b2c3"),
        ev.IdentityMatched("CA1:1:0", Account("A-1", "Humphrey Bogart", has_hsa=True)),
    ]
    for seq, event in enumerate(known, start=1):
        await journal.append(make_step(seq=seq, event=event))
    before = [step.event for step in await journal.steps("CA1")]
    await journal.erase_words(NOON + 3 * MINUTE)

    assert before == known
    erased = [step.event for step in await journal.steps("CA1")]
    assert erased == [ev.CallStarted("", ""), ev.IdentityMatched("CA1:1:0", Account("A-1", "", has_hsa=True))]
    assert await journal.verify_all() == []


async def test_identity_is_not_kept(journal: Journal, make_step: MakeStep) -> None:
    """A birth date spoken or sent to the tool while the caller is being identified is not on the record."""
    events = [
        ev.CallerSpoke("I am John Doe, born May first 1990"),
        ev.ToolCalled("CA1:1:0", "t1", "verify_user", '{"full_name": "John Doe", "date_of_birth": "1990-05-01"}'),
    ]
    for seq, event in enumerate(events, start=1):
        await journal.append(make_step(seq=seq, event=event, before=State.VERIFYING_IDENTITY))

    assert [step.event for step in await journal.steps("CA1")] == [
        ev.CallerSpoke("I am John Doe, born # # ####"),
        ev.ToolCalled("CA1:1:0", "t1", "verify_user", "{}"),
    ]


@pytest.mark.promise(8)
async def test_seals_cover_what_went_on(journal: Journal, make_step: MakeStep) -> None:
    """Seals may be written at any time, also when nothing happened, and an untouched record stays whole."""
    await journal.seal(NOON)
    await journal.append(make_step("CA1"))
    await journal.seal(NOON)
    await journal.seal(NOON)
    await journal.append(make_step("CA1", 2))
    await journal.append(make_step("CA2"))
    await journal.seal(NOON)

    assert await journal.verify_all() == []
