"""The switchboard: each call once, brought back as it was, and swept to a true end when nobody is at work on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from live_line import CALL, NEVER, PAYMENT, Line, calls, keyed_fields, open_line, settled
from structlog.testing import capture_logs
from virtual_time import anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.errors import AccountsFailed, JournalFailed, TwilioUnanswered, UnknownCall
from payagent.flow import events as ev
from payagent.flow.states import Pace, State
from payagent.flow.step import Step
from payagent.performer import CLAIM
from payagent.switchboard import GRACE, SWEEP_SECONDS

OTHER = "CA" + "9" * 32
LONGER_THAN_A_CLAIM = CLAIM.total_seconds() + 2 * SWEEP_SECONDS


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """A line in model pace; nobody has rung."""
    async with open_line(tmp_path) as line:
        yield line


@pytest.fixture
async def automatic(tmp_path: Path) -> AsyncIterator[Line]:
    """A line in automatic pace; nobody has rung."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        yield line


async def kinds(line: Line) -> list[str]:
    """What is on the call's record, by name."""
    return [type(event).__name__ for event in await line.events()]


async def restarted(line: Line) -> None:
    """The process was killed, and a new one is at work; the call's session there is asked for."""
    await line.worker.die()
    await line.hire()
    line.session = await line.worker.switchboard.get(CALL)


# Calls come in


async def test_a_call_is_started_once(line: Line) -> None:
    """A second delivery of the same call finds the first one's session, and is not on record."""
    start = line.worker.switchboard.start

    first, second = await asyncio.gather(start(CALL, "…0100", "hash"), start(CALL, "…0100", "hash"))
    third = await start(CALL, "…0100", "hash")

    assert first is second is third
    assert await kinds(line) == ["CallStarted"]


async def test_a_call_is_started_once_by_two_workers(line: Line) -> None:
    """The second delivery may reach another process, even at the same time."""
    others = (await line.hire()).switchboard

    await asyncio.gather(line.workers[0].switchboard.start(CALL, "…0100", "hash"), others.start(CALL, "…0100", "hash"))

    assert await kinds(line) == ["CallStarted"]


async def test_a_call_that_cannot_be_recorded_is_not_taken(line: Line) -> None:
    """Whoever rang is told, nothing of it stays in memory, and it can be tried again."""
    before = len(asyncio.all_tasks())
    line.worker.pen.fails = [JournalFailed("disk full")]

    with pytest.raises(JournalFailed, match="disk full"):
        await line.worker.switchboard.start(CALL, "…0100", "hash")
    with pytest.raises(UnknownCall):
        await line.worker.switchboard.get(CALL)
    left = len(asyncio.all_tasks()) - before
    await line.worker.switchboard.start(CALL, "…0100", "hash")

    assert left == 0
    assert await kinds(line) == ["CallStarted"]


async def test_of_two_deliveries_that_cannot_be_recorded_both_are_told(line: Line) -> None:
    """Neither waits for ever for the other's session."""
    line.worker.pen.fails = [JournalFailed("disk full")] * 2
    start = line.worker.switchboard.start

    answers = await asyncio.gather(start(CALL, "", ""), start(CALL, "", ""), return_exceptions=True)

    assert [type(answer) for answer in answers] == [JournalFailed, JournalFailed]
    assert line.worker.switchboard.live == 0


async def test_a_call_that_never_rang_is_unknown(line: Line) -> None:
    """A callback cannot invent a call."""
    with pytest.raises(UnknownCall):
        await line.worker.switchboard.get(CALL)


async def test_a_call_not_yet_on_record_is_unknown(line: Line) -> None:
    """Until it is recorded it has not rung."""
    may_write = asyncio.Event()

    async def wait(step: Step) -> None:
        await may_write.wait()

    line.worker.pen.before = wait
    starting = asyncio.create_task(line.worker.switchboard.start(CALL, "", ""))
    await settled()
    with pytest.raises(UnknownCall):
        await line.worker.switchboard.get(CALL)
    may_write.set()

    assert await starting is await line.worker.switchboard.get(CALL)


# Brought back


async def test_a_call_is_brought_back_as_it_was(line: Line) -> None:
    """The same state, facts and waits; the model goes on from what was said."""
    await line.ring()
    await line.agreed()
    before = line.session.call
    await restarted(line)
    after = line.session.call

    assert after is not before
    assert (after.state, after.facts, after.timers, after.seq) == (
        before.state,
        before.facts,
        before.timers,
        before.seq,
    )
    await line.connect("VX2")
    await line.caller_says("All of it", [NEVER])
    assert {"role": "user", "content": "Yes"} in line.model.asked[-1].messages


async def test_the_caller_is_still_known_after_a_restart(line: Line) -> None:
    """Failed tries count against the caller's number, whichever worker looks up."""
    await line.ring()
    await restarted(line)
    await line.connect("VX2")
    stranger = {"full_name": "Nobody Known", "date_of_birth": "1990-05-01"}
    for _ in range(2):
        await line.caller_says("It is me", calls("verify_user", **stranger))
    for _ in range(3):
        now = virtual_now()
        await line.accounts.find("Nobody", "1990-05-01", caller="caller-hash", call_sid=OTHER, now=now)

    person = {"full_name": "John Doe", "date_of_birth": "1990-05-01"}
    await line.caller_says("John Doe", calls("verify_user", **person))
    assert (await kinds(line)).count("IdentityNotMatched") == 3


async def test_the_card_of_a_call_handed_off_survives_a_restart(line: Line) -> None:
    """It is read off the steps."""
    await line.ring()
    await line.agreed()
    await line.caller_says("A person!", calls("human_agent_handoff", reason="asked"))
    card = line.session.hand_off_card()
    await restarted(line)

    assert card["state"] == "choosing_amount"
    assert line.session.hand_off_card() == card


async def test_a_relay_is_due_as_often_as_twilio_was_told_to_connect_one(line: Line) -> None:
    """The record says so, to any process; a call that is over wants none."""
    await line.ring()
    connected = await line.session.admit()
    stale = line.session
    await restarted(line)
    after_a_restart = await line.session.admit()
    await line.session.post(ev.RelayFailed())
    due = [await session.admit() for session in (line.session, line.session)]
    await line.session.post(ev.RelayFailed())
    await line.session.post(ev.CallerHungUp())
    over = await line.session.admit()

    assert stale is not line.session
    assert (connected, after_a_restart, due, over) == (False, False, [True, False], False)


async def test_a_relay_is_let_in_by_a_worker_that_did_not_tell_twilio(line: Line) -> None:
    """What another one has recorded is read before a relay is refused."""
    await line.ring()
    others = await (await line.hire()).switchboard.get(CALL)
    await line.session.post(ev.RelayFailed())

    assert await others.admit()


async def test_its_waits_go_on(line: Line) -> None:
    """A deadline is stored with the step: it does not begin anew."""
    await line.ring()
    await line.verified()
    (silence,) = line.session.call.timers
    await asyncio.sleep((silence.due - virtual_now()).total_seconds() - 1)
    await restarted(line)
    line.worker.switchboard.sweep_on()
    early = await kinds(line)
    await asyncio.sleep(1 + GRACE.total_seconds() + 2 * SWEEP_SECONDS)

    assert "TimeUp" not in early
    assert "TimeUp" in await kinds(line)


async def test_two_callbacks_at_once_bring_it_back_once(line: Line) -> None:
    """One call, one mailbox."""
    await line.ring()
    await restarted(line)
    await line.hire()
    get = line.worker.switchboard.get

    first, second = await asyncio.gather(get(CALL), get(CALL))

    assert first is second


# The sweep


async def test_a_call_whose_worker_died_during_the_charge_comes_to_unknown(automatic: Line) -> None:
    """Nobody is on the line and nobody calls back: the sweep brings the call to its true end, and charges once."""
    line = automatic
    await line.ring()
    line.till.waits = {"complete": NEVER}
    await line.keyed_in()
    await line.worker.die()
    (await line.hire()).switchboard.sweep_on()
    await asyncio.sleep(line.flow.limits.unknown_seconds + 5)
    line.session = await line.worker.switchboard.get(CALL)
    events = await kinds(line)

    assert State.PAYMENT_OUTCOME_UNKNOWN in {step.after for step in await line.steps()}
    assert line.till.asked.count("complete") == 1
    assert "CompleteUnanswered" in events
    assert await line.accounts.hold("B-2001", "another", "A-1001", virtual_now()) == "held"


async def test_a_charge_that_surely_was_not_sent_is_sent_while_it_is_waited_for(automatic: Line) -> None:
    """The worker died between the record and the claim: the order lies there, unclaimed."""
    line = automatic
    await line.ring()
    await line.paying()
    *first, last = keyed_fields(line.flow)
    await line.reports(*first)
    line.worker.pen.breaks = {"claim": [JournalFailed("gone")]}
    await line.reports(last)
    await line.worker.die()
    (await line.hire()).switchboard.sweep_on()
    asked = list(line.till.asked)
    await asyncio.sleep(GRACE.total_seconds() + 2 * SWEEP_SECONDS)

    assert "complete" not in asked
    assert line.till.asked.count("complete") == 1
    assert "CompleteAccepted" in await kinds(line)


async def test_a_charge_is_not_sent_after_it_was_called_unknown(automatic: Line) -> None:
    """A caller who was told “it will not be charged again” is not charged by an order that was left lying."""
    line = automatic
    await line.ring()
    await line.paying()
    *first, last = keyed_fields(line.flow)
    await line.reports(*first)
    line.worker.pen.breaks = {"claim": [JournalFailed("gone")]}
    await line.reports(last)
    await line.worker.die()
    await asyncio.sleep(line.flow.limits.unknown_seconds + 10)
    (await line.hire()).switchboard.sweep_on()
    await asyncio.sleep(5)

    assert "complete" not in line.till.asked
    assert "CompleteRefused" in await kinds(line)
    assert State.PAYMENT_OUTCOME_UNKNOWN in {step.after for step in await line.steps()}
    assert await line.worker.journal.open_orders(virtual_now()) == []


async def test_a_capture_left_lying_does_not_take_the_keypad_back(automatic: Line) -> None:
    """The caller keys in the next field by now; asking Twilio for the earlier one would lose the digits."""
    line = automatic
    await line.ring()

    async def refuse_the_answer(step: Step) -> None:
        if isinstance(step.event, ev.CaptureAccepted) and step.event.field == "card_number":
            raise JournalFailed("disk full")

    line.worker.pen.before = refuse_the_answer
    await line.paying()
    await line.reports(keyed_fields(line.flow)[0])
    line.worker.pen.before = None
    line.worker.switchboard.sweep_on()
    await asyncio.sleep(LONGER_THAN_A_CLAIM)

    assert line.till.asked.count("capture card_number") == 1
    assert line.state is State.EXPIRATION_DATE_ENTRY
    orders = await line.worker.journal.open_orders(virtual_now() + CLAIM)
    assert orders == []


async def test_a_look_up_whose_values_were_lost_is_asked_for_again(line: Line) -> None:
    """Name and birth date are in memory only; after a crash the caller is asked, and no try is counted."""
    await line.ring()
    line.worker.pen.breaks = {"claim": [JournalFailed("gone")]}
    person = {"full_name": "John Doe", "date_of_birth": "1990-05-01"}
    await line.caller_says("John Doe", calls("verify_user", **person))
    await restarted(line)
    await line.connect("VX2")
    line.worker.switchboard.sweep_on()
    await asyncio.sleep(5)

    assert "IdentityLookUpFailed" in await kinds(line)
    assert line.session.call.facts.identity_tries == 0
    assert "couldn't look that up" in line.ear.heard


async def test_a_credit_that_failed_is_made_once_the_book_is_back(automatic: Line) -> None:
    """The caller has paid: the sweep tries again when the claim is over, until it stands in the book, once."""
    line = automatic
    await line.ring()
    await line.keyed_in()
    line.book.breaks = {"credit": [AccountsFailed("out of reach")]}
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"))
    told = line.ear.heard
    owed = await line.accounts.bills("A-1001")
    line.worker.switchboard.sweep_on()
    await asyncio.sleep(LONGER_THAN_A_CLAIM)
    await asyncio.sleep(LONGER_THAN_A_CLAIM)

    assert "went through" in told
    assert len(owed) == 1
    assert await line.accounts.bills("A-1001") == ()
    assert (await kinds(line)).count("BillCredited") == 1


async def test_a_cancel_left_lying_is_sent_again_under_its_key(automatic: Line) -> None:
    """A payment session does not outlive its caller because a worker died."""
    line = automatic
    await line.ring()
    await line.paying()
    line.till.waits = {"cancel": NEVER}
    await line.caller_says("Stop", calls("cancel_payment_processing"))
    await line.worker.die()
    line.till.waits = {}
    (await line.hire()).switchboard.sweep_on()
    await asyncio.sleep(LONGER_THAN_A_CLAIM)
    keys = [key for asked, key in zip(line.till.asked, line.till.keys, strict=True) if asked == "cancel"]

    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert "CancelAccepted" in await kinds(line)


async def test_of_two_sweeps_one_takes_an_order_up(automatic: Line) -> None:
    """Two workers see the same order lying; the claim lets one in."""
    line = automatic
    await line.ring()
    await line.paying()
    *first, last = keyed_fields(line.flow)
    await line.reports(*first)
    line.worker.pen.breaks = {"claim": [JournalFailed("gone")]}
    await line.reports(last)
    await line.worker.die()
    await line.hire()
    await line.hire()
    await asyncio.sleep(GRACE.total_seconds() + 1)
    await asyncio.gather(*[worker.switchboard.sweep() for worker in line.workers[1:]])
    await settled()

    assert line.till.asked.count("complete") == 1


async def test_the_sweep_leaves_alone_what_is_being_done(automatic: Line) -> None:
    """An order under a running claim is somebody's, and a fresh one is its session's."""
    line = automatic
    await line.ring()
    line.till.waits = {"open": 20}
    line.worker.switchboard.sweep_on()
    await line.paying()
    await asyncio.sleep(19)

    assert line.till.asked == ["open 600.00"]


async def test_the_sweep_gives_a_session_time_to_begin(automatic: Line) -> None:
    """What was ordered a moment ago is its own session's to do."""
    line = automatic
    await line.ring()
    line.worker.pen.breaks = {"claim": [JournalFailed("locked")]}
    await line.caller_says("John Doe", calls("verify_user", full_name="John Doe", date_of_birth="1990-05-01"))
    await line.worker.switchboard.sweep()
    await settled()
    early = await kinds(line)
    await asyncio.sleep(GRACE.total_seconds())
    await line.worker.switchboard.sweep()
    await settled()

    assert "IdentityLookUpFailed" not in early
    assert "IdentityLookUpFailed" in await kinds(line)


async def test_a_slow_hand_does_not_hold_up_the_sweep(automatic: Line) -> None:
    """Twilio may take its time over one order: the other calls' waits are swept meanwhile."""
    line = automatic
    await line.ring()
    await line.paying()
    line.till.waits = {"cancel": NEVER}
    await line.caller_says("Stop", calls("cancel_payment_processing"))
    await line.worker.die()
    await line.hire()
    await asyncio.sleep(LONGER_THAN_A_CLAIM)

    async with asyncio.timeout(1):
        await line.worker.switchboard.sweep()


async def test_a_call_that_cannot_be_read_does_not_hold_up_the_others(line: Line) -> None:
    """The longest overdue comes first, so one bad record would keep the sweep from all calls behind it."""
    await line.ring()
    await line.worker.switchboard.start(OTHER, "…0101", "hash")
    await line.worker.die()
    await line.hire()
    await asyncio.sleep(60)
    line.worker.pen.breaks = {"steps": [JournalFailed("a record cannot be read")]}
    with capture_logs() as logs:
        await line.worker.switchboard.sweep()

    assert [entry["log_level"] for entry in logs if entry["event"].endswith("could not be swept")] == ["error"]
    assert len(line.worker.steps) > 0


async def test_the_sweep_outlives_its_own_faults(line: Line) -> None:
    """Whatever goes wrong in one round, there is a next one."""
    await line.ring()
    line.worker.pen.breaks = {"due": [ZeroDivisionError("a fault"), JournalFailed("locked")]}
    with capture_logs() as logs:
        line.worker.switchboard.sweep_on()
        await asyncio.sleep(3 * SWEEP_SECONDS)
    broken = [entry["log_level"] for entry in logs if entry["event"] == "the sweep broke off"]
    await line.session.post(ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    await asyncio.sleep(2 * SWEEP_SECONDS)

    assert broken == ["critical", "error"]
    assert line.worker.switchboard.live == 0


# Results kept

PAID = ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok")


async def charged(line: Line, failures: int = 1) -> None:
    """A call whose charge is at the processor, while its record is out of reach for the next writes."""
    await line.ring()
    await line.keyed_in()
    line.worker.pen.fails = [JournalFailed("disk full")] * failures


async def test_a_success_that_cannot_be_recorded_is_kept_and_taken_in_once(automatic: Line) -> None:
    """Delivered twice, it is on the record once as soon as that can be written, and the caller is told."""
    line = automatic
    await charged(line, failures=3)  # the second delivery finds words to write down first
    report = line.worker.switchboard.report
    await asyncio.gather(report(CALL, PAID), report(CALL, PAID))
    before = (await kinds(line), len(await line.spool.kept()))
    for _ in range(3):
        await line.worker.switchboard.sweep()
    await settled()

    assert "PaymentSucceeded" not in before[0]
    assert before[1] == 1
    assert b'callbacks_spooled_total{kept="spool"} 2.0' in line.worker.switchboard.metrics.text()
    assert (await kinds(line)).count("PaymentSucceeded") == 1
    assert "went through" in line.ear.heard
    assert await line.accounts.bills("A-1001") == ()
    assert await line.spool.kept() == []


async def test_a_success_kept_outlives_the_process(automatic: Line) -> None:
    """Answered is answered: the next process takes it in when it starts."""
    line = automatic
    await charged(line)
    await line.worker.switchboard.report(CALL, PAID)
    await line.worker.die()
    (await line.hire()).switchboard.sweep_on()
    await asyncio.sleep(2 * SWEEP_SECONDS)

    assert (await kinds(line)).count("PaymentSucceeded") == 1
    assert await line.accounts.bills("A-1001") == ()


async def test_a_success_taken_in_before_the_process_died_is_not_taken_in_again(automatic: Line) -> None:
    """Between the record and the removal of the file: it stands on the record already."""
    line = automatic
    await charged(line)
    await line.worker.switchboard.report(CALL, PAID)
    line.spool.breaks = {"drop": [JournalFailed("killed")]}
    await line.worker.switchboard.sweep()
    await restarted(line)
    waiting = len(await line.spool.kept())
    await line.worker.switchboard.sweep()

    assert waiting == 1
    assert (await kinds(line)).count("PaymentSucceeded") == 1
    assert await line.spool.kept() == []


async def test_a_result_of_an_earlier_payment_is_not_taken_in_again_either(automatic: Line) -> None:
    """By then the call does not remember its callbacks; the record does."""
    line = automatic
    await line.ring()
    await line.paying()
    star = ev.PaymentFailed(PAYMENT, "caller-interrupted-with-star", digest="star")
    await line.reports(star)
    await line.caller_says("All of it", calls("start_payment", amount="600.00"))
    await line.spool.keep(CALL, star)
    await line.worker.switchboard.sweep()

    assert line.state is State.CARD_NUMBER_ENTRY
    assert (await kinds(line)).count("PaymentFailed") == 1


async def test_a_failure_that_cannot_be_recorded_is_kept_too(automatic: Line) -> None:
    """A decline frees the bill: waiting for ever would keep it held."""
    line = automatic
    await charged(line)
    await line.worker.switchboard.report(CALL, ev.PaymentFailed(PAYMENT, "payment-connector-error", 64012, "no"))
    await line.worker.switchboard.sweep()
    await settled()

    assert line.state is State.PAYMENT_DECLINED


async def test_other_news_is_not_kept(automatic: Line) -> None:
    """What the caller keyed in can be keyed in again; whoever sent it is told."""
    line = automatic
    await charged(line)

    with pytest.raises(JournalFailed, match="disk full"):
        await line.worker.switchboard.report(CALL, ev.KeyPressed(PAYMENT, "card_number"))
    assert await line.spool.kept() == []


async def test_a_success_that_cannot_even_be_kept_is_critical(automatic: Line) -> None:
    """Whoever sent it is told, and so is whoever watches the log."""
    line = automatic
    await charged(line)
    line.spool.breaks = {"keep": [JournalFailed("that disk is full, too")]}
    with capture_logs() as logs, pytest.raises(JournalFailed, match="too"):
        await line.worker.switchboard.report(CALL, PAID)

    assert [e["event"] for e in logs if e["log_level"] == "critical"] == ["a payment's result is lost"]
    assert b'callbacks_spooled_total{kept="nowhere"} 1.0' in line.worker.switchboard.metrics.text()


async def test_a_success_of_an_unknown_call_is_kept_until_the_call_is_known(automatic: Line) -> None:
    """A record put in place anew may lack its calls; told once, the success waits for a person."""
    line = automatic
    with pytest.raises(UnknownCall):
        await line.worker.switchboard.report(CALL, PAID)
    with pytest.raises(UnknownCall):
        await line.worker.switchboard.report(OTHER, ev.PaymentFailed(PAYMENT, "internal-error"))
    with capture_logs() as logs:
        for _ in range(2):
            await line.worker.switchboard.sweep()
    waiting = [kept.call_sid for kept in await line.spool.kept()]
    await line.ring()
    await line.worker.switchboard.sweep()

    assert waiting == [CALL]
    assert [entry["log_level"] for entry in logs] == ["critical"]
    assert "PaymentSucceeded" in await kinds(line)
    assert await line.spool.kept() == []


async def test_a_spool_that_cannot_be_read_does_not_hold_up_the_sweep(line: Line) -> None:
    """Waits that are over are posted all the same."""
    await line.ring()
    await line.worker.die()
    await line.hire()
    await asyncio.sleep(60)
    line.spool.breaks = {"kept": [JournalFailed("gone")]}
    await line.worker.switchboard.sweep()

    assert len(line.worker.steps) > 0


# Let go


async def test_a_call_that_is_over_is_let_go(automatic: Line) -> None:
    """No session and no task is left of it."""
    line = automatic
    line.worker.switchboard.sweep_on()
    await settled()
    before = len(asyncio.all_tasks())
    await line.ring()
    await line.keyed_in()
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"))
    await line.caller_says("Bye", calls("end_call"))
    await line.session.disconnect(line.ear.mouth)
    await asyncio.sleep(2 * SWEEP_SECONDS)

    assert line.session.call.state is State.ENDED
    assert line.worker.switchboard.live == 0
    assert len(asyncio.all_tasks()) == before


async def test_a_late_success_brings_an_ended_call_back(automatic: Line) -> None:
    """It is recorded and credited, however late, and the call is let go again."""
    line = automatic
    line.worker.switchboard.sweep_on()
    await line.ring()
    await line.keyed_in()
    await line.session.post(ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    await asyncio.sleep(line.flow.limits.unknown_seconds + 60)
    gone = line.worker.switchboard.live
    session = await line.worker.switchboard.get(CALL)
    await session.post(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"))
    await asyncio.sleep(2 * SWEEP_SECONDS)

    assert gone == 0
    assert await line.accounts.bills("A-1001") == ()
    assert line.worker.switchboard.live == 0


async def test_a_call_is_not_let_go_while_its_relay_is_up(line: Line) -> None:
    """The goodbye may still be playing."""
    await line.ring()
    await line.agreed()
    await line.caller_says("Bye", calls("end_call"))
    await line.worker.switchboard.sweep()

    assert line.state is State.ENDED
    assert line.worker.switchboard.live == 1


async def test_a_call_is_not_let_go_while_an_event_is_recorded(automatic: Line) -> None:
    """Whoever posted it gets an answer."""
    line = automatic
    await line.ring()
    await line.keyed_in()
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"), ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    await settled()
    may_write = asyncio.Event()

    async def wait(step: Step) -> None:
        await may_write.wait()

    line.worker.pen.before = wait
    posting = asyncio.create_task(line.session.post(ev.OutcomeResolved("paid", "ref", "who", "why")))
    await settled()
    await line.worker.switchboard.sweep()
    may_write.set()

    assert await posting is not None


async def test_a_call_is_not_let_go_while_an_order_is_under_way(automatic: Line) -> None:
    """A stray session of an ended call is being cancelled: that goes on to its answer."""
    line = automatic
    await line.ring()
    await line.session.post(ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    line.till.waits = {"cancel": 5}
    await line.reports(ev.PaymentSessionStarted("PK" + "8" * 32, digest="stray"))
    await line.worker.switchboard.sweep()
    kept = line.worker.switchboard.live
    await asyncio.sleep(6)
    await line.worker.switchboard.sweep()

    assert (kept, line.worker.switchboard.live) == (1, 0)
    assert (await kinds(line))[-1] == "CancelAccepted"


async def test_closing_stops_everything(line: Line) -> None:
    """Sweep and sessions; what is asked for afterwards is read anew from the record."""
    line.worker.switchboard.sweep_on()
    await line.ring()
    await line.caller_says("Hello?", [NEVER])
    await line.worker.switchboard.close()
    await settled()

    assert line.worker.switchboard.live == 0
    assert line.model.asked[0].closed
    assert line.ear.mouth.closed


async def test_an_answer_that_twilio_owes_is_taken_by_its_callback(automatic: Line) -> None:
    """An unanswered complete is settled by the result, and nothing is sent again."""
    line = automatic
    await line.ring()
    line.till.fails = {"complete": [TwilioUnanswered("time-out")]}
    line.worker.switchboard.sweep_on()
    await line.keyed_in()
    await asyncio.sleep(LONGER_THAN_A_CLAIM)
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok"))

    assert line.state is State.PAYMENT_COMPLETED
    assert line.till.asked.count("complete") == 1
