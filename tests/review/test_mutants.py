"""Slips in the tables: each is one change, and a sample of them is noticed in every run (`make mutants` makes all)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mutation
import pytest

from payagent.flow.check import check
from payagent.flow.states import Pace, State
from payagent.flow.table import build
from payagent.review.mutants import CHECK, KINDS, OPEN_TOOL, SWAP_PARTY, WALK, noticed, slips, written
from payagent.review.rewalk import Charted, chart

FLOW = build(Pace.AUTOMATIC)
ALL = [slip for _, slip in slips([FLOW])]


@pytest.fixture(scope="module")
def charted() -> Charted:
    return chart(FLOW)


def test_every_kind_of_slip_is_made_once() -> None:
    """In every row as it was written, and of every guard and effect of it."""
    rows = {written(row): row for row in FLOW.rows}
    count = Counter(slip.kind for slip in ALL)

    assert set(count) == set(KINDS)
    assert count["drop row"] == count["swap party"] == len(rows)
    assert count["drop guard"] == sum(len(row.guards) for row in rows.values())
    assert count["drop effect"] == count["duplicate effect"] == sum(len(row.effects) for row in rows.values())


def test_a_slip_changes_the_rows_it_names_and_no_others() -> None:
    """In all the states a row was written for."""
    for slip in ALL[::7]:
        changed = slip.made_in(FLOW)
        kept = {row for row in FLOW.rows if written(row) != slip.written}

        assert changed.rows != FLOW.rows, slip.name
        if slip.kind not in (OPEN_TOOL, "drop row"):
            assert kept <= set(changed.rows), slip.name


def test_slips_of_several_tables_are_made_once() -> None:
    """In the first that has the row; the others add only what is theirs."""
    both = list(slips([FLOW, build(Pace.MODEL)]))
    added = {slip.at for table, slip in both if table == 1}

    assert [slip.name for table, slip in both if table == 0] == [slip.name for slip in ALL]
    assert "complete_payment_processing@ready_to_complete" in added
    assert "start_payment@choosing_amount" not in added


def test_a_row_of_the_wrong_party_is_not_well_formed() -> None:
    """The table check notices every one."""
    assert [slip.name for slip in ALL if slip.kind == SWAP_PARTY and not check(slip.made_in(FLOW))] == []


def test_a_tool_opened_where_none_may_be_is_noticed(charted: Charted) -> None:
    """Each tool, where a charge is under way, unknown, or the call is over."""
    quiet = (State.PROCESSING_PAYMENT, State.PAYMENT_OUTCOME_UNKNOWN, State.ENDED)
    sample = [slip for slip in ALL if slip.kind == OPEN_TOOL and slip.instead in quiet]

    assert len(sample) > 20
    assert [slip.name for slip in sample if noticed(charted, slip)[0] not in (CHECK, WALK)] == []


@pytest.mark.parametrize(
    ("kind", "at", "what"),
    [
        ("drop guard", "start_payment@choosing_amount", "amount_fits"),
        ("drop guard", "start_payment@choosing_amount", "heard_since"),
        ("drop guard", "payment_failed@processing_payment", "is_decline"),
        ("drop effect", "payment_succeeded@processing_payment", "credit the bill, once"),
        ("duplicate effect", "payment_succeeded@processing_payment", "credit the bill, once"),
        ("drop row", "session_refused@card_number_entry", ""),
    ],
)
def test_a_slip_about_the_money_is_noticed(charted: Charted, kind: str, at: str, what: str) -> None:
    """By the walk alone."""
    (slip,) = [one for one in ALL if (one.kind, one.at, one.what) == (kind, at, what)]

    assert noticed(charted, slip)[0] == WALK


def test_the_figures_on_file_are_of_the_tables_that_run() -> None:
    """A table that changed has its slips made anew."""
    on_file = mutation.FIGURES.read_text("utf-8")

    assert mutation.tables() in on_file, "the figures of the slips are of other tables; run: make mutants"


def test_a_slip_left_needs_a_reason_and_a_reason_a_slip() -> None:
    """The first pattern that matches explains it; what explains nothing is named."""
    known = {"drop guard: *": "Others stand behind it.", "swap party: *": "No more."}
    why, idle = mutation.explained(["drop guard: a@b: c", "drop row: a@b"], known)

    assert why == {"drop guard: a@b: c": "Others stand behind it.", "drop row: a@b": ""}
    assert idle == ["swap party: *"]


def test_no_reason_explains_what_makes_a_difference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test is missing, whatever is said of it; the exit status tells."""
    monkeypatch.setattr(mutation, "FIGURES", tmp_path / "mutants.md")
    monkeypatch.setattr(mutation, "REASONS", tmp_path / "mutants.toml")
    mutation.REASONS.write_text('"*" = "Because."')
    same, other = (mutation.Verdict("automatic.card", slip, "", "", alike=slip is ALL[0]) for slip in ALL[:2])

    assert mutation.file([same], 1, 60) == 0
    assert mutation.file([same, other], 1, 60) == 1
    assert f"**Not explained yet.**\n\n- {other.name}" in mutation.FIGURES.read_text()
