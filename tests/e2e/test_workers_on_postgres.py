"""Workers as real processes on a real PostgreSQL, behind a balancer that sends callbacks where the caller is not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from balancer import Balancer, balancing
from postgres_server import Server
from served import LONGEST, SCALE, Served, environment, running

from payagent.accounts.postgres import PostgresAccounts
from payagent.flow.states import Outcome, State
from payagent.flow.step import Step
from payagent.journal.postgres import PostgresJournal
from payagent.journal.protocol import CallSummary, Search
from payagent.lab import scenario as scenarios
from payagent.lab.caller import Result, play, scripted_model
from payagent.lab.faults import Faults
from payagent.lab.serving import serve
from payagent.lab.twilio import StandInTwilio

pytestmark = pytest.mark.needs("postgresql")

PATIENT = "0.3"
"""Factor on the line's own waits, where a call is to be paid although processes have to start meanwhile."""

UP = "Uvicorn running"
KEY = "a key for the record of these tests"


@dataclass
class Place:
    """Two workers on one database. The caller's socket is at `here`, callbacks go `there`, all else by turns."""

    here: Served
    there: Served
    balancer: Balancer
    twilio: StandInTwilio
    url: str

    async def play(self, name: str) -> Result:
        scenario = scenarios.load(name)
        return await play(scenario, self.twilio, scale=SCALE, patience=LONGEST)

    async def steps(self, call_sid: str) -> list[Step]:
        async with self._journal() as journal:
            return await journal.steps(call_sid)

    async def problems(self) -> list[str]:
        async with self._journal() as journal:
            return await journal.verify_all()

    async def until(self, call_sid: str, state: State) -> CallSummary:
        """Until the record says that the call is there."""
        async with self._journal() as journal, asyncio.timeout(LONGEST):
            while True:
                (call,) = await journal.search(Search(call_sid=call_sid))
                if call.state is state:
                    return call
                await asyncio.sleep(0.05)

    async def owed(self, account: str = "A-1001") -> list[str]:
        book = PostgresAccounts(self.url)
        await book.open()
        try:
            return [str(bill.owed) for bill in await book.bills(account)]
        finally:
            await book.close()

    @asynccontextmanager
    async def _journal(self) -> AsyncIterator[PostgresJournal]:
        journal = PostgresJournal(self.url, KEY.encode())
        await journal.open()
        try:
            yield journal
        finally:
            await journal.close()


@asynccontextmanager
async def place(folder: Path, url: str, faults: Faults | None = None, **settings: str) -> AsyncIterator[Place]:
    """All of it, up and running."""
    twilio = StandInTwilio(scale=SCALE, faults=faults or Faults(), outages=True)
    model = scripted_model(scenarios.load("full_payment"))
    async with serve(twilio) as rest, serve(model) as model_origin, twilio, balancing(lambda path: "") as balancer:
        common = environment(rest, model_origin, DATABASE_URL=url, PUBLIC_URL=balancer.origin, JOURNAL_KEY=KEY)
        common |= {"ORDER_CLAIM_SECONDS": "2", "DRAIN_SECONDS": "0.5", "TIME_SCALE": PATIENT, **settings}
        async with running(folder, common) as here, running(folder, common) as there:
            turns = iter(range(10**6))

            def choose(path: str) -> str:
                if path == "/relay":
                    return here.origin
                if path == "/api/status-callback":
                    return there.origin
                return (here if next(turns) % 2 else there).origin

            balancer.choose = choose
            twilio.point_at(balancer.origin)
            yield Place(here, there, balancer, twilio, url)


@pytest.mark.promise(2, 8)
async def test_callbacks_at_the_worker_without_the_socket(tmp_path: Path, postgres_url: str) -> None:
    """Whole payments in both paces: what one worker decides, the other says, and the money moves once."""
    async with place(tmp_path, postgres_url) as line:
        result = await line.play("full_payment")
        steps = await line.steps(result.call_sid)
        problems, owed = await line.problems(), await line.owed()

    assert result.ok, result.report()
    to = dict(line.balancer.seen)
    assert to["/relay"] == line.here.origin
    assert to["/api/status-callback"] == line.there.origin
    assert sum("CompletePay" in str(step.orders) for step in steps) == 1
    assert (problems, owed) == ([], [])
    assert [each for each in ("Traceback", "critical") if each in "".join(line.here.log + line.there.log)] == []


@pytest.mark.promise(8)
async def test_a_worker_killed_in_the_middle_of_a_call(tmp_path: Path, postgres_url: str) -> None:
    """The caller keys in the card when the worker dies: Twilio connects anew at the other one, and the call is paid."""
    async with place(tmp_path, postgres_url) as line:
        call = await line.twilio.place_call()
        playing = asyncio.create_task(
            play(scenarios.load("full_payment"), line.twilio, scale=SCALE, patience=LONGEST, call=call)
        )
        assert await call.until(lambda: any("card number" in words for words in call.spoken), LONGEST)
        line.balancer.choose = lambda path: line.there.origin
        line.here.process.kill()
        result = await playing
        problems, owed = await line.problems(), await line.owed()

    assert result.end == "hung_up_by_app", result.report()
    assert [f"{charge.amount:.2f}" for charge in result.charges] == ["600.00"]
    assert any("I'm back" in words for words in result.spoken)
    assert (problems, owed) == ([], [])


@pytest.mark.promise(8)
async def test_a_charge_nobody_is_left_for_comes_to_its_true_end(tmp_path: Path, postgres_url: str) -> None:
    """The worker dies in `processing_payment`, the caller hangs up, no callback comes: the other worker sweeps."""
    async with place(tmp_path, postgres_url, Faults(lose_final=True), TIME_SCALE=str(SCALE)) as line:
        call = await line.twilio.place_call()
        playing = asyncio.create_task(
            play(scenarios.load("full_payment"), line.twilio, scale=SCALE, patience=LONGEST, call=call)
        )
        assert await call.until(lambda: any("rocessing" in words for words in call.spoken), LONGEST)
        playing.cancel()
        line.here.process.kill()
        line.balancer.choose = lambda path: "http://127.0.0.1:9"  # nothing gets through to anybody
        await call.abandon()
        unknown = await line.until(call.sid, State.ENDED)
        steps = await line.steps(call.sid)
        problems, owed = await line.problems(), await line.owed()

    assert unknown.outcome is Outcome.UNKNOWN
    assert State.PAYMENT_OUTCOME_UNKNOWN in {step.after for step in steps}
    assert len(line.twilio.charges) <= 1
    assert sum("CompletePay" in str(step.orders) for step in steps) == 1
    assert (problems, owed) == ([], ["600.00 USD"])


@pytest.mark.promise(8)
async def test_postgresql_restarted_in_the_middle_of_a_call(
    tmp_path: Path, postgres_server: Server, postgres_url: str
) -> None:
    """The call comes to an end, and the three books agree, however long the database was away."""
    async with place(tmp_path, postgres_url) as line:
        call = await line.twilio.place_call()
        scenario = scenarios.load("full_payment")
        playing = asyncio.create_task(play(scenario, line.twilio, scale=SCALE, patience=LONGEST, call=call))
        for word in ("card number", "security code"):
            await call.until(lambda word=word: any(word in words for words in call.spoken), LONGEST)  # type: ignore[misc]
            await asyncio.to_thread(postgres_server.restart)
        result = await playing
        problems, owed = await line.problems(), await line.owed()

    charges = [f"{charge.amount:.2f}" for charge in result.charges]
    assert result.end != "application_error", result.report()
    assert (charges, owed) in ((["600.00"], []), ([], ["600.00 USD"])), result.report()
    assert problems == []


def children(pid: int) -> list[int]:
    """The processes a process has started, as Linux tells."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.promise(8)
async def test_workers_of_one_machine(tmp_path: Path, postgres_url: str) -> None:
    """`serve --workers 2`: one that is killed is replaced, its callers go on; SIGTERM ends all in good order."""
    twilio = StandInTwilio(scale=SCALE, outages=True)
    model = scripted_model(scenarios.load("full_payment"))
    async with serve(twilio) as rest, serve(model) as model_origin, twilio:
        settings = environment(rest, model_origin, DATABASE_URL=postgres_url, JOURNAL_KEY=KEY)
        settings |= {"ORDER_CLAIM_SECONDS": "2", "PACE": "automatic", "TIME_SCALE": PATIENT}
        async with running(tmp_path, settings, "--workers", "2") as line:
            await line.logs(UP, 2)
            twilio.point_at(line.origin)
            first = await twilio.place_call()
            scenario = scenarios.load("full_payment_automatic")
            playing = asyncio.create_task(play(scenario, twilio, scale=SCALE, patience=LONGEST, call=first))
            await first.until(lambda: any("card number" in words for words in first.spoken), LONGEST)
            for times, pid in enumerate(children(line.process.pid), start=1):  # the caller is at one of them
                os.kill(pid, signal.SIGKILL)
                await line.logs("a worker is gone", times)
                await line.logs(UP, 2 + times)
            result = await playing
            assert len(children(line.process.pid)) == 2
            assert await line.stop() == 0

    assert [f"{charge.amount:.2f}" for charge in result.charges] == ["600.00"]
