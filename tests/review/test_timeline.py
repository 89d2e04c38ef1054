"""A call along its time: bars where it was, marks for who caused what, and long pauses cut short."""

from __future__ import annotations

from datetime import timedelta
from xml.etree.ElementTree import Element

import pytest
from recorded import Driven, cancelled, verified

from payagent.flow import events as ev
from payagent.review.diagram import COLOURS
from payagent.review.svg import SVG
from payagent.review.timeline import BAR, LEFT, LONGEST_PAUSE, MOST_TICKS, RIGHT, Scale, draw
from payagent.review.trace import lines


def bars(root: Element, colour: str) -> list[tuple[float, float, str]]:
    """Left, width and tooltip of the bars of a colour."""
    return [
        (float(rect.get("x", 0)), float(rect.get("width", 0)), rect.findtext(f"{SVG}title", ""))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("fill") == colour
    ]


def texts(root: Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def paused(seconds: float) -> Driven:
    """A result that came that much later."""
    driven = verified()
    driven.happen(ev.CallerSpoke("Yes."), after=seconds)
    driven.happen(ev.CallerHungUp())
    return driven


def test_each_stay_is_a_bar_as_long_as_it_lasted() -> None:
    """In the order of time, over the whole width."""
    found = bars(draw(lines(verified().steps)), BAR)

    whole = RIGHT - LEFT
    assert [left for left, _, _ in found] == pytest.approx([LEFT, LEFT + whole * 0.8])
    assert [width for _, width, _ in found] == pytest.approx([whole * 0.8, whole * 0.2])
    assert found[0][2] == "verifying_identity from 0:00 for 8.00 s"


def test_a_state_entered_again_keeps_its_line_and_is_summed() -> None:
    """Two bars, one name, and how often."""
    root = draw(lines(cancelled().steps))

    assert texts(root).count("cancelling_payment") == 1
    assert len([bar for bar in bars(root, BAR) if bar[2].startswith("cancelling_payment ")]) == 2
    assert "4.00 s, 2 times" in texts(root)


def test_each_step_stands_in_the_line_of_its_party() -> None:
    """By number and trigger; parties that caused nothing have no line."""
    told = lines(cancelled().steps)
    root = draw(told)

    for party in {line.party for line in told}:
        marks = [tip for _, _, tip in bars(root, COLOURS[party])]
        assert marks == [f"step {line.seq}: {line.trigger}" for line in told if line.party is party]
    assert "clock" not in texts(root)
    assert f"{len([line for line in told if line.party == 'model'])} steps" in texts(root)


def test_a_refused_step_is_a_cross() -> None:
    """It changed nothing."""
    driven = verified()
    driven.tool("complete_payment_processing")

    crosses = [path.findtext(f"{SVG}title") for path in draw(lines(driven.steps)).iter(f"{SVG}path")]

    assert crosses == [f"step {driven.steps[-1].seq}: complete_payment_processing, refused"]


def test_marks_and_bars_lead_to_their_steps() -> None:
    """By the anchors of the page."""
    driven = verified()
    targets = {link.get("href") for link in draw(lines(driven.steps)).iter(f"{SVG}a")}

    assert targets == {f"#step-{step.seq}" for step in driven.steps}


def test_a_long_pause_is_drawn_short_and_named() -> None:
    """Two hours take no more room than the longest pause; what is around it keeps its scale."""
    told = lines(paused(7200).steps)
    scale = Scale(told)
    xs = [scale.x(line.since_start) for line in told]
    whole = timedelta(seconds=12) + LONGEST_PAUSE

    assert xs == sorted(xs)
    assert [xs[0], xs[-1]] == pytest.approx([LEFT, RIGHT])
    assert xs[-2] - xs[-3] == pytest.approx((RIGHT - LEFT) * (LONGEST_PAUSE / whole))
    assert xs[-1] - xs[-2] == pytest.approx((RIGHT - LEFT) * (timedelta(seconds=2) / whole))
    assert "// 120 min 0 s //" in texts(draw(told))


def test_a_pause_of_a_year_leaves_no_more_marks_than_one_of_an_hour() -> None:
    """An unknown outcome may be resolved months later: no time within the pause is even looked at."""
    hour, year = (Scale(lines(paused(seconds).steps)).marks() for seconds in (3600, 365 * 24 * 3600))

    assert len(year) == len(hour)
    assert year[-1] - hour[-1] == timedelta(days=365) - timedelta(hours=1)


def test_the_axis_names_no_time_within_a_pause() -> None:
    """And not too many times at all."""
    marks = Scale(lines(paused(7200).steps)).marks()

    assert not [mark for mark in marks if timedelta(seconds=10) < mark < timedelta(seconds=7210)]
    assert 2 <= len(marks) <= MOST_TICKS + 2


@pytest.mark.parametrize("seconds", [0.5, 40.0, 44.0])
def test_short_calls_and_pauses_are_drawn_evenly(seconds: float) -> None:
    """Nothing is cut."""
    scale = Scale(lines(paused(seconds).steps))

    assert scale.pauses == []
    assert scale.x(timedelta(seconds=(12 + seconds) / 2)) == pytest.approx((LEFT + RIGHT) / 2)


def test_a_call_of_one_step_can_be_drawn() -> None:
    """It took no time."""
    driven = Driven()
    driven.happen(ev.CallStarted("***0100"))

    assert "verifying_identity" in texts(draw(lines(driven.steps)))
