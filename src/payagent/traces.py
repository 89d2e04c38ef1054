"""OpenTelemetry traces, for a line that asks for them (`payagent[otel]`): one trace a call.

* A call's trace id is a hash of its SID, so that every worker that had to do with the call adds to the same trace.
* Spans: the call (when it ends), each step, each model turn, each Payments request. A span says where the call was and
  what moved it, in the table's own words: no SID, no word of anybody's, no name, sum, bill or digit.
* Without an endpoint nothing is loaded and nothing is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from time import time_ns
from typing import TYPE_CHECKING, Any

from payagent.errors import SettingsError
from payagent.flow import events as ev
from payagent.flow.rows import Row
from payagent.flow.states import FINAL
from payagent.flow.step import Step
from payagent.metrics import FAILURES, OTHER

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SERVICE = "payagent"
ENDS: dict[type[object], str] = {ev.ToolCalled: "tool", ev.TurnEnded: "words", ev.ClaimStopped: "stopped"}


class Traces:
    """No traces; all methods take times in nanoseconds since 1970."""

    def step(self, step: Step, row: Row | None, call_began: datetime, began: int) -> None:
        """A step was recorded."""

    def turn(self, call_sid: str, end: ev.Event | None, began: int) -> None:
        """A model turn is over; `end` is None when it was cut."""

    def rest(self, call_sid: str, request: str, answer: str, began: int) -> None:
        """A Payments request is over: one of `metrics.REQUESTS` with one of `metrics.ANSWERS`."""

    def close(self) -> None:
        """Send what is left."""


NO_TRACES = Traces()


def traces_to(endpoint: str | None) -> Traces:
    """Traces sent to this OTLP endpoint (`http://host:4318`), if there is one.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    if not endpoint:
        return NO_TRACES
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            ["OTEL_EXPORTER_OTLP_ENDPOINT: needs OpenTelemetry; pip install 'payagent[otel]'"]
        ) from None
    return SentTraces(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))


class SentTraces(Traces):
    """Traces that go to `processor`."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        self._ids = _ids()
        resource = Resource.create({"service.name": SERVICE, "service.version": version("payagent")})
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE)

    def step(self, step: Step, row: Row | None, call_began: datetime, began: int) -> None:
        trigger = row.trigger if row else type(step.event).__name__
        told: dict[str, Any] = {
            "before": str(step.before),
            "after": str(step.after),
            "seq": step.seq,
            "refused": bool(step.refused),
        }
        if row:
            told |= {"row": row.id, "party": str(row.party)}
        self._span(step.call_sid, f"step {trigger}", began, told)
        if step.after in FINAL and step.before not in FINAL:
            self._call(step, int(call_began.timestamp() * 1e9))

    def turn(self, call_sid: str, end: ev.Event | None, began: int) -> None:
        match end:
            case ev.ModelFailed(reason=reason):
                told = {"end": "failed", "reason": reason if reason in FAILURES else OTHER}
            case _:
                told = {"end": ENDS.get(type(end), "cut")}
        self._span(call_sid, "model turn", began, told)

    def rest(self, call_sid: str, request: str, answer: str, began: int) -> None:
        self._span(call_sid, f"payments {request}", began, {"answer": answer})

    def close(self) -> None:
        self._provider.shutdown()

    def _span(self, call_sid: str, name: str, began: int, told: dict[str, Any]) -> None:
        from opentelemetry import trace

        trace_id, span_id = _ids_of(call_sid)
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        parent = trace.NonRecordingSpan(trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))
        attributes: dict[str, Any] = {f"payagent.{key}": value for key, value in told.items()}
        span = self._tracer.start_span(name, trace.set_span_in_context(parent), attributes=attributes, start_time=began)
        span.end(time_ns())

    def _call(self, last: Step, began: int) -> None:
        """The span that all others of the call name as their parent."""
        from opentelemetry.context import Context

        attributes: dict[str, Any] = {"payagent.steps": last.seq, "payagent.flow": last.flow}
        with self._ids.giving(_ids_of(last.call_sid)):
            span = self._tracer.start_span("call", Context(), attributes=attributes, start_time=began)
        span.end(time_ns())


def _ids_of(call_sid: str) -> tuple[int, int]:
    """The ids of a call's trace and of its first span."""
    digest = hashlib.sha256(f"payagent trace {call_sid}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random ones, but for the call's own span."""

        given: tuple[int, int] | None = None

        @contextmanager
        def giving(self, ids: tuple[int, int]) -> Iterator[None]:
            """The span made meanwhile has these ids."""
            self.given = ids
            yield
            self.given = None

        def generate_trace_id(self) -> int:
            return self.given[0] if self.given else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.given[1] if self.given else super().generate_span_id()

    return Ids()
