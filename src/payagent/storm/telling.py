"""Tells what came of a storm, in lines to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from payagent.flow.states import Outcome
from payagent.storm.run import A_LAG, LONGEST_SILENCE, Report

NAMES = {Outcome.NONE: "not charged"}
TOO_SLOW = "too slow for so many calls, so silence is not judged; take fewer, or a larger --scale, or a smaller --rate"

MOST_TOLD = 40
"""Differences beyond this many are only counted."""


def lines(report: Report, program: str) -> Iterator[str]:
    """The report; `program` is how this program is called, for the commands that trace a call."""
    plan = report.plan
    yield f"{plan.calls} calls in {report.seconds:.0f} s (seed {plan.seed}, waits at {plan.scale:g} of the real ones)"
    yield f"  ended          {_counts(report.ends)}"
    yield f"  faults         {report.injected.total()} in all" if report.injected else "  faults         none"
    yield from (f"    {count:>5}  {name}" for name, count in sorted(report.injected.items()))
    yield f"  payments       {_counts(_named(report.outcomes))}"
    yield f"  charged        {report.charged} cards"
    yield f"  longest silence {report.silence:.1f} s of {LONGEST_SILENCE:g} s, after “{report.silence_after}”"
    yield f"                 {_trace(report, report.silence_call, program)}"
    yield f"  the machine    up to {report.lag:.1f} s late" + (f": {TOO_SLOW}" if report.lag > A_LAG else "")
    yield f"  differences    {len(report.differences)}"
    for difference in report.differences[:MOST_TOLD]:
        yield f"    {difference.what}"
        if difference.call_sid:
            yield f"      {_trace(report, difference.call_sid, program)}"
    if len(report.differences) > MOST_TOLD:
        yield f"    … and {len(report.differences) - MOST_TOLD} more"


def _named(outcomes: Counter[str]) -> Counter[str]:
    return Counter({NAMES.get(Outcome(name), name): count for name, count in outcomes.items()})


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counter.most_common()) or "none"


def _trace(report: Report, call_sid: str, program: str) -> str:
    return f"{program} trace {call_sid} --database {report.database}" if call_sid else ""
