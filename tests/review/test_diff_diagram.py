"""Drawing what changed between two releases: what is marked, what is said where, what is written."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_graphviz import fake_dot, no_programs
from flows import data_of, unguarded, without

from payagent.errors import NoGraphviz
from payagent.flow import guards
from payagent.flow.states import Profile
from payagent.flow.table import build
from payagent.review.diff_diagram import dot
from payagent.review.flow_file import FlowData
from payagent.review.render import svg, write_changes

GREEN, RED, AMBER = "#dcfce7", "#fee2e2", "#fef3c7"

FLOW = build()
NOW = data_of(FLOW)
UNGUARDED = data_of(unguarded(FLOW, "start_payment@choosing_amount", guards.heard_since.words))
ROWLESS = data_of(without(FLOW, "start_payment@payment_declined"))
POSTAL = data_of(build(profile=Profile.CARD_POSTAL_CODE))


def boxes(old: FlowData, new: FlowData) -> dict[str, str]:
    """The attributes of each box, by its name in the DOT."""
    return dict(re.findall(r"^  (\w+) \[(.*label=.*)\]$", dot(old, new), re.MULTILINE))


def box_of(name: str, old: FlowData, new: FlowData) -> str:
    """The attributes of the state's box."""
    return next(box for box in boxes(old, new).values() if f'id="state-{name}"' in box)


def joined(box: str) -> str:
    """The words of a box without its line ends."""
    return " ".join(box.replace("\\l", " ").replace("\u00a0", " ").split())


def notes(old: FlowData, new: FlowData) -> list[str]:
    """The notes that stand at one state."""
    return [box for name, box in boxes(old, new).items() if name.startswith("n")]


def panel(old: FlowData, new: FlowData, kind: str) -> list[str]:
    """The boxes of the panel of this kind: `card` or `more`."""
    return [box for name, box in boxes(old, new).items() if name.startswith(kind)]


def test_a_guard_that_is_gone_is_amber_and_framed() -> None:
    """It loosens, and the note says which; the line leads from its state through the note to where the move leads."""
    (note,) = notes(NOW, UNGUARDED)
    names = [state.name for state in NOW.states]
    a, b = names.index("choosing_amount"), names.index("starting_payment")

    assert "~ start_payment → starting_payment, by model" in note
    assert "LOOSENS charge" not in note
    assert f"LOOSENS guard: no longer asks whether “{guards.heard_since.words}”" in joined(note)
    assert AMBER in note
    assert "penwidth=2.5" in note
    assert f"  s{a} -> n0 [" in dot(NOW, UNGUARDED)
    assert f"  n0 -> s{b} [" in dot(NOW, UNGUARDED)


def test_an_added_row_is_green_and_a_removed_one_red_and_dashed() -> None:
    """The removed one does not loosen; both name where they lead, for that is across the page."""
    (added,), (removed,) = notes(ROWLESS, NOW), notes(NOW, ROWLESS)

    assert GREEN in added
    assert "+ start_payment → starting_payment" in added
    assert "LOOSENS move: is new" in added
    assert RED in removed
    assert "dashed" in removed
    assert "- start_payment → starting_payment" in removed
    assert "LOOSENS" not in removed
    assert "n0 -> s" not in dot(ROWLESS, NOW)


def test_a_state_is_marked_and_the_others_are_pale() -> None:
    """A new one in green, one that is gone in red with where it led, and nothing of another colour on the rest."""
    there, back = box_of("postal_code_due", NOW, POSTAL), box_of("postal_code_due", POSTAL, NOW)

    assert GREEN in there
    assert RED in back
    assert "led to postal_code_entry," in joined(back)
    assert "fillcolor" not in box_of("card_number_due", NOW, UNGUARDED)


def test_a_tool_that_is_opened_is_said_in_its_state() -> None:
    """With the mark that it loosens."""
    states = tuple(replace(s, tools=s.tools[1:]) if s.name == "ready_to_complete" else s for s in NOW.states)
    box = box_of("ready_to_complete", replace(NOW, states=states), NOW)

    assert "LOOSENS tool:" in box
    assert "is opened" in joined(box)
    assert AMBER in box
    assert "penwidth=2.5" in box


def test_the_same_change_in_many_states_is_noted_once() -> None:
    """With the states named."""
    rows = tuple(
        replace(r, guards=(*r.guards, "it rains")) if r.trigger == "human_agent_handoff" else r for r in NOW.rows
    )
    old = replace(NOW, rows=rows)
    touched = [row.source for row in NOW.rows if row.trigger == "human_agent_handoff"]

    assert len(touched) > 2
    assert notes(old, NOW) == []
    assert any(f"in {', '.join(touched)}" in joined(card) for card in panel(old, NOW, "card"))


def test_what_has_no_place_is_told_beside_the_path() -> None:
    """A count that is higher in words; a sentence by number."""
    sentence = replace(NOW.sentences[0], meaning="something else")
    limits = NOW.limits | {"identity_tries": 1}
    old = replace(NOW, limits=limits, sentences=(sentence, *NOW.sentences[1:]))
    loosening, others = panel(old, NOW, "more")

    assert "LOOSENS limit: identity_tries is" in loosening
    assert "penwidth=2.5" in loosening
    assert "Told in words only, changes of: sentence 1" in others


def test_any_words_can_be_drawn() -> None:
    """Quotes and backslashes of a saved file stay words; Graphviz takes them."""
    odd = 'says "no\\" ; } <b>'
    rows = tuple(replace(r, guards=(*r.guards, odd)) if r.charges else r for r in NOW.rows)
    (note,) = notes(replace(NOW, rows=rows), NOW)

    assert 'says \\"no\\\\\\" ; } <b>' in joined(note)


@pytest.mark.needs("graphviz")
def test_graphviz_draws_odd_words() -> None:
    """The real one."""
    rows = tuple(replace(r, guards=(*r.guards, 'a "b\\" <i> & }')) if r.charges else r for r in NOW.rows)

    assert "&quot;b\\&quot;" in svg(dot(replace(NOW, rows=rows), POSTAL))


def test_pictures_are_written_of_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those of an earlier comparison are taken away when nothing differs any more."""
    fake_dot(tmp_path, monkeypatch)
    there = tmp_path / "out"
    monkeypatch.setattr("payagent.review.render.png", lambda text: b"png")
    written = [path.name for path in write_changes(there, [(NOW, UNGUARDED)])]

    assert written == [f"changes.model.card.{form}" for form in ("dot", "svg", "png")]
    assert sorted(path.name for path in there.iterdir()) == sorted(written)
    assert list(write_changes(there, [(NOW, NOW)])) == []
    assert list(there.iterdir()) == []


def test_without_graphviz_the_text_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every table, before the error says how to get one."""
    no_programs(tmp_path, monkeypatch)
    there = tmp_path / "out"

    with pytest.raises(NoGraphviz, match="apt install graphviz"):
        list(write_changes(there, [(NOW, UNGUARDED), (POSTAL, replace(POSTAL, version="0"))]))
    assert sorted(path.name for path in there.iterdir()) == [
        "changes.model.card.dot",
        "changes.model.card_postal_code.dot",
    ]
