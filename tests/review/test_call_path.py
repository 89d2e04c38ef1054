"""A call's path over the diagram: what is thick, numbered, filled and faded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from fake_graphviz import fake_dot, no_programs
from recorded import OWED, Driven, cancelled, keying, verified

from payagent.errors import NoGraphviz
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.money import Bill
from payagent.flow.states import Pace, State
from payagent.flow.table import build
from payagent.review.call_path import FADED, LAST, MOST_NUMBERS, TAKEN_WIDTH, VISITED, draw, moves
from payagent.review.svg import SVG


@pytest.fixture
def graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dot(tmp_path, monkeypatch)


def group(root: Element, name: str) -> Element:
    (found,) = [g for g in root.iter(f"{SVG}g") if g.get("id") == name]
    return found


def badges(root: Element) -> Iterator[tuple[str, str, str]]:
    """Words, colour and target of each badge."""
    for link in root.iter(f"{SVG}a"):
        yield link.findtext(f"{SVG}text", ""), link.find(f"{SVG}rect").get("fill", ""), link.get("href", "")  # type: ignore[union-attr]


# Which moves are where


def test_a_move_is_shown_by_its_row_s_arrow() -> None:
    """By the ids of the diagram; steps in place are none."""
    found = moves(verified().steps, build())

    assert found.drawn == {"edge-verifying_identity-confirming_balance-program": [5]}
    assert found.undrawn == []


def test_moves_through_shared_cards_are_shown_by_the_card() -> None:
    """Both times on the one card."""
    drawn = moves(cancelled().steps, build()).drawn

    assert drawn["edge-shared-model-cancel_payment_processing-cancelling_payment"] == [14, 21]
    assert drawn["edge-shared-model-end_call-ended"] == [24]


def test_every_move_is_somewhere() -> None:
    """Once each, in order."""
    steps = cancelled().steps
    found = moves(steps, build())

    assert sorted(n for numbers in found.drawn.values() for n in numbers) == [
        step.seq for step in steps if step.before is not step.after
    ]


def test_a_move_of_an_unknown_row_is_found_by_states_and_party() -> None:
    """A row's number may have changed since."""
    steps = [replace(step, row=step.row and f"{step.row}#9") for step in verified().steps]

    assert moves(steps, build()).drawn == {"edge-verifying_identity-confirming_balance-program": [5]}


def test_a_row_that_leads_elsewhere_today_shows_no_move() -> None:
    """The move is said to be missing rather than shown where it was not."""
    steps = [replace(step, after=State.PAYMENT_COMPLETED) if step.seq == 5 else step for step in verified().steps]

    assert moves(steps, build()).undrawn == [5]


def test_a_move_that_the_other_pace_does_not_know_is_not_drawn() -> None:
    """Nothing is said to have happened that is not in the drawing."""
    found = moves(keying().steps, build(Pace.AUTOMATIC))

    assert found.undrawn == [12]


# The drawing


def test_what_was_visited_is_filled_and_what_was_not_is_faded(graphviz: None) -> None:
    """The state the call is in now stands out."""
    root = draw(verified().steps, build())

    for state, colour in ((State.VERIFYING_IDENTITY, VISITED), (State.CONFIRMING_BALANCE, LAST)):
        box = group(root, f"state-{state}")
        assert [p.get("fill") for p in box.iter(f"{SVG}polygon")] == [colour]
        assert box.get("opacity") is None
    unseen = group(root, "state-payment_completed")
    assert unseen.get("opacity") == FADED
    assert [p.get("fill") for p in unseen.iter(f"{SVG}polygon")] == ["none"]


def test_only_moves_that_were_made_are_thick(graphviz: None) -> None:
    """The others are faded."""
    root = draw(verified().steps, build())
    arrows = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("edge-")]
    thick = [g for g in arrows if any(line.get("stroke-width") == TAKEN_WIDTH for line in g)]

    assert [g.get("id") for g in thick] == ["edge-verifying_identity-confirming_balance-program"]
    assert {g.get("opacity") for g in arrows if g not in thick} == {FADED}
    assert {g.get("opacity") for g in thick} == {None}


def test_the_legend_and_the_ends_of_a_move_stay_readable(graphviz: None) -> None:
    """A marker that names where a taken arrow leads is part of the move."""
    root = draw(cancelled().steps, build())

    assert group(root, "legend_model").get("opacity") is None
    assert group(root, "payment_cancelled_to_starting_payment").get("opacity") is None
    assert group(root, "payment_cancelled_to_choosing_amount").get("opacity") == FADED


def test_moves_and_states_bear_the_numbers_of_their_steps(graphviz: None) -> None:
    """A move in the colour of its cause, with every time it was made; a state with the steps decided there."""
    found = list(badges(draw(cancelled().steps, build())))

    assert ("14, 21", "black", "#step-14") in found  # the stand-in draws cards in black
    assert ("12, 19", "#046c4e", "#step-12") in found
    assert ("11\u201312, 18\u201319", "#ffffff", "#step-11") in found
    assert not [words for words, *_ in found if not words]


def test_many_numbers_are_cut_short(graphviz: None) -> None:
    """The drawing must stay readable."""
    driven = verified()
    for _ in range(MOST_NUMBERS + 2):
        driven.tool("confirm_balance", '{"agreed":true}')
        driven.tool("check_pending_bill", '{"bill":null}')
        driven.happen(ev.BillsRead(driven.order(do.ReadBills), (Bill("B-1", "clinic visit", OWED),)))
    words = [words for words, *_ in badges(draw(driven.steps, build()))]

    cut = [w for w in words if w.endswith(" +2")]
    assert len(cut) == 3  # there, back, and a state
    assert {w.count(",") for w in cut} == {MOST_NUMBERS - 1}


def test_a_state_the_table_does_not_have_is_left_out(graphviz: None) -> None:
    """As in the drawing of another pace."""
    root = draw(keying().steps, build(Pace.AUTOMATIC))

    assert not [g for g in root.iter(f"{SVG}g") if g.get("id") == "state-card_number_due"]
    assert group(root, "state-starting_payment").get("opacity") is None


def test_without_graphviz_it_fails_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no drawing without a renderer."""
    no_programs(tmp_path, monkeypatch)

    with pytest.raises(NoGraphviz):
        draw(verified().steps, build())


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("pace", Pace)
def test_a_real_drawing_has_every_badge(pace: Pace) -> None:
    """Every id of the plan is in Graphviz's own SVG, escaped or not."""
    driven: Driven = verified(build(pace))
    driven.happen(ev.CallerHungUp())
    words = [words for words, *_ in badges(draw(driven.steps, driven.call.flow))]

    assert {"5", "7"} <= set(words)
    assert "1\u20135" in words
