"""Traces: one a call, over all its workers, with nothing of anybody's in them; none where nobody asked."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from live_line import CALL, PAYMENT, Line, open_line
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from virtual_time import anyio_backend, owing_threads  # noqa: F401

from payagent.errors import ModelFailed, SettingsError
from payagent.flow import events as ev
from payagent.flow.states import Pace, State
from payagent.traces import NO_TRACES, SentTraces, Traces, traces_to


@pytest.fixture
def kept() -> InMemorySpanExporter:
    """Where the spans go."""
    return InMemorySpanExporter()


@pytest.fixture
async def line(tmp_path: Path, kept: InMemorySpanExporter) -> AsyncIterator[Line]:
    """A call in automatic pace, traced."""
    async with open_line(tmp_path, Pace.AUTOMATIC, traces=SentTraces(SimpleSpanProcessor(kept))) as line:
        await line.ring()
        yield line


def named(spans: tuple[ReadableSpan, ...], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def told(span: ReadableSpan) -> dict[str, object]:
    return {key.removeprefix("payagent."): value for key, value in (span.attributes or {}).items()}


async def test_a_call_is_one_trace(line: Line, kept: InMemorySpanExporter) -> None:
    """Steps, turns and requests of two workers have the call's own span as their parent, whoever ended it."""
    await line.paying()
    worker = await line.hire()
    line.session = await worker.switchboard.get(CALL)
    await line.session.post(ev.CallerHungUp())
    await line.session.disconnect(line.ear.mouth)
    spans = kept.get_finished_spans()
    (call,) = named(spans, "call")
    others = [span for span in spans if span is not call]

    assert {span.context.trace_id for span in spans} == {call.context.trace_id}
    assert {span.parent and span.parent.span_id for span in others} == {call.context.span_id}
    assert call.parent is None
    assert told(call)["steps"] == next(step.seq for step in await line.steps() if step.after is State.ENDED)


async def test_spans_say_what_moved_the_call_and_how_it_went(line: Line, kept: InMemorySpanExporter) -> None:
    await line.paying()
    await line.caller_says("Hello?", [ModelFailed("a reason nobody foresaw")])
    spans = kept.get_finished_spans()
    (started,) = named(spans, "step start_payment")

    assert told(started) == {
        "before": "choosing_amount",
        "after": "starting_payment",
        "seq": told(started)["seq"],
        "refused": False,
        "row": "start_payment@choosing_amount",
        "party": "model",
    }
    assert [told(span) for span in named(spans, "payments open")] == [{"answer": "done"}]
    assert [told(span) for span in named(spans, "model turn")][-1] == {"end": "failed", "reason": "other"}


async def test_nothing_of_anybody_s_is_in_a_trace(line: Line, kept: InMemorySpanExporter) -> None:
    """No SID, no name, no word, no sum, and no tool that the model made up."""
    await line.keyed_in()
    await line.session.post(ev.ToolCalled(line.session.call.facts.turn, "c", "charge_John_Doe", "{}"))
    await line.reports(ev.PaymentSucceeded(PAYMENT, "ch_secret", "1111", "visa", digest="s"))
    spans = kept.get_finished_spans()  # their ids and times are left out: hexadecimal digits may be any digits
    text = " ".join(f"{span.name} {told(span)} {span.status.description} {span.events}" for span in spans).lower()

    assert [
        each for each in (CALL.lower(), PAYMENT.lower(), "john", "600", "1111", "ch_secret", "b-2001") if each in text
    ] == []


def test_no_endpoint_no_traces() -> None:
    """Nothing is made, and the silent kind takes all that is told."""
    assert traces_to(None) is traces_to("") is NO_TRACES
    assert type(NO_TRACES) is Traces


def test_without_the_package_the_setting_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(SettingsError) as caught:
        traces_to("http://127.0.0.1:4318")

    assert "payagent[otel]" in str(caught.value)
