"""Which of today's tables a record is read by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recorded import begun, cancelled, keying

from payagent.flow.limits import Limits
from payagent.flow.states import Pace, Profile
from payagent.flow.table import build
from payagent.review.today import flow_of, nearest, tables, wait_scale

EVERY = [(pace, profile) for pace in Pace for profile in Profile]


def test_there_is_a_table_for_every_pace_and_profile() -> None:
    """With the numbers, routes and languages that were asked for, and built once."""
    limits = Limits(silences=9)
    found = tables(limits, ("dial",), ("es",))

    assert [(flow.pace, flow.profile) for flow in found] == EVERY
    assert {(flow.limits, flow.routes, flow.languages) for flow in found} == {(limits, ("dial",), ("es",))}
    assert tables(limits, ("dial",), ("es",)) is found


@pytest.mark.parametrize(("pace", "profile"), EVERY)
def test_the_table_that_decided_is_found_by_its_version(pace: Pace, profile: Profile) -> None:
    """Even where the steps alone would not tell."""
    driven = begun(build(pace, profile))

    found = nearest(driven.steps, tables())

    assert (found.pace, found.profile) == (pace, profile)


@pytest.mark.parametrize("pace", Pace)
def test_a_table_that_is_gone_is_known_by_its_moves(pace: Pace) -> None:
    """The paces differ in where they lead."""
    steps = [replace(step, flow="an old one") for step in keying(build(pace)).steps]

    assert nearest(steps, tables()).pace is pace


def test_each_version_has_its_table_or_the_nearest() -> None:
    """A call may have been decided by two."""
    steps = [replace(step, flow="an old one") for step in cancelled().steps]
    find = flow_of(steps, tables())

    assert find("an old one") is tables()[0]
    for flow in tables():
        assert find(flow.version) is flow


def test_an_empty_record_is_nobody_s() -> None:
    """The first table serves."""
    assert nearest([], tables()) is tables()[0]


@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_a_lab_s_waits_are_known_by_the_first_of_them(scale: float) -> None:
    """So that its record can be decided again with the waits it had."""
    assert wait_scale(begun(build(limits=Limits().scaled(scale))).recorded) == pytest.approx(scale)


def test_without_a_first_wait_nothing_is_scaled() -> None:
    """An empty record, or one that begins otherwise."""
    assert wait_scale([]) == 1.0
    assert wait_scale([replace(begun().steps[0], timers=())]) == 1.0
