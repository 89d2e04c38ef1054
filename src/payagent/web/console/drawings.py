"""Draws a call's path over its diagram. A diagram is laid out once, then drawn over for every call.

Laying out takes Graphviz; where there is none a call's page says so, and has its time line and its steps all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from payagent.errors import DrawingFailed, NoGraphviz
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review import call_path, render, timeline, today
from payagent.review.diagram import dot
from payagent.review.svg import written
from payagent.review.trace import lines
from payagent.review.trace_page import remarks


@dataclass(frozen=True, slots=True)
class Drawn:
    """`path` is None where it cannot be drawn; `remarks` say why, or what the drawing does not show."""

    path: Markup | None
    times: Markup
    remarks: list[str]


class Drawings:
    """Draws calls that were decided by `flow` or by another of today's tables."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._laid_out: dict[str, str] = {}

    async def draw(self, steps: Sequence[Step]) -> Drawn:
        """A call of at least one step. Made in a thread of its own: callers wait for the loop."""
        return await asyncio.to_thread(self._draw, steps)

    def _draw(self, steps: Sequence[Step]) -> Drawn:
        times = Markup(written(timeline.draw(lines(steps))))  # noqa: S704 - made by a serialiser, which escapes
        flow = self._flow_of(steps)
        try:
            path = written(call_path.mark(self._diagram(flow), steps, flow))
        except (NoGraphviz, DrawingFailed) as error:
            return Drawn(None, times, [str(error)])
        return Drawn(Markup(path), times, list(remarks(steps, flow)))  # noqa: S704 - the same

    def _flow_of(self, steps: Sequence[Step]) -> Flow:
        if steps[-1].flow == self._flow.version:
            return self._flow
        return today.nearest(steps, today.tables(self._flow.limits, self._flow.routes, self._flow.languages))

    def _diagram(self, flow: Flow) -> str:
        if flow.version not in self._laid_out:
            self._laid_out[flow.version] = render.svg(dot(flow))
        return self._laid_out[flow.version]
