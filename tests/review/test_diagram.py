"""The two drawings: deterministic, with stable ids, readable colours, and the tools of every state."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest

from payagent.flow.rows import Row
from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.table import Flow, build
from payagent.review.arrows import drawn_as, plan
from payagent.review.diagram import COLOURS, dot, mermaid

FLOWS = [build(pace, profile) for pace in Pace for profile in Profile]
NAMES = [f"{flow.pace}-{flow.profile}" for flow in FLOWS]
every_flow = pytest.mark.parametrize("flow", FLOWS, ids=NAMES)


@every_flow
def test_same_table_same_bytes(flow: Flow) -> None:
    """A table built anew is drawn byte for byte alike."""
    again = build(flow.pace, flow.profile)

    assert dot(again) == dot(flow)
    assert mermaid(again) == mermaid(flow)


@every_flow
def test_the_dot_names_its_own_hash_and_the_table(flow: Flow) -> None:
    """Whoever holds a picture can tell which drawing of which table it is."""
    head, _, body = dot(flow).partition("\n")

    assert head == f"// payagent diagram {hashlib.sha256(body.encode()).hexdigest()[:12]} of table {flow.version}"
    assert flow.version in mermaid(flow).partition("\n")[0]


@every_flow
def test_every_state_has_a_box_with_its_id(flow: Flow) -> None:
    """`state-<state>` is there once for each state of the table, and for no other."""
    found = re.findall(r'id="state-(\w+)"', dot(flow))

    assert found == list(flow.states)


@every_flow
def test_every_arrow_and_card_has_its_id_in_the_dot(flow: Flow) -> None:
    """What `drawn_as` says of a row is in the picture."""
    found = set(re.findall(r'id="(edge-[^"]+)"', dot(flow)))

    assert found == {shape.id for drawn in [plan(flow)] for shape in (*drawn.lines, *drawn.marked, *drawn.cards)}
    assert set(drawn_as(flow).values()) <= found


@every_flow
def test_a_box_names_the_tools_of_its_state(flow: Flow) -> None:
    """A tool is in the box, or it is a common one and the box says so."""
    text = dot(flow)
    common = re.search(r"common tools are ([\w, ]+)\.", text)
    assert common
    for state in flow.states:
        box = re.search(rf'id="state-{state}", label="([^"]*)"', text)
        assert box
        words = set(re.split(r"(?: ·)?\\n(?:· )?| · ", box[1]))
        if "common\u00a0tools" in words:
            words |= set(common[1].split(", "))
        assert set(flow.tools[state]) <= words


@every_flow
def test_every_trigger_that_moves_is_written_somewhere(flow: Flow) -> None:
    """In both drawings, unless an arrow says that it stands for more."""
    for text in (dot(flow), mermaid(flow)):
        if " more" not in text:
            assert {row.trigger for row in flow.rows if row.dest} <= set(re.findall(r"\w+", text.replace("\\l", " ")))


def test_many_triggers_are_shortened_and_counted() -> None:
    """An arrow with six triggers names three and says that there are three more."""
    flow = build()
    rows = [
        Row(f"thing_{n}", State.PROCESSING_PAYMENT, State.PAYMENT_DECLINED, Party.OPERATOR, (), (), "")
        for n in range(6)
    ]

    text = dot(replace(flow, rows=(*flow.rows, *rows)))

    assert "thing_2" in text
    assert "and 3 more" in text
    assert "thing_3" not in text


def test_a_party_without_moves_is_in_the_legend_as_such() -> None:
    """A reviewer sees that the operator moves no call."""
    assert re.search(r"legend_operator\[.*moves no call", mermaid(build()))
    assert not re.search(r"legend_model\[.*moves no call", mermaid(build()))


@pytest.mark.promise(9)
def test_a_changed_guard_changes_the_drawing() -> None:
    """The picture carries the table's version, so no change of the table leaves it as it was."""
    flow = build()
    bare = replace(flow, rows=tuple(replace(row, guards=()) for row in flow.rows))

    assert dot(bare) != dot(flow)
    assert mermaid(bare) != mermaid(flow)


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_colours_are_legible_on_white(colour: str) -> None:
    """At least 4.5:1 (WCAG 2, 1.4.3)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    assert 1.05 / (luminance + 0.05) >= 4.5


@every_flow
def test_mermaid_declares_what_it_joins(flow: Flow) -> None:
    """Every end of an arrow is a declared node, and every coloured arrow exists."""
    text = mermaid(flow)
    nodes = set(re.findall(r"^  (\w+)\[", text, re.MULTILINE))
    joined = re.findall(r'^  (\w+) [-=.]+>\|"[^"]+"\| (\w+)$', text, re.MULTILINE)
    coloured = [int(n) for numbers in re.findall(r"linkStyle ([\d,]+)", text) for n in numbers.split(",")]

    assert {node for ends in joined for node in ends} <= nodes
    assert sorted(coloured) == list(range(len(joined)))
