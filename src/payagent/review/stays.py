"""Cuts a recorded call into its stays in states: where it was, since when, for how long, and which steps it took there.

A step belongs to the stay in which it was decided: the one that leads away is the last of its stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from payagent.flow.states import State
from payagent.flow.step import Step
from payagent.review.trace import TraceLine, lines


@dataclass(frozen=True, slots=True)
class Stay:
    """The call in `state` from `since` to `until` (both after its start), and the steps decided there."""

    state: State
    since: timedelta
    until: timedelta
    told: tuple[TraceLine, ...]

    @property
    def spent(self) -> timedelta:
        """How long it was there; the last stay of a record ends with its last step."""
        return self.until - self.since


def stays(told: Sequence[TraceLine]) -> list[Stay]:
    """The stays of a call, in order; the last one may have no step of its own."""
    found: list[Stay] = []
    since, here = timedelta(), list[TraceLine]()
    for line in told:
        here.append(line)
        if line.after is not line.before:
            found.append(Stay(line.before, since, line.since_start, tuple(here)))
            since, here = line.since_start, []
    if told:
        found.append(Stay(told[-1].after, since, told[-1].since_start, tuple(here)))
    return found


def duration(spent: timedelta) -> str:
    """`0.25 s`, `12.5 s`, `2 min 5 s`."""
    seconds = spent.total_seconds()
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"


def ranges(numbers: Sequence[int]) -> list[str]:
    """Rising numbers, those that follow each other drawn together with an en dash: `1-5`, `8`."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return [f"{run[0]}\u2013{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


def plain(steps: Sequence[Step]) -> dict[str, Any]:
    """One call as plain data for other programs; what was said is masked as everywhere in a trace.

    * `call`; `started_at` (ISO 8601, UTC); `seconds`, its length; `flows`, the versions of the tables that decided.
    * `stays`, each: `state`, `since` (seconds after the start), `seconds` (its length), `steps` (their numbers).
    * `steps`, each: `seq`; `at`; `since` (seconds after the start); `party`; `trigger`; `what` (what the event says);
      `before` and `after` (states); `row` of the table, "" for none; `refused` (why, "" for not refused); `orders` (in
      words); `flow`, the table's version.

    Empty when there are no steps.
    """
    if not steps:
        return {}
    told = lines(steps)
    return {
        "call": steps[0].call_sid,
        "started_at": steps[0].at.isoformat(),
        "seconds": told[-1].since_start.total_seconds(),
        "flows": list(dict.fromkeys(step.flow for step in steps)),
        "stays": [
            {
                "state": str(stay.state),
                "since": stay.since.total_seconds(),
                "seconds": stay.spent.total_seconds(),
                "steps": [line.seq for line in stay.told],
            }
            for stay in stays(told)
        ],
        "steps": [_plain(step, line) for step, line in zip(steps, told, strict=True)],
    }


def _plain(step: Step, line: TraceLine) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "at": line.at.isoformat(),
        "since": line.since_start.total_seconds(),
        "party": str(line.party),
        "trigger": line.trigger,
        "what": line.what,
        "before": str(line.before),
        "after": str(line.after),
        "row": step.row,
        "refused": line.refused,
        "orders": list(line.orders),
        "flow": step.flow,
    }
