"""Draws the path of a recorded call over the diagram of its table.

The states it was in are filled and bear the numbers of the steps decided there; the moves it made are thick and bear
the numbers of the steps that made them. Everything else is faded. Places, colours and ids are those of `diagram`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review import render
from payagent.review.arrows import drawn_as
from payagent.review.badges import Badges
from payagent.review.diagram import dot
from payagent.review.stays import ranges
from payagent.review.svg import SVG
from payagent.review.trace import party_of

FADED = "0.28"
VISITED = "#fdf3c7"
LAST = "#fbd968"
TAKEN_WIDTH = "2.5"
MOST_NUMBERS = 5
"""A badge with more than that names the first ones and says how many more there are."""


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves of a call: `drawn` by the id of the arrow or card that shows them, `undrawn` are not in the drawing."""

    drawn: dict[str, list[int]]
    undrawn: list[int]


def moves(steps: Sequence[Step], flow: Flow) -> Moves:
    """Where the drawing of `flow` shows each step that changed the state.

    A step of another table is found by its states and party when its row is not there.
    """
    ids = drawn_as(flow)
    by_row = {(row.id, row.source, row.dest): ids[row.id] for row in flow.rows if row.dest}
    by_party = {(row.source, row.dest, row.party): ids[row.id] for row in reversed(flow.rows) if row.dest}
    found = Moves({}, [])
    for step in steps:
        if step.before is step.after:
            continue
        likely = by_party.get((step.before, step.after, party_of(step.event)))
        if shown := by_row.get((step.row, step.before, step.after), likely):
            found.drawn.setdefault(shown, []).append(step.seq)
        else:
            found.undrawn.append(step.seq)
    return found


def draw(steps: Sequence[Step], flow: Flow) -> Element:
    """The path over the diagram of `flow`, as an `svg` element of its size, for a call of at least one step.

    Raises:
        NoGraphviz: there is none.
        DrawingFailed: Graphviz could not draw it.
    """
    return mark(render.svg(dot(flow)), steps, flow)


def mark(drawing: str, steps: Sequence[Step], flow: Flow) -> Element:
    """The same over `drawing`, the SVG of that diagram, for who draws many calls over one."""
    root = ElementTree.fromstring(drawing)  # noqa: S314 - Graphviz's, of our own text
    made = moves(steps, flow).drawn
    visited = dict.fromkeys(f"state-{state}" for step in steps for state in (step.before, step.after))
    graph = root.find(f"{SVG}g")
    assert graph is not None  # Graphviz draws all in one group
    groups = {group.get("id", ""): group for group in graph.findall(f"{SVG}g")}
    _fade(groups, made, visited)
    badges = Badges(graph)
    for shown, numbers in made.items():
        _thicken(groups[shown])
        badges.on_move(groups[shown], _few([str(n) for n in numbers]), numbers[0])
    for state in (state for state in visited if state in groups):
        here = [step.seq for step in steps if f"state-{step.before}" == state]
        _fill(groups[state], LAST if state == f"state-{steps[-1].after}" else VISITED)
        if here:
            badges.on_state(groups[state], _few(ranges(here)), here[0])
    return root


def _few(numbers: Sequence[str]) -> str:
    more = len(numbers) - MOST_NUMBERS
    return ", ".join(numbers[:MOST_NUMBERS]) + (f" +{more}" if more > 0 else "")


def _name(group: Element) -> str:
    """What Graphviz calls it: a node's name, or `one->other`."""
    return group.findtext(f"{SVG}title", "")


def _fade(groups: dict[str, Element], taken: Iterable[str], visited: Iterable[str]) -> None:
    """Fade all but what was visited or taken, the ends of what was taken, and the legend."""
    kept = {*taken, *visited}
    ends = {end for shown in taken for end in _name(groups[shown]).split("->")}
    for shown, group in groups.items():
        if shown not in kept and _name(group) not in ends and not _name(group).startswith("legend_"):
            group.set("opacity", FADED)


def _fill(state: Element, colour: str) -> None:
    for polygon in state.findall(f"{SVG}polygon"):
        polygon.set("fill", colour)
        polygon.set("stroke-width", "1.5")


def _thicken(move: Element) -> None:
    for line in (*move.findall(f"{SVG}path"), *move.findall(f"{SVG}polygon")):
        line.set("stroke-width", TAKEN_WIDTH)
