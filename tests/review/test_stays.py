"""A call cut into stays, and a call as plain data."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest
from recorded import CALL, cancelled, verified

from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.review.stays import duration, plain, ranges, stays
from payagent.review.trace import lines


def test_stays_follow_each_other_without_a_gap() -> None:
    """From the first step to the last; a step that leads away is the last of its stay."""
    told = lines(cancelled().steps)

    found = stays(told)

    assert all(a.until == b.since and a.told[-1].after is b.state for a, b in pairwise(found))
    assert (found[0].since, found[-1].until) == (timedelta(), told[-1].since_start)
    assert [line for stay in found for line in stay.told] == told
    assert {line.before for stay in found for line in stay.told if line.before is not stay.state} == set()


def test_a_state_entered_by_the_last_step_is_a_stay_of_no_length() -> None:
    """The call is there now, and no step was decided there."""
    last = stays(lines(cancelled().steps))[-1]

    assert (last.state, last.spent, last.told) == (State.ENDED, timedelta(), ())


def test_no_steps_no_stays() -> None:
    """A call that is not on the record was nowhere."""
    assert stays([]) == []
    assert plain([]) == {}


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.25, "0.25 s"), (12.34, "12.3 s"), (59.96, "1 min 0 s"), (125, "2 min 5 s")]
)
def test_a_duration_is_told_as_exactly_as_matters(seconds: float, words: str) -> None:
    """Hundredths, tenths, then minutes."""
    assert duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("numbers", "drawn"), [([], []), ([3], ["3"]), ([1, 2, 3, 5, 7, 8], ["1\u20133", "5", "7\u20138"])]
)
def test_numbers_that_follow_each_other_are_drawn_together(numbers: list[int], drawn: list[str]) -> None:
    """Two are a range as well."""
    assert ranges(numbers) == drawn


def test_plain_data_has_every_step_and_stay() -> None:
    """By stable names, in seconds, as JSON takes it."""
    steps = verified().steps

    data = json.loads(json.dumps(plain(steps)))

    assert list(data) == ["call", "started_at", "seconds", "flows", "stays", "steps"]
    assert (data["call"], data["started_at"], data["seconds"]) == (CALL, "2026-11-22T10:00:00+00:00", 10.0)
    assert data["flows"] == [steps[0].flow]
    assert data["stays"] == [
        {"state": "verifying_identity", "since": 0.0, "seconds": 8.0, "steps": [1, 2, 3, 4, 5]},
        {"state": "confirming_balance", "since": 8.0, "seconds": 2.0, "steps": [6]},
    ]
    assert data["steps"][4] == {
        "seq": 5,
        "at": "2026-11-22T10:00:08+00:00",
        "since": 8.0,
        "party": "program",
        "trigger": "identity_matched",
        "what": "account A-1",
        "before": "verifying_identity",
        "after": "confirming_balance",
        "row": "identity_matched@verifying_identity",
        "refused": "",
        "orders": ["ReadBills"],
        "flow": steps[0].flow,
    }


def test_plain_data_is_masked() -> None:
    """Spoken numbers, an invented tool's name, and identity values do not leave in it."""
    driven = verified()
    driven.happen(ev.CallerSpoke("it is 4111 1111 1111 1111"))
    driven.happen(ev.ToolCalled(driven.call.facts.turn, "c", "pay_4111111111111111", '{"n":"4111111111111111"}'))

    text = json.dumps(plain(driven.steps))

    assert not [secret for secret in ("4111", "1111", "Ada", "1990") if secret in text]
