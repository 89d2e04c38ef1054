"""The state diagram as a page can hold it: drawn from the running table, or the one that was drawn before.

Where there is no Graphviz, the committed drawings are looked at, and one that shows another table is not used.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from payagent.errors import DrawingFailed, NoGraphviz
from payagent.flow.states import Pace, Profile
from payagent.flow.table import Flow, build
from payagent.review import render
from payagent.review.diagram import dot

COMMITTED = Path("fsm_diagrams")
"""Where they are, in a clone of the project."""


@cache
def flow_of(pace: str, profile: str) -> Flow:
    """The running table of this pace and profile.

    Raises:
        ValueError: there is none.
    """
    return build(Pace(pace), Profile(profile))


@cache
def drawing(pace: str, profile: str) -> str:
    """Its diagram as an `<svg>` element, "" where none can be had.

    Raises:
        ValueError: there is no such pace or profile.
    """
    text = dot(flow_of(pace, profile))
    try:
        return _element(render.svg(text))
    except (NoGraphviz, DrawingFailed):
        return _element(_drawn_before(f"payment_call.{pace}.{profile}.svg", text))


def _drawn_before(name: str, text: str) -> str:
    """The drawing of this very DOT, which carries the DOT's first line."""
    stamp = text.partition("\n")[0].removeprefix("// ")
    path = COMMITTED / name
    svg = path.read_text("utf-8") if path.is_file() else ""
    return svg if stamp in svg else ""


def _element(svg: str) -> str:
    """Without what stands before the element: a page has its own head."""
    return svg[svg.find("<svg") :] if "<svg" in svg else ""
