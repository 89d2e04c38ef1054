"""Calls in which everybody does as they please: no promise breaks, and a table that breaks one is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flows import unguarded, without

from payagent.flow.call import Call
from payagent.flow.states import Pace, Profile
from payagent.flow.table import Flow, build
from payagent.review.hostile import judged, play, told
from payagent.review.promises import PROMISES
from payagent.testing import PracticeCall

FLOWS = [build(pace, profile) for pace in Pace for profile in Profile]
STEPS = 3_000
"""On each table: a second of CPU; `make hostile` plays a hundred thousand."""


@pytest.mark.promise(1)
@pytest.mark.promise(2)
@pytest.mark.promise(3)
@pytest.mark.promise(7)
@pytest.mark.parametrize("flow", FLOWS, ids=[f"{flow.pace}-{flow.profile}" for flow in FLOWS])
@pytest.mark.no_cover
def test_no_promise_breaks_whatever_anybody_does(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    """And the play gets far: cards are charged in it, tools refused, and calls played again from their steps."""
    played = play(flow, seed=20261126, steps=STEPS)

    with capsys.disabled():
        print("\n" + next(told(flow, 20261126, played)))  # noqa: T201  the counts are to be read
    assert played.broken == "", "\n".join(told(flow, 20261126, played))
    assert min(played.charges, played.refused, played.replayed, played.ignored) > 0


def test_a_seed_plays_the_same_again() -> None:
    """So that a broken promise can be looked at."""
    assert play(FLOWS[0], 7, 500) == play(FLOWS[0], 7, 500)


BREAKS: list[tuple[str, Callable[[Flow], Flow]]] = [
    (
        "a payment is started only by a known caller, for a confirmed balance and an amount within it",
        lambda flow: unguarded(
            flow,
            "start_payment@choosing_amount",
            "the amount is at least 1.00 (or all of a smaller bill) and at most what the bill owes",
        ),
    ),
    (
        "a session that nobody waits for is cancelled as soon as it is known",
        lambda flow: without(flow, *(row.id for row in flow.rows if "stray" in str(row.effects))),
    ),
]


@pytest.mark.parametrize(("promise", "broken"), BREAKS, ids=[words for words, _ in BREAKS])
def test_a_table_that_breaks_a_promise_is_found(promise: str, broken: Callable[[Flow], Flow]) -> None:
    """And told with its seed and its story."""
    flow = broken(FLOWS[0])
    played = play(flow, 1, 10_000)
    story = "\n".join(told(flow, 1, played))

    assert played.broken == promise
    assert f"BROKEN: {promise}\nseed 1; the story:" in story
    assert played.story[-1].seq == len(played.story)


def test_a_call_that_is_not_its_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the record gives again is compared with the call as it was."""
    monkeypatch.setattr(Call, "replay", lambda self, steps: self)

    assert play(FLOWS[0], 1, 500).broken == "a call is its steps"


def test_recorded_steps_are_judged_the_same_way() -> None:
    """So that a call played elsewhere, with real hands and clocks, can be held against the promises."""
    call = PracticeCall().verify().agree().start("120.00").open()
    call.key_in_card()
    call.go_ahead()
    good = judged(call.call.flow, call.steps)

    assert (good.broken, good.steps, good.charges) == ("", len(call.steps), 1)
    assert good.checks[PROMISES[0].words]
