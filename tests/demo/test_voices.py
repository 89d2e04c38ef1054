"""Whose words were heard."""

from __future__ import annotations

from datetime import UTC, datetime

from payagent.demo.voices import Voices
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.states import State
from payagent.flow.step import Step

CALL = "CA" + "1" * 32
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def step(seq: int, event: ev.Event, *orders: do.Order) -> Step:
    here = State.CONFIRMING_BALANCE
    return Step(CALL, seq, AT, event, here, here, "", "", "", orders, (), "flow")


def thinking(seq: int) -> Step:
    return step(seq, ev.CallerSpoke("hm"), do.Think())


def said(words: str, source: str) -> Step:
    return step(9, ev.AgentSpoke(source, words))


def test_words_of_a_turn_are_the_models_and_all_others_fixed() -> None:
    """Whether they are heard or recorded first."""
    voices = Voices()
    assert voices.recorded(thinking(3)) == []
    assert voices.heard(1, "Which bill?") == []
    assert voices.recorded(said("Which bill?", do.order_key(CALL, 3, 0))) == [(1, "model")]

    assert voices.recorded(said("You owe ten dollars. Is that right?", do.order_key(CALL, 4, 0))) == []
    assert voices.heard(2, "You owe ten dollars.") == [(2, "fixed")]
    assert voices.heard(3, "Is that right?") == [(3, "fixed")]


def test_of_equal_words_the_latest_decide() -> None:
    """A model may repeat a fixed sentence."""
    voices = Voices()
    voices.recorded(said("One moment.", "welcome"))
    voices.recorded(thinking(3))
    voices.recorded(said("One moment.", do.order_key(CALL, 3, 0)))

    assert voices.heard(1, "One moment.") == [(1, "model")]
