"""The counters: what is counted, and that no label can name a call or a person."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from card_search import ON_PURPOSE
from live_line import Line, open_line, says, settled
from prometheus_client import CollectorRegistry
from virtual_time import anyio_backend, owing_threads  # noqa: F401

from payagent import metrics as counters
from payagent.errors import JournalConflict, JournalFailed, ModelFailed, TwilioRefused, TwilioUnanswered
from payagent.flow import events as ev
from payagent.flow.states import Outcome, Pace, Party, Profile, State
from payagent.flow.table import build
from payagent.metrics import Metrics

ALLOWED = {
    "state": set(State),
    "party": set(Party),
    "trigger": {row.trigger for pace in Pace for profile in Profile for row in build(pace, profile).rows},
    "what": {*counters.REFUSED, counters.OTHER},
    "outcome": set(Outcome),
    "end": set(counters.TURN_ENDS),
    "reason": {*counters.FAILURES, counters.OTHER},
    "path": {*counters.DOORS, counters.OTHER},
    "status": {*counters.STATUSES, counters.OTHER},
    "request": set(counters.REQUESTS),
    "answer": set(counters.ANSWERS),
    "kept": {"spool", "nowhere"},
}


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """A call that rang, in automatic pace, so that one event after the other leads to the charge."""
    async with open_line(tmp_path, Pace.AUTOMATIC) as line:
        await line.ring()
        yield line


def counted(line: Line) -> Metrics:
    return line.worker.switchboard.metrics


def value(metrics: Metrics, name: str, /, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def strange_labels(registry: CollectorRegistry) -> list[tuple[str, str, str]]:
    """Labels with a value outside their closed set; `le` is a histogram's own."""
    return [
        (sample.name, label, given)
        for metric in registry.collect()
        for sample in metric.samples
        for label, given in sample.labels.items()
        if label != "le" and given not in ALLOWED.get(label, ())
    ]


async def test_a_payment_is_counted_where_it_happens(line: Line) -> None:
    """Moves by trigger and party, requests to Twilio, turns of the model, the outcome, and no label out of its set."""
    await line.keyed_in()
    await line.reports(ev.PaymentSucceeded(line.session.call.facts.payment.session, "ch_1", "1111", "visa", digest="s"))
    metrics = counted(line)

    assert value(metrics, "payagent_moves_total", trigger="start_payment", party="model") == 1
    assert value(metrics, "payagent_moves_total", trigger="payment_succeeded", party="pay") == 1
    assert value(metrics, "payagent_rest_seconds_count", request="capture", answer="done") == 3
    assert value(metrics, "payagent_rest_seconds_count", request="complete", answer="done") == 1
    assert value(metrics, "payagent_model_turn_seconds_count", end="tool") == 3
    assert value(metrics, "payagent_state_seconds_count", state="processing_payment") == 1
    assert value(metrics, "payagent_outcomes_total", outcome="paid") == 1
    assert value(metrics, "payagent_reconnects_total") == 0
    assert value(metrics, "payagent_journal_append_seconds_count") == len(line.worker.pen.written)
    assert strange_labels(metrics.registry) == []


async def test_what_a_stranger_may_choose_is_other(line: Line, tmp_path: Path) -> None:
    """A tool the model invented, a reason nobody foresaw, a path somebody tried, are never a label."""
    (tmp_path / ON_PURPOSE).touch()
    metrics = counted(line)
    await line.caller_says("Hello", [ModelFailed("a reason nobody foresaw")])
    refused = ev.ToolCalled(line.session.call.facts.turn, "c", "charge_John_Doe", "{}")
    await line.session.post(refused)
    metrics.answered("/CA0123", 418, 0.1)
    metrics.rest("steal", "gladly", 0.1)

    assert value(metrics, "payagent_model_failures_total", reason="other") == 1
    assert value(metrics, "payagent_refusals_total", what="other") == 1
    assert value(metrics, "payagent_http_seconds_count", path="other", status="other") == 1
    assert not re.search('John|foresaw|CA0123|gladly|"418"', metrics.text().decode())


async def test_turns_are_timed_to_their_first_word_and_to_their_end(line: Line) -> None:
    """Also when they are cut; a turn without words has no first one."""
    metrics = counted(line)
    await line.caller_says("Hello", [3.0, *says("Hello"), 1e9])
    await asyncio.sleep(3)
    await line.session.post(ev.CallerInterrupted("Hel"))
    await settled()

    first = value(metrics, "payagent_model_first_words_seconds_sum")
    assert first == pytest.approx(3.0, abs=0.01)
    assert value(metrics, "payagent_model_first_words_seconds_count") == 1
    assert value(metrics, "payagent_model_turn_seconds_count", end="cut") == 1


async def test_the_time_in_a_state_counts_from_its_beginning(line: Line) -> None:
    """Steps that stay in the state do not start it anew, and neither does bringing the call back from the record."""
    await asyncio.sleep(4)
    await line.caller_says("Hello")
    await asyncio.sleep(3)
    worker = await line.hire()
    line.session = await worker.switchboard.get(line.session.call.call_sid)
    await line.connect("VX2")
    await line.verified()

    took = value(counted(line), "payagent_state_seconds_sum", state="verifying_identity")
    assert took == pytest.approx(7.0, abs=0.1)
    assert value(counted(line), "payagent_reconnects_total") == 1


@pytest.mark.parametrize(
    ("failure", "answer"), [(TwilioRefused(64001, 400, "no"), "refused"), (TwilioUnanswered("no"), "unanswered")]
)
async def test_twilio_s_refusals_and_silences_are_told_apart(failure: Exception, answer: str, line: Line) -> None:
    line.till.fails["open"] = [failure]
    await line.paying()

    assert value(counted(line), "payagent_rest_seconds_count", request="open", answer=answer) == 1


async def test_a_lost_race_is_no_failure_of_the_record(line: Line) -> None:
    """But a step that could not be written is one."""
    line.worker.pen.fails = [JournalConflict("somebody was faster")]
    await line.session.post(ev.LanguageKeyPressed("es"))
    raced = value(counted(line), "payagent_journal_failures_total")
    line.worker.pen.fails = [JournalFailed("disk full")]
    with pytest.raises(JournalFailed):
        await line.session.post(ev.LanguageKeyPressed("en"))

    assert (raced, value(counted(line), "payagent_journal_failures_total")) == (0, 1)


async def test_the_calls_at_work_on_are_counted_by_state(line: Line) -> None:
    """By the sweep and whenever it is asked for; a call that is over counts no more."""
    metrics = counted(line)
    await line.worker.switchboard.sweep()
    talking = [value(metrics, "payagent_calls", state="verifying_identity"), value(metrics, "payagent_relays")]
    await line.session.disconnect(line.ear.mouth)
    await line.session.post(ev.CallerHungUp())
    await line.worker.switchboard.sweep()
    await line.worker.switchboard.sweep()

    assert talking == [1, 1]
    assert [value(metrics, "payagent_calls", state=state) for state in State] == [0] * len(State)
    assert value(metrics, "payagent_relays") == 0


def test_two_lines_in_one_process_do_not_add_up() -> None:
    one, other = Metrics(), Metrics()
    one.spooled(kept=True)

    assert value(one, "payagent_callbacks_spooled_total", kept="spool") == 1
    assert value(other, "payagent_callbacks_spooled_total", kept="spool") == 0


WORKER = """
import os, sys
from payagent.metrics import Metrics, worker_gone
metrics = Metrics()
metrics.spooled(kept=True)
metrics.calls(["ended"], 2)
if sys.argv[1:]:
    worker_gone(int(sys.argv[1]))
    sys.stdout.write(metrics.text().decode())
else:
    print(os.getpid())
"""


def test_workers_that_share_a_folder_answer_for_each_other(tmp_path: Path) -> None:
    """Counts add up, also those of a worker that is gone; the calls it had are no longer at work on."""
    environment = os.environ | {counters.SHARED: str(tmp_path)}

    def work(*arguments: str) -> str:
        command = [sys.executable, "-c", WORKER, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    shown = work(work().strip())

    assert 'payagent_callbacks_spooled_total{kept="spool"} 2.0' in shown
    assert "payagent_relays 2.0" in shown
