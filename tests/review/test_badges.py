"""Where badges are put: on their arrow or beside their box, off the words and on the page."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from payagent.review.badges import Badges, Box
from payagent.review.svg import SVG

PAGE = '<polygon points="0,0 0,200 200,200 200,0 0,0"/>'
ARROW = '<g id="a"><path stroke="#046c4e" d="M100,20C100,60 100,140 100,180"/></g>'


def graph(*parts: str) -> Element:
    return ElementTree.fromstring(f'<g xmlns="{SVG.strip("{}")}">{PAGE}{"".join(parts)}</g>')


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text text-anchor="{anchor}" x="{x}" y="{y}" font-size="8">{words}</text>'


def state(left: float, right: float) -> str:
    return f'<g id="a"><polygon points="{left},90 {left},110 {right},110 {right},90 {left},90"/></g>'


def placed(root: Element) -> list[Box]:
    boxes = []
    for rect in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        boxes.append(Box(x, y, x + width, y + height))
    return boxes


def target(root: Element) -> Element:
    return next(g for g in root.iter(f"{SVG}g") if g.get("id") == "a")


def test_two_boxes_overlap_by_the_area_both_cover() -> None:
    """None when they are apart, in either direction."""
    box = Box(0, 0, 10, 10)

    assert box.overlap(Box(5, 5, 20, 20)) == 25
    assert box.overlap(Box(11, 0, 20, 10)) == 0
    assert box.overlap(Box(0, 11, 10, 20)) == 0


def test_a_badge_sits_on_the_middle_of_its_arrow() -> None:
    """In the arrow's colour, where nothing is in the way."""
    root = graph(ARROW)

    Badges(root).on_move(target(root), "7", 7)

    (box,) = placed(root)
    assert ((box.left + box.right) / 2, (box.top + box.bottom) / 2) == pytest.approx((100, 100))
    assert [rect.get("fill") for rect in root.iter(f"{SVG}rect")] == ["#046c4e"]


@pytest.mark.parametrize(("x", "anchor"), [(90, "start"), (100, "middle")])
def test_a_badge_moves_along_its_arrow_off_the_words(x: float, anchor: str) -> None:
    """The arrow's own label stays readable."""
    root = graph(ARROW, text(x, 103, "label", anchor))

    Badges(root).on_move(target(root), "7", 7)

    (box,) = placed(root)
    assert box.overlap(Box(x - 20, 96.6, x + 20, 104.6)) == 0
    assert 20 <= box.top <= box.bottom <= 180


def test_badges_do_not_cover_each_other() -> None:
    """The second one on an arrow goes elsewhere."""
    root = graph(ARROW)
    badges = Badges(root)

    badges.on_move(target(root), "7", 7)
    badges.on_move(target(root), "8", 8)

    one, other = placed(root)
    assert one.overlap(other) == 0


@pytest.mark.parametrize(("left", "right", "side"), [(50, 150, "left"), (5, 105, "right")])
def test_a_state_s_badge_is_beside_it_and_on_the_page(left: float, right: float, side: str) -> None:
    """On the left if there is room."""
    root = graph(state(left, right))

    Badges(root).on_state(target(root), "11-14", 11)

    (box,) = placed(root)
    assert (box.right <= left) == (side == "left")
    assert (box.left >= right) == (side == "right")
    assert box.overlap(Box(0, 0, 200, 200)) == pytest.approx((box.right - box.left) * (box.bottom - box.top))


def test_a_card_s_badge_is_at_its_edge() -> None:
    """Beside its first line, in its colour."""
    root = graph(state(50, 150).replace("<polygon", '<polygon stroke="#be123c"'))

    Badges(root).on_move(target(root), "3", 3)

    (box,) = placed(root)
    assert box.right == pytest.approx(50)
    assert [rect.get("fill") for rect in root.iter(f"{SVG}rect")] == ["#be123c"]
