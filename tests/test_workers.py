"""Several workers on one record: any of them may decide, the one the caller is connected to speaks, and one may die.

Two or more switchboards in one process, each with journal connections of its own; on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from live_line import CALL, NEVER, PAYMENT, Ear, Line, calls, keyed_fields, open_line, says, settled
from virtual_time import anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.errors import JournalFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import Pace, State
from payagent.llm import Words
from payagent.performer import CLAIM
from payagent.session import KEPT
from payagent.switchboard import GRACE, SWEEP_SECONDS

PAID = ev.PaymentSucceeded(PAYMENT, "ch_1", digest="ok")
KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgresql")))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    """Where the journal is: "" is a file."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


@pytest.fixture
async def line(tmp_path: Path, url: str) -> AsyncIterator[Line]:
    """A line in automatic pace whose caller is connected to the first of two workers."""
    async with open_line(tmp_path, Pace.AUTOMATIC, url) as line:
        await line.ring()
        await line.hire()
        yield line


@pytest.fixture
async def model(tmp_path: Path, url: str) -> AsyncIterator[Line]:
    """The same in model pace."""
    async with open_line(tmp_path, Pace.MODEL, url) as line:
        await line.ring()
        await line.hire()
        yield line


async def reported(line: Line, *reports: ev.PayReport) -> None:
    """Callbacks come in at the newest worker, and the first one looks around."""
    for report in reports:
        await line.worker.switchboard.report(CALL, report)
        await looked(line)


async def looked(line: Line) -> None:
    """The caller's worker sees what others have recorded, once they have done what it led to."""
    await settled()
    await line.workers[0].switchboard.look_around()
    await settled()


async def owed(line: Line) -> list[str]:
    return [str(bill.owed) for bill in await line.accounts.bills("A-1001")]


async def spoken(line: Line) -> list[str]:
    """The keys of what the record says was said."""
    return [event.source for event in await line.events() if isinstance(event, ev.AgentSpoke)]


# Who speaks


async def test_callbacks_at_the_worker_without_the_socket(line: Line) -> None:
    """A whole payment: the other worker decides, captures and charges; the caller's worker says each sentence once."""
    await line.paying()
    await reported(line, *keyed_fields(line.flow), PAID)
    heard = line.ear.heard

    for words in ("card number", "expiration date", "security code", "Processing", "went through", "anything else"):
        assert heard.lower().count(words.lower()) == 1, (words, heard)
    assert line.till.asked.count("complete") == 1
    assert await owed(line) == []
    keys = await spoken(line)
    assert len(keys) == len(set(keys))
    assert await line.workers[0].journal.verify_all() == []


async def test_the_caller_is_answered_by_the_worker_it_is_connected_to(model: Line) -> None:
    """A turn of the model that another worker's step orders is had where the caller is connected."""
    await model.paying()
    assert model.state is State.CARD_NUMBER_DUE
    await model.caller_says("One moment", says("Take your time."))
    await model.caller_says("Go on", calls("capture_payment_card_number"))
    model.model.scripts.append(says("Now the date."))
    await reported(model, keyed_fields(model.flow)[0])

    assert model.state is State.EXPIRATION_DATE_DUE
    assert model.ear.heard.endswith("Now the date.")


async def test_a_turn_is_cut_by_what_another_worker_decided(model: Line) -> None:
    """The words that were sent before are on record once, and nothing of the turn is sent after."""
    await model.paying()
    await model.caller_says("Hm", [Words("I think"), NEVER])
    await reported(model, ev.PaymentFailed(PAYMENT, "something-new", digest="broke"))
    words = [event.words for event in await model.events() if isinstance(event, ev.AgentSpoke)]

    assert words.count("I think") == 1
    assert all(asked.closed for asked in model.model.asked)
    assert model.state is State.PAYMENT_CANCELLED


async def test_a_step_is_spoken_by_the_relay_that_owned_the_call_then(line: Line) -> None:
    """A sentence decided before the caller came back elsewhere is not said again there: it says where the call is."""
    await line.paying()
    other = await line.worker.switchboard.get(CALL)
    await line.reports(keyed_fields(line.flow)[0])
    assert line.ear.heard.count("expiration date") == 1
    assert "expiration_date" not in other.call.facts.capturing
    ear = Ear("VX2")
    await other.connect(ear.mouth, "Hello.")
    await settled()
    await looked(line)

    assert line.ear.mouth.closed
    assert ear.heard.startswith("The line was interrupted. I'm back now.")
    assert ear.heard.count("expiration date") == 1


async def test_the_newest_relay_owns_the_mouth(line: Line) -> None:
    """The caller is connected anew elsewhere: the old socket is closed, and what follows is said once, there."""
    await line.paying()
    other = await line.worker.switchboard.get(CALL)
    ear = Ear("VX2")
    await other.connect(ear.mouth, "Hello.")
    await looked(line)
    await line.session.disconnect(line.ear.mouth)
    before = len(line.ear.frames)
    await line.workers[0].switchboard.report(CALL, keyed_fields(line.flow)[0])
    await settled()
    await line.worker.switchboard.look_around()
    await settled()

    assert "Hello." not in [event.words for event in await line.events() if isinstance(event, ev.AgentSpoke)][1:]
    assert len(line.ear.frames) == before
    assert ear.heard.count("expiration date") == 1
    assert other.call.facts.relay == "VX2"


async def test_a_hint_is_enough(line: Line) -> None:
    """Told of a step, the caller's worker speaks at once; told of one it knows, it does not even look."""
    await line.paying()
    await line.worker.switchboard.report(CALL, keyed_fields(line.flow)[0])
    await settled()
    line.session.heard_of(line.session.call.seq + 1)
    await settled()
    assert line.ear.heard.count("expiration date") == 1

    line.workers[0].pen.breaks = {"steps": [JournalFailed("was read")]}
    line.session.heard_of(line.session.call.seq)
    await settled()
    assert line.workers[0].pen.breaks["steps"]


@pytest.mark.promise(8)
async def test_a_hint_that_is_lost_costs_a_second(line: Line) -> None:
    """Nobody tells of the step: the sweep finds it."""
    await line.paying()
    line.workers[0].switchboard.sweep_on()
    await settled()
    await line.worker.switchboard.report(CALL, keyed_fields(line.flow)[0])
    await asyncio.sleep(2 * SWEEP_SECONDS)

    assert "expiration date" in line.ear.heard


# Who decides


async def test_what_looks_like_noise_is_judged_by_the_newest_facts(line: Line) -> None:
    """Two time-outs with the same body are two events: between them another worker had Twilio listen anew."""
    await line.paying()
    timed_out = ev.EntryTimedOut(PAYMENT, "card_number", digits=True, digest="same")
    await reported(line, timed_out, timed_out)
    await asyncio.sleep(line.flow.limits.quiet_keys_seconds + 1)
    assert line.till.asked.count("capture card_number") == 2
    await line.worker.switchboard.report(CALL, timed_out)

    assert sum(event == timed_out for event in await line.events()) == 2


async def test_noise_in_the_middle_of_a_turn_is_judged_by_the_newest_facts(line: Line) -> None:
    """The same while the model talks: what it has said goes on record, and the event is looked at anew all the same."""
    await line.paying()
    timed_out = ev.EntryTimedOut(PAYMENT, "card_number", digits=True, digest="same")
    await line.workers[0].switchboard.report(CALL, timed_out)
    await line.caller_says("Hm", [Words("I think"), NEVER])
    other = await line.worker.switchboard.get(CALL)
    (quiet,) = [timer for timer in other.call.timers if timer.name == "recapture"]
    await other.post(ev.TimeUp(quiet.name, quiet.armed))
    await settled()
    await line.workers[0].switchboard.report(CALL, timed_out)

    assert sum(event == timed_out for event in await line.events()) == 2
    assert [event.words for event in await line.events() if isinstance(event, ev.AgentSpoke)].count("I think") == 1


@pytest.mark.promise(2, 8)
async def test_two_workers_race_for_the_same_step(line: Line) -> None:
    """The same callback reaches both at once: what it orders is ordered and done once."""
    await line.paying()
    for report in (*keyed_fields(line.flow), PAID):
        await asyncio.gather(*[worker.switchboard.report(CALL, report) for worker in line.workers])
        await looked(line)

    assert [request for request in line.till.asked if request.startswith("capture")] == [
        "capture card_number",
        "capture expiration_date",
        "capture security_code",
    ]
    assert line.till.asked.count("complete") == 1
    assert sum(event == PAID for event in await line.events()) == 1
    assert await owed(line) == []


@pytest.mark.promise(2)
async def test_a_charge_left_lying_is_judged_by_the_newest_facts(line: Line) -> None:
    """A worker whose memory of the call is old does not send a charge that the caller was told will not come."""
    await line.paying()
    old = await line.worker.switchboard.get(CALL)
    *first, last = keyed_fields(line.flow)
    await line.reports(*first)
    await old.refresh()
    line.workers[0].pen.breaks = {"claim": [JournalFailed("gone")]}
    await line.reports(last)
    await old.refresh()
    assert old.call.state is State.PROCESSING_PAYMENT
    await line.session.post(ev.PaymentFailed(PAYMENT, "something-new", digest="x"))
    assert line.state is State.PAYMENT_OUTCOME_UNKNOWN
    assert old.call.state is State.PROCESSING_PAYMENT

    (order,) = [each for each in await line.worker.journal.open_orders(virtual_now()) if "CompletePay" in str(each)]
    old.take_up(order.key, order.order)
    await settled()

    assert "complete" not in line.till.asked


# Who lets go


async def test_a_quiet_session_without_a_caller_is_let_go(line: Line) -> None:
    """It is not kept for the life of the process, and is brought back when it is needed; the caller's own stays."""
    await line.paying()
    for worker in line.workers:
        worker.switchboard.sweep_on()
    await line.worker.switchboard.report(CALL, ev.CaptureBegan(PAYMENT, "card_number", "began"))
    lived = line.worker.switchboard.live
    for _ in range(8):
        await line.session.post(ev.KeyPressed(PAYMENT, "card_number"))
        await asyncio.sleep(KEPT.total_seconds() / 6)

    assert (lived, line.worker.switchboard.live, line.workers[0].switchboard.live) == (1, 0, 1)
    await reported(line, keyed_fields(line.flow)[0])
    assert "expiration date" in line.ear.heard


# A worker dies

STAGES: dict[str, Callable[[Line], Awaitable[None]]] = {}


def stage(way: Callable[[Line], Awaitable[None]]) -> Callable[[Line], Awaitable[None]]:
    """A way to go before the worker dies."""
    STAGES[way.__name__] = way
    return way


@stage
async def greeted(line: Line) -> None:
    """Nothing was said yet."""


@stage
async def verified(line: Line) -> None:
    await line.verified()


@stage
async def agreed(line: Line) -> None:
    await line.agreed()


@stage
async def holding(line: Line) -> None:
    line.book.breaks = {}
    await line.agreed()
    line.workers[0].pen.breaks = {"claim": [JournalFailed("gone")]}
    await line.caller_says("All of it", calls("start_payment", amount="600.00"))
    assert line.state is State.STARTING_PAYMENT


@stage
async def opening(line: Line) -> None:
    line.till.waits = {"open": NEVER}
    await line.paying()
    assert line.state is State.STARTING_PAYMENT


@stage
async def first_field(line: Line) -> None:
    await line.paying()


@stage
async def second_field(line: Line) -> None:
    await line.paying()
    await line.reports(keyed_fields(line.flow)[0])


@stage
async def third_field(line: Line) -> None:
    await line.paying()
    await line.reports(*keyed_fields(line.flow)[:2])


@stage
async def charging(line: Line) -> None:
    await line.keyed_in()


async def finish(line: Line) -> None:
    """The caller is connected to the new worker, and goes on from wherever the call is until it is paid."""
    for _ in range(12):
        match line.state:
            case State.VERIFYING_IDENTITY:
                await line.verified()
            case State.CONFIRMING_BALANCE:
                await line.caller_says("Yes", calls("confirm_balance", agreed=True))
            case State.CHOOSING_AMOUNT:
                await line.caller_says("All of it", calls("start_payment", amount="600.00"))
            case State.STARTING_PAYMENT:  # the sweep takes up what was left lying
                await asyncio.sleep(GRACE.total_seconds() + 2 * SWEEP_SECONDS)
            case State.PROCESSING_PAYMENT:
                await line.reports(PAID)
            case State.PAYMENT_COMPLETED:
                return
            case _:
                names = [field.name for field in line.flow.profile.fields]
                await line.reports(keyed_fields(line.flow)[names.index(line.session.call.facts.capturing)])


@pytest.mark.promise(8)
@pytest.mark.parametrize("way", STAGES.values(), ids=STAGES)
async def test_a_call_goes_on_when_its_worker_is_killed(line: Line, way: Callable[[Line], Awaitable[None]]) -> None:
    """In every state: Twilio asks what next, gets a new relay at another worker, and the caller pays, once.

    Where the session's opening is in doubt a person takes over instead, and nothing is charged.
    """
    await way(line)
    await line.workers[0].die()
    line.till.waits = {}
    line.worker.switchboard.sweep_on()
    line.session = await line.worker.switchboard.get(CALL)
    step = await line.session.post(ev.RelayFailed())
    assert step is not None
    assert any(isinstance(order, do.ConnectRelay) for order in step.orders)
    await line.connect("VX2")

    if way is opening:
        await asyncio.sleep(line.flow.limits.start_seconds + CLAIM.total_seconds() + 5)
        assert line.state in (State.HANDING_OFF, State.ENDED)
        assert line.till.asked.count("complete") == 0
        assert line.till.asked.count("cancel") == 1
        assert await owed(line) == ["600.00 USD"]
        return
    await finish(line)
    assert line.state is State.PAYMENT_COMPLETED
    assert line.till.asked.count("complete") == 1
    assert line.ear.heard.count("went through") == 1
    assert await owed(line) == []
    assert await line.worker.journal.verify_all() == []


@pytest.mark.promise(8)
async def test_a_call_nobody_is_left_for_comes_to_its_true_end(line: Line) -> None:
    """Worker and caller are gone while the charge is open, and no callback comes: another worker's sweep ends it."""
    line.till.waits = {"complete": NEVER}
    await line.keyed_in()
    await line.workers[0].die()
    line.worker.switchboard.sweep_on()
    await asyncio.sleep(line.flow.limits.unknown_seconds + 10)

    states = {step.after for step in await line.steps()}
    assert State.PAYMENT_OUTCOME_UNKNOWN in states
    assert line.till.asked.count("complete") == 1
    assert await line.accounts.hold("B-2001", "another", "A-1001", virtual_now()) == "held"
