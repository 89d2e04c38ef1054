"""What a drawing shows: every row that leads elsewhere, and nothing that no row says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from payagent.flow.states import Pace, Party, Profile, State
from payagent.flow.table import Flow, build
from payagent.review.arrows import Plan, drawn_as, happy_path, plan

FLOWS = [build(pace, profile) for pace in Pace for profile in Profile]
NAMES = [f"{flow.pace}-{flow.profile}" for flow in FLOWS]
every_flow = pytest.mark.parametrize("flow", FLOWS, ids=NAMES)

Claim = tuple[State, State, Party, str]


def claims(drawn: Plan) -> set[Claim]:
    """All (source, dest, party, trigger) a reader can take from the picture."""
    told = {(a.source, d, a.party, t) for a in (*drawn.lines, *drawn.marked) for d in a.dests for t in a.triggers}
    for card in drawn.cards:
        told |= {(s, d, card.party, t) for s in card.sources for ts, ds in card.moves for t in ts for d in ds}
    return {claim for claim in told if claim[0] is not claim[1]}  # a move leads elsewhere, as the page says


def moves(flow: Flow) -> set[Claim]:
    return {(row.source, row.dest, row.party, row.trigger) for row in flow.rows if row.dest}


@every_flow
def test_the_picture_says_what_the_rows_say(flow: Flow) -> None:
    """No way out of a state is left out, and none is shown that no row has."""
    assert claims(plan(flow)) == moves(flow)
    assert {row.id for row in flow.rows if row.dest} == set(drawn_as(flow))


@every_flow
def test_ids_are_unique(flow: Flow) -> None:
    """A page that lights up one id lights up one thing."""
    drawn = plan(flow)
    ids = [shape.id for shape in (*drawn.lines, *drawn.marked, *drawn.cards)]

    assert len(set(ids)) == len(ids)
    assert set(drawn_as(flow).values()) <= set(ids)


@every_flow
def test_ids_do_not_depend_on_the_order_of_rows(flow: Flow) -> None:
    """A table that says the same in another order is drawn the same."""
    assert plan(replace(flow, rows=flow.rows[::-1])) == plan(flow)


@every_flow
def test_the_happy_path_is_joined_by_lines(flow: Flow) -> None:
    """From the first state to the end there is an unbroken line, whatever is shared."""
    drawn = plan(flow)
    joined = {(arrow.source, arrow.dests[0]) for arrow in drawn.lines}

    assert set(pairwise(happy_path(flow))) <= joined
    assert drawn.path[0] is State.VERIFYING_IDENTITY
    assert drawn.path[-1] is State.ENDED


def test_ids_are_known_words() -> None:
    """The ids other pages rely on."""
    ids = drawn_as(build())

    assert ids["identity_matched@verifying_identity"] == ("edge-verifying_identity-confirming_balance-program")
    assert ids["complete_payment_processing@ready_to_complete"] == "edge-ready_to_complete-processing_payment-model"
    assert ids["human_agent_handoff@card_number_entry"] == "edge-shared-model-human_agent_handoff-handing_off"


@pytest.mark.parametrize("trigger", ["human_agent_handoff", "silence"])
def test_a_shared_move_is_drawn_once(trigger: str) -> None:
    """Asking for a person, or saying nothing, ends on one card and not in an arrow from every state."""
    drawn = plan(build())
    own = [a for a in (*drawn.lines, *drawn.marked) if trigger in a.triggers and a.source not in drawn.path[-2:]]
    shared = [card for card in drawn.cards if any(trigger in triggers for triggers, _ in card.moves)]

    assert {arrow.source for arrow in own} <= {State.READY_TO_COMPLETE}  # there silence cancels
    assert len(shared) == 1
    assert len(shared[0].sources) > 5


@every_flow
def test_entry_states_share_a_card_all_together_or_not_at_all(flow: Flow) -> None:
    """“Any …_entry” is readable; two of three fields are not."""
    entries = {field.entry for field in flow.profile.fields}
    sources = [set(card.sources) for card in plan(flow).cards]

    assert entries in sources
    assert not [some for some in sources if some < entries]


@every_flow
def test_no_line_crosses_the_page_to_the_end(flow: Flow) -> None:
    """Only the last state before `ended` is joined to it; the others have markers or a card."""
    drawn = plan(flow)

    assert {arrow.source for arrow in drawn.lines if State.ENDED in arrow.dests} == {drawn.path[-2]}
