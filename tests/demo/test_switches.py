"""Faults a tab switches on."""

from __future__ import annotations

from payagent.demo.switches import Switches
from payagent.lab.faults import Faults


def test_nothing_is_wrong_by_default() -> None:
    """A scenario's own faults stay as they are."""
    own = Faults(lose_callbacks=("partial",), delay_callbacks=9)

    assert Switches().faults(Faults()) == Faults()
    assert Switches().faults(own) == own


def test_what_is_switched_on_comes_on_top_of_a_scenarios_faults() -> None:
    """None of the scenario's is lost."""
    own = Faults(lose_callbacks=("partial",), delay_callbacks=9, rest_error=("create:500",), leak_dtmf=True)
    on = Switches(*[True] * 8).faults(own)

    assert on == Faults(
        duplicate_callbacks=True,
        reorder_callbacks=True,
        delay_callbacks=9,
        lose_callbacks=("partial", "done"),
        lose_final=True,
        rest_error=("create:500", "create:503", "capture:503", "complete:503", "cancel:503"),
        leak_dtmf=True,
    )
    assert Switches(late=True).faults(Faults()).delay_callbacks == 3
