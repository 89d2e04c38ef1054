"""Draws a recorded call along its time: a bar for each stay in a state, and below it who caused each step.

Time runs evenly from left to right, but a pause longer than `LONGEST_PAUSE` is drawn as long as that, hatched, and says
how long it was: a result that came hours later must not squeeze the call into a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from xml.etree.ElementTree import Element

from payagent.flow.states import Party, State
from payagent.review.diagram import COLOURS
from payagent.review.stays import Stay, duration, stays
from payagent.review.svg import FONT, add, element
from payagent.review.trace import TraceLine, time_in_states

LONGEST_PAUSE = timedelta(seconds=45)

WIDTH = 760.0
LEFT, RIGHT = 138.0, 668.0
"""Where the time begins and ends; state and party names stand before it, sums behind it."""

ROW, TOP = 15.0, 22.0
BAR = "#fbd968"
RULE, QUIET, INK = "#dddddd", "#666666", "#111111"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300)
"""Seconds between two marks of the axis: the first that gives at most `MOST_TICKS`."""
MOST_TICKS = 10


class Scale:
    """Time after the start → x."""

    def __init__(self, told: Sequence[TraceLine]) -> None:
        self.times = [line.since_start for line in told]
        self.pauses = [(a, b) for a, b in pairwise(self.times) if b - a > LONGEST_PAUSE]
        self.drawn = self.times[-1] - sum((b - a - LONGEST_PAUSE for a, b in self.pauses), timedelta())

    def x(self, time: timedelta) -> float:
        """Where that time is drawn."""
        for start, end in reversed(self.pauses):
            if time > start:
                inside = (min(time, end) - start) / (end - start)
                time -= min(time, end) - start - LONGEST_PAUSE * inside
        return LEFT + (RIGHT - LEFT) * (time / self.drawn if self.drawn else 0.0)

    def marks(self) -> list[timedelta]:
        """Where the axis says the time: nowhere within a pause."""
        drawn = self.drawn.total_seconds()
        step = timedelta(seconds=next((t for t in TICKS if drawn / t <= MOST_TICKS), TICKS[-1]))
        edges = [timedelta(), *(edge for pause in self.pauses for edge in pause), self.times[-1]]
        between = zip(edges[::2], edges[1::2], strict=True)  # a pause may have lasted for months
        return [step * n for start, end in between for n in range(-(-start // step), end // step + 1)]


def draw(told: Sequence[TraceLine]) -> Element:
    """The time line of a call of at least one step, as an `svg` element `WIDTH` wide."""
    scale, stayed = Scale(told), stays(told)
    states = list(dict.fromkeys(stay.state for stay in stayed))
    parties = [party for party in Party if any(line.party is party for line in told)]
    height = TOP + ROW * (len(states) + len(parties)) + 12
    size = {"width": f"{WIDTH:.0f}", "height": f"{height:.0f}", "viewBox": f"0 0 {WIDTH:.0f} {height:.0f}"}
    root = element("svg", font_family=FONT, font_size=9.0, fill=INK, **size)
    _axis(root, scale, height)
    spent = time_in_states(told)
    for n, state in enumerate(states):
        times = [stay for stay in stayed if stay.state is state]
        _state(root, scale, TOP + ROW * n, state, times, spent[state])
    below = TOP + ROW * len(states) + 6
    add(root, "line", x1=0, x2=WIDTH, y1=below - 3, y2=below - 3, stroke=QUIET, stroke_width=0.5)
    for n, party in enumerate(parties):
        _party(root, scale, below + ROW * n, party, [line for line in told if line.party is party])
    return root


def _axis(root: Element, scale: Scale, height: float) -> None:
    for mark in scale.marks():
        x = scale.x(mark)
        add(root, "line", x1=x, x2=x, y1=TOP - 6, y2=height - 4, stroke=RULE, stroke_width=0.5)
        add(root, "text", _clock(mark), x=x, y=TOP - 10, text_anchor="middle", fill=QUIET)
    for start, end in scale.pauses:
        left, right = scale.x(start), scale.x(end)
        size = {"width": f"{right - left:.2f}", "height": f"{height - TOP:.2f}"}
        add(root, "rect", x=left, y=TOP - 2, fill="#f3f3f3", **size)
        middle = (left + right) / 2
        add(root, "text", f"// {duration(end - start)} //", x=middle, y=TOP - 10, text_anchor="middle", fill=QUIET)


def _state(root: Element, scale: Scale, y: float, state: State, times: Sequence[Stay], spent: timedelta) -> None:
    add(root, "text", state, x=LEFT - 6, y=y + 10, text_anchor="end")
    add(root, "line", x1=LEFT, x2=RIGHT, y1=y + ROW, y2=y + ROW, stroke=RULE, stroke_width=0.5)
    for stay in times:
        left = scale.x(stay.since)
        width = max(1.5, scale.x(stay.until) - left)
        link = _link(root, stay.told)
        bar = add(link, "rect", x=left, y=y + 2, width=width, height=ROW - 4, fill=BAR, stroke=INK, stroke_width=0.5)
        add(bar, "title", f"{state} from {_clock(stay.since)} for {duration(stay.spent)}")
    often = f", {len(times)} times" if len(times) > 1 else ""
    add(root, "text", duration(spent) + often, x=RIGHT + 6, y=y + 10)


def _party(root: Element, scale: Scale, y: float, party: Party, caused: Sequence[TraceLine]) -> None:
    colour = COLOURS[party]
    add(root, "text", party, x=LEFT - 6, y=y + 10, text_anchor="end", fill=colour, font_weight="bold")
    add(root, "line", x1=LEFT, x2=RIGHT, y1=y + ROW, y2=y + ROW, stroke=RULE, stroke_width=0.5)
    for line in caused:
        mark = _mark(_link(root, [line]), scale.x(line.since_start), y, colour, bool(line.refused))
        add(mark, "title", f"step {line.seq}: {line.trigger}" + (", refused" if line.refused else ""))
    add(root, "text", f"{len(caused)} step{'s' if len(caused) > 1 else ''}", x=RIGHT + 6, y=y + 10, fill=colour)


def _mark(link: Element, x: float, y: float, colour: str, refused: bool) -> Element:
    """A step: a small bar, or a cross if it was refused."""
    if refused:
        return add(link, "path", d=f"M{x - 3:.2f},{y + 4:.2f}l6,8m0,-8l-6,8", stroke=colour, stroke_width=1.5)
    return add(link, "rect", x=x - 0.9, y=y + 3, width=1.8, height=ROW - 5, fill=colour)


def _link(root: Element, told: Sequence[TraceLine]) -> Element:
    return add(root, "a", href=f"#step-{told[0].seq}") if told else root


def _clock(time: timedelta) -> str:
    """`0:07`, or `0:07.5` for a part of a second."""
    seconds = time.total_seconds()
    minutes, rest = int(seconds // 60), round(seconds % 60, 2)
    return f"{minutes}:{int(rest):02}" + (f"{rest % 1:.1f}"[1:] if rest % 1 else "")
