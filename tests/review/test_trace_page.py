"""A call as one drawing and as one page: complete, masked, and needing nothing from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_graphviz import fake_dot, no_programs
from recorded import CALL, Driven, cancelled, keying, verified

from payagent.errors import IllegalMove, NoGraphviz
from payagent.flow import events as ev
from payagent.flow.states import Pace
from payagent.flow.table import build
from payagent.review.stays import plain
from payagent.review.trace import report
from payagent.review.trace_page import html, remarks, shown, svg

VOID = {"meta", "link", "br", "img"}


@pytest.fixture(autouse=True)
def graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dot(tmp_path, monkeypatch)


class Page(HTMLParser):
    """A page's ids, tags and links; what is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)


def talkative() -> Driven:
    driven = verified()
    driven.happen(ev.CallerSpoke('<script>alert("4242 4242 4242 4242")</script>'))
    driven.happen(ev.ToolCalled(driven.call.facts.turn, "c", "pay_<b>_4242424242424242", "{}"))
    return driven


def test_a_page_has_every_step_and_every_link_leads_to_one() -> None:
    """Each step once, with what it ordered."""
    steps = cancelled().steps
    text = html(steps, build())
    page = Page(text)

    assert [i for i in page.ids if i.startswith("step-")] == [f"step-{step.seq}" for step in steps]
    assert set(page.links) <= {f"#{i}" for i in page.ids}
    assert len(page.links) > len(steps)
    assert "HoldBill B-1" in text
    assert f"Call {CALL}, from 2026-11-22 10:00:00 UTC" in text


def test_a_page_needs_no_script_and_no_network() -> None:
    """It can be filed as it is."""
    text = html(cancelled().steps, build())
    page = Page(text)

    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_what_was_said_is_masked_and_harmless() -> None:
    """Neither digits nor tags of a caller or a model reach the page."""
    steps = talkative().steps

    for text in (html(steps, build()), svg(steps, build())):
        assert not [secret for secret in ("4242", "<script>", "<b>", "Ada", "1990") if secret in text]
    assert "&lt;script&gt;" in html(steps, build())


def test_a_refusal_is_on_the_page() -> None:
    """In words, under its step."""
    assert 'class="refused">Refused: There is no tool' in html(talkative().steps, build())


def test_a_drawing_has_the_path_and_the_time_beneath() -> None:
    """Two drawings in one, nothing over the edge."""
    root = ElementTree.fromstring(svg(cancelled().steps, build()))
    _, _, width, height = map(float, root.get("viewBox", "").split())
    path, times = [part for part in root if part.tag.endswith("svg")]

    assert float(path.get("y", 0)) + float(path.get("height", 0)) <= float(times.get("y", 0))
    assert float(times.get("y", 0)) + float(times.get("height", 0)) <= height
    assert {float(part.get("width", 0)) for part in (path, times)} == {width}


def test_the_table_that_decided_needs_no_remark() -> None:
    """The drawing is what it was decided by."""
    assert list(remarks(cancelled().steps, build())) == []


def test_another_table_and_what_it_does_not_show_are_remarked() -> None:
    """In the page and in the drawing."""
    steps = [replace(step, flow="an old one") for step in keying().steps]
    other = build(Pace.AUTOMATIC)

    table, move = remarks(steps, other)

    assert table.startswith(f"Decided by table an old one; drawn is the nearest of today's, {other.version}")
    assert move == "Not in the drawing: the moves of steps 12."
    for text in (html(steps, other), svg(steps, other)):
        assert "an old one" in text
        assert move in text


def test_without_graphviz_a_page_says_so_and_has_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps and the time need no Graphviz; a drawing alone does."""
    no_programs(tmp_path / "bare", monkeypatch)

    text = html(cancelled().steps, build())

    assert "apt install graphviz" in text
    assert 'id="step-24"' in text
    assert "24 steps" in text
    with pytest.raises(NoGraphviz):
        svg(cancelled().steps, build())


def test_each_form_is_what_it_is_called() -> None:
    """Text and JSON are those of `trace` and `stays`."""
    steps, flow = cancelled().steps, build()

    assert shown(steps, flow, "text") == "\n".join(report(steps))
    assert shown(steps, flow, "html") == html(steps, flow)
    assert shown(steps, flow, "svg") == svg(steps, flow)
    assert json.loads(shown(steps, flow, "json")) == plain(steps)


def test_steps_with_a_gap_make_no_page() -> None:
    """What is missing may be the charge."""
    steps = keying().steps

    with pytest.raises(IllegalMove):
        html([*steps[:4], *steps[5:]], build())
