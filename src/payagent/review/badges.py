"""Puts numbered badges on a Graphviz drawing, where they cover as few words as possible.

Coordinates are those of the drawing's one group; the widths of words are estimates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from payagent.review.svg import FONT, SVG, add

SIZE = 8.0
"""Height of a badge's letters; the diagram's own are 7 and 8."""

INK, WHITE = "#111111", "#ffffff"
STEPS_ALONG = 12
"""How many places along an arrow are tried."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)


class Badges:
    """The badges of one drawing; `graph` is Graphviz's group of all that is drawn."""

    def __init__(self, graph: Element) -> None:
        self._layer = add(graph, "g", class_="badges")
        self._page = _around(graph)
        self._taken = [_text_box(text) for text in graph.iter(f"{SVG}text")]

    def on_move(self, group: Element, words: str, step: int) -> None:
        """Number an arrow or a card in its own colour; the badge leads to `#step-…`."""
        path = group.find(f"{SVG}path")
        if path is not None:
            places = list(_along(path.get("d", "")))
            colour = path.get("stroke", INK)
        else:
            card = _around(group)
            half = _width(words) / 2
            places = [(card.left - half, card.top + SIZE * 0.6), (card.right + half, card.top + SIZE * 0.6)]
            colour = group.findall(f"{SVG}polygon")[0].get("stroke", INK)
        self._put(self._best(places, words), words, step, colour, WHITE)

    def on_state(self, group: Element, words: str, step: int) -> None:
        """Number a state's box, beside it."""
        state = _around(group)
        middle, half = (state.top + state.bottom) / 2, _width(words) / 2 + 1
        heights = (middle, state.top + 2, state.bottom - 2)
        places = [(x, y) for y in heights for x in (state.left - half, state.right + half)]
        self._put(self._best(places, words), words, step, WHITE, INK)

    def _best(self, places: Iterable[tuple[float, float]], words: str) -> Box:
        boxes = [_badge_box(x, y, words) for x, y in places]
        return min(boxes, key=self._covered)

    def _covered(self, box: Box) -> float:
        outside = (box.right - box.left) * (box.bottom - box.top) - box.overlap(self._page)
        return outside * 10 + sum(box.overlap(other) for other in self._taken)

    def _put(self, box: Box, words: str, step: int, fill: str, ink: str) -> None:
        self._taken.append(box)
        link = add(self._layer, "a", href=f"#step-{step}", font_family=FONT, font_size=SIZE, font_weight="bold")
        width, height = box.right - box.left, box.bottom - box.top
        edge = {"stroke": ink if fill == WHITE else fill, "stroke_width": "0.5"}
        add(link, "rect", x=box.left, y=box.top, width=width, height=height, rx=SIZE / 2, fill=fill, **edge)
        x, y = (box.left + box.right) / 2, box.bottom - SIZE * 0.3
        add(link, "text", words, x=x, y=y, fill=ink, text_anchor="middle")


def _badge_box(x: float, y: float, words: str) -> Box:
    half = _width(words) / 2
    return Box(x - half, y - SIZE * 0.6, x + half, y + SIZE * 0.6)


def _width(words: str) -> float:
    return len(words) * SIZE * 0.56 + SIZE * 0.7


def _text_box(text: Element) -> Box:
    size, x, y = (float(text.get(name, 0)) for name in ("font-size", "x", "y"))
    width = len(text.text or "") * size * 0.5
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return Box(left, y - size * 0.8, left + width, y + size * 0.2)


def _around(group: Element) -> Box:
    """The rectangle around the group's first polygon."""
    polygon = group.find(f"{SVG}polygon")
    assert polygon is not None  # Graphviz frames the page, states and cards by one
    points = [tuple(map(float, point.split(","))) for point in polygon.get("points", "").split()]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(min(xs), min(ys), max(xs), max(ys))


def _along(d: str) -> Iterator[tuple[float, float]]:
    """Points along a path of cubic Bézier curves, the middle ones first (SVG 1.1, 8.3.6: `M` one point, `C` threes)."""
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", d)]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    curves = [points[n : n + 4] for n in range(0, len(points) - 1, 3)]
    for step in sorted(range(1, STEPS_ALONG), key=lambda n: abs(n - STEPS_ALONG / 2)):
        at = step / STEPS_ALONG * len(curves)
        curve = curves[int(at)]
        yield _on(curve, at - int(at))


def _on(curve: list[tuple[float, float]], t: float) -> tuple[float, float]:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return (
        sum(w * x for w, (x, _) in zip(weights, curve, strict=True)),
        sum(w * y for w, (_, y) in zip(weights, curve, strict=True)),
    )
