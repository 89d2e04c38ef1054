"""Finds among today's tables the one that a call's record is to be read by.

A step names the version of the table it was decided by. Where that version no longer runs, the table of the same pace
and profile is meant, and the record tells which that is by the moves it made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from payagent.flow.limits import Limits
from payagent.flow.states import Pace, Profile
from payagent.flow.step import Step
from payagent.flow.table import Flow, build


@lru_cache(maxsize=8)
def tables(
    limits: Limits | None = None, routes: Sequence[str] = ("queue", "dial"), languages: Sequence[str] = ("en", "es")
) -> tuple[Flow, ...]:
    """Today's table of every pace and profile; to build them takes longer than to read a call by them."""
    return tuple(build(pace, profile, limits, routes, languages) for pace in Pace for profile in Profile)


def flow_of(steps: Sequence[Step], flows: Sequence[Flow]) -> Callable[[str], Flow]:
    """Version → the one of `flows` that has it, or else the nearest to these steps."""
    known = {flow.version: flow for flow in flows}
    near = nearest(steps, flows)
    return lambda version: known.get(version, near)


def nearest(steps: Sequence[Step], flows: Sequence[Flow]) -> Flow:
    """The one of `flows` that decided the last of the steps, or else knows most of their moves; of equals the first."""
    version = steps[-1].flow if steps else ""
    return max(flows, key=lambda flow: (flow.version == version, _known(steps, flow)))


def _known(steps: Sequence[Step], flow: Flow) -> int:
    rows = {(row.id, row.source, row.dest or row.source) for row in flow.rows}
    return sum((step.row, step.before, step.after) in rows for step in steps)


def wait_scale(steps: Sequence[Step]) -> float:
    """By what factor this record's waits differ from the default ones, read off its first wait: a lab's are shorter."""
    waits = [timer.due - step.at for step in steps[:1] for timer in step.timers if timer.name == "silence"]
    return waits[0].total_seconds() / Limits().silence_seconds if waits else 1.0
