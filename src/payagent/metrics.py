"""What a line counts and times, for Prometheus.

* No label names a call, a person, a sum or anything else a stranger could choose: every label has a closed set of
  values, and what comes from outside (a tool's name, a reason) is `other` when it is not in its set.
* `Metrics` is an object that is handed down, with a registry of its own: two lines in one process do not add up.
* With `PROMETHEUS_MULTIPROC_DIR` set (before the first import of this module), the workers of one machine keep their
  values in files there, and each of them answers for all.
* Counting never fails a call and never waits: it is arithmetic in memory.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from payagent.errors import JournalConflict, JournalFailed
from payagent.flow import events as ev
from payagent.flow.facts import Facts
from payagent.flow.rows import Row
from payagent.flow.states import Outcome, State
from payagent.flow.step import Step
from payagent.flow.tools import TOOLS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SHARED = "PROMETHEUS_MULTIPROC_DIR"

OTHER = "other"
REQUESTS = ("open", "capture", "complete", "cancel")
ANSWERS = ("done", "refused", "unanswered")
FAILURES = (
    "timeout_first_word", "stalled", "timeout_turn", "rate_limited", "server_error", "refused", "unreachable", "cut",
    "empty", "garbage", "length", "content_filter", "fault",
)  # fmt: skip
TURN_ENDS = ("words", "tool", "failed", "stopped", "cut")
DOORS = ("/api/incoming-call", "/api/status-callback", "/api/action", "/healthz", "/readyz", "/metrics")
STATUSES = ("200", "204", "400", "403", "404", "405", "408", "413", "429", "503")
REFUSED = (*TOOLS, "outcome_resolved")

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Seconds: what a machine does."""
SLOW = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30)
"""Seconds: what a model or a far server does."""
PATIENT = (1, 2, 5, 10, 20, 30, 60, 90, 120, 300)
"""Seconds: what a person does."""


class Metrics:
    """One line's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self._calls = Gauge(
            "payagent_calls", "Calls at work on here, by state.", ["state"], registry=one, multiprocess_mode="livesum"
        )
        self._relays = Gauge(
            "payagent_relays", "Callers whose relay is connected here.", registry=one, multiprocess_mode="livesum"
        )
        self._moves = Counter("payagent_moves", "Rows of the table that fired.", ["trigger", "party"], registry=one)
        self._refusals = Counter("payagent_refusals", "Tools and orders refused in words.", ["what"], registry=one)
        self._outcomes = Counter("payagent_outcomes", "Payments that came to this.", ["outcome"], registry=one)
        self._reconnects = Counter("payagent_reconnects", "Relays of a call after its first.", registry=one)
        self._in_state = Histogram(
            "payagent_state_seconds", "Time in a state, when it is left.", ["state"], registry=one, buckets=PATIENT
        )
        self._first_words = Histogram(
            "payagent_model_first_words_seconds", "Order to first words of a turn.", registry=one, buckets=SLOW
        )
        self._turns = Histogram(
            "payagent_model_turn_seconds", "Order to end of a model turn.", ["end"], registry=one, buckets=SLOW
        )
        self._failures = Counter("payagent_model_failures", "Model turns that failed.", ["reason"], registry=one)
        self._answers = Histogram(
            "payagent_http_seconds", "HTTP requests answered.", ["path", "status"], registry=one, buckets=QUICK
        )
        self._appends = Histogram(
            "payagent_journal_append_seconds",
            "The way onto the record of steps written at once.",
            registry=one,
            buckets=QUICK,
        )
        self._unrecorded = Counter("payagent_journal_failures", "Steps that could not be recorded.", registry=one)
        self._rest = Histogram(
            "payagent_rest_seconds",
            "Payments requests with their repeats.",
            ["request", "answer"],
            registry=one,
            buckets=SLOW,
        )
        self._spooled = Counter(
            "payagent_callbacks_spooled", "Callbacks that could not be recorded, by where they are.", ["kept"],
            registry=one,
        )  # fmt: skip

    def step(self, step: Step, row: Row | None, was: Facts, now: Facts, seconds: float) -> None:
        """Count a recorded step; `seconds` is how long the call had been in the state before it."""
        if row:
            self._moves.labels(row.trigger, row.party).inc()
        if step.refused:
            self._refusals.labels(_one_of(ev.trigger_of(step.event), REFUSED)).inc()
        if step.after is not step.before:
            self._in_state.labels(step.before).observe(seconds)
        if now.outcome is not was.outcome and now.outcome is not Outcome.NONE:
            self._outcomes.labels(now.outcome).inc()
        if isinstance(step.event, ev.RelayConnected) and was.relay:
            self._reconnects.inc()

    def calls(self, states: Iterable[State], relays: int) -> None:
        """The calls that are at work on here now, and how many of their callers are connected here."""
        held = list(states)
        for state in State:
            self._calls.labels(state).set(held.count(state))
        self._relays.set(relays)

    def turn(
        self,
        end: ev.ToolCalled | ev.TurnEnded | ev.ModelFailed | ev.ClaimStopped | None,
        began: float,
        first_words: float | None,
        over: float,
    ) -> None:
        """Time a model turn, in seconds of one clock; `end` is None when it was cut, `first_words` when none came."""
        seconds = over - began
        if first_words is not None:
            self._first_words.observe(first_words - began)
        match end:
            case None:
                self._turns.labels("cut").observe(seconds)
            case ev.ToolCalled():
                self._turns.labels("tool").observe(seconds)
            case ev.TurnEnded():
                self._turns.labels("words").observe(seconds)
            case ev.ClaimStopped():
                self._turns.labels("stopped").observe(seconds)
            case ev.ModelFailed(reason=reason):
                self._turns.labels("failed").observe(seconds)
                self._failures.labels(_one_of(reason, FAILURES)).inc()

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Around a step's way onto the record."""
        began = perf_counter()
        try:
            yield
        except JournalConflict:  # another worker was faster: no failure
            raise
        except JournalFailed:
            self._unrecorded.inc()
            raise
        self._appends.observe(perf_counter() - began)

    def rest(self, request: str, answer: str, seconds: float) -> None:
        """Time a Payments request: one of REQUESTS, with one of ANSWERS."""
        self._rest.labels(_one_of(request, REQUESTS), _one_of(answer, ANSWERS)).observe(seconds)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Time an HTTP request."""
        self._answers.labels(_one_of(path, DOORS), _one_of(str(status), STATUSES)).observe(seconds)

    def spooled(self, *, kept: bool) -> None:
        """Count a callback that could not be recorded: it lies in the spool, or (the worst) nowhere."""
        self._spooled.labels("spool" if kept else "nowhere").inc()

    def text(self) -> bytes:
        """All of it as Prometheus reads it; with a shared folder, of all workers of this machine."""
        if not os.environ.get(SHARED):
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # untyped in the library
        return generate_latest(together)


def worker_gone(pid: int) -> None:
    """A worker with a shared folder has ended: its calls are no longer at work on; what it counted stays."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _one_of(value: str, known: Collection[str]) -> str:
    return value if value in known else OTHER
