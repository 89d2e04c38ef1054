"""Shows a recorded call to a person: its path over the diagram, its time line and, as a page, every step in words.

The page needs no script and no network and prints on A4. Words are masked as in `trace`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Literal, assert_never
from xml.etree.ElementTree import Element

from payagent.errors import NoGraphviz
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review import call_path, timeline
from payagent.review.stays import Stay, duration, plain, ranges, stays
from payagent.review.svg import FONT, add, element, written
from payagent.review.trace import TraceLine, lines, report, summary

Form = Literal["text", "svg", "html", "json"]

LINE = 12
"""Height of a line of text above the drawing."""


def shown(steps: Sequence[Step], flow: Flow, form: Form) -> str:
    """A call of at least one step in that form; drawn is the diagram of `flow`.

    Raises:
        IllegalMove: these are not all the steps of one call, from its first on.
        NoGraphviz: there is none, and SVG is wanted.
        DrawingFailed: Graphviz could not draw it.
    """
    match form:
        case "text":
            return "\n".join(report(steps))
        case "svg":
            return svg(steps, flow)
        case "html":
            return html(steps, flow)
        case "json":
            return json.dumps(plain(steps), indent=2, ensure_ascii=False)
        case _:
            assert_never(form)


def svg(steps: Sequence[Step], flow: Flow) -> str:
    """The path over the diagram of `flow` and the time line beneath, for a call of at least one step.

    Raises:
        NoGraphviz: there is none.
        DrawingFailed: Graphviz could not draw it.
    """
    drawn, times = call_path.draw(steps, flow), timeline.draw(lines(steps))
    _, _, width, height = map(float, drawn.get("viewBox", "").split())
    head = [title(steps), *remarks(steps, flow)]
    below = LINE * (len(head) + 1) + height
    beneath = float(times.get("height", 0)) * width / timeline.WIDTH
    size = f"{width:.0f} {below + LINE + beneath:.0f}"
    root = element("svg", viewBox=f"0 0 {size}", width=f"{size.split()[0]}pt", height=f"{size.split()[1]}pt")
    add(root, "rect", width="100%", height="100%", fill="#ffffff")
    for n, words in enumerate(head):
        add(root, "text", words, x=6, y=LINE * (n + 1), font_family=FONT, font_size="9" if n == 0 else "6.5")
    root.append(_placed(drawn, LINE * (len(head) + 0.5), width, height))
    root.append(_placed(times, below, width, beneath))
    return written(root)


def _placed(drawing: Element, y: float, width: float, height: float) -> Element:
    for name, value in {"y": y, "width": width, "height": height}.items():
        drawing.set(name, f"{value:.2f}")
    return drawing


def html(steps: Sequence[Step], flow: Flow) -> str:
    """The same with every step in words, as a page; where no Graphviz is, it says so instead of the drawing.

    Raises:
        IllegalMove: these are not all the steps of one call, from its first on.
        DrawingFailed: Graphviz could not draw it.
    """
    told = lines(steps)
    try:
        drawing = written(call_path.draw(steps, flow))
    except NoGraphviz as error:
        drawing = f"<p>{escape(str(error))}</p>"
    page = Template((files("payagent.review") / "trace_page.html").read_text("utf-8"))
    return page.substitute(
        title=escape(title(steps)),
        summary="".join(f"<li>{escape(words)}</li>" for words in [*summary(steps), *remarks(steps, flow)]),
        path=drawing,
        timeline=written(timeline.draw(told)),
        steps="".join(row for stay in stays(told) for row in _rows(stay)),
    )


def title(steps: Sequence[Step]) -> str:
    """Which call this is."""
    return f"Call {steps[0].call_sid}, from {steps[0].at:%Y-%m-%d %H:%M:%S} UTC"


def remarks(steps: Sequence[Step], flow: Flow) -> Iterator[str]:
    """What has to be said where the drawing is not that of the table that decided, or does not show a move."""
    others = [version for version in dict.fromkeys(step.flow for step in steps) if version != flow.version]
    if others:
        yield (
            f"Decided by table {', '.join(others)}; drawn is the nearest of today's, {flow.version}"
            f" ({flow.pace} pace, fields of profile {flow.profile})."
        )
    undrawn = call_path.moves(steps, flow).undrawn
    if undrawn:
        yield f"Not in the drawing: the moves of steps {', '.join(ranges(undrawn))}."


def _rows(stay: Stay) -> Iterator[str]:
    spent = f"from {_seconds(stay.since.total_seconds())}, for {duration(stay.spent)}"
    yield f'<tr class="state"><th colspan="5" scope="rowgroup">{escape(stay.state)} <small>{spent}</small></th></tr>\n'
    for line in stay.told:
        yield _row(line)


def _row(line: TraceLine) -> str:
    refused = f'<div class="refused">Refused: {escape(line.refused)}</div>' if line.refused else ""
    what = f"<div>{escape(line.what)}</div>" if line.what else ""
    orders = "".join(f"<div>{escape(order)}</div>" for order in line.orders)
    return (
        f'<tr id="step-{line.seq}"><td class="number">{line.seq}</td>'
        f'<td class="number">{_seconds(line.since_start.total_seconds())}</td>'
        f'<td class="party {line.party}">{line.party}</td>'
        f"<td><code>{escape(line.trigger)}</code>{what}{refused}</td><td>{orders}</td></tr>\n"
    )


def _seconds(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"
