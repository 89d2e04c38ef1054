"""The table itself: well formed in every pace and profile, and its tools where the design puts them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from payagent.errors import TableError
from payagent.flow import guards as g
from payagent.flow import orders as o
from payagent.flow import table
from payagent.flow.builder import Builder
from payagent.flow.check import check
from payagent.flow.rows import Row
from payagent.flow.states import FIELDS, FINAL, Pace, Party, Profile, State
from payagent.flow.table import Flow, build

S = State
ALL = [(pace, profile) for profile in Profile for pace in Pace]

TALK = {"human_agent_handoff", "switch_language"}
CAPTURE = {"capture_payment_card_number", "capture_expiration_date", "capture_security_code"}
CANCEL = {"cancel_payment_processing"}

TOOLS_OF: dict[State, set[str]] = {
    S.VERIFYING_IDENTITY: TALK | {"verify_user"},
    S.CONFIRMING_BALANCE: TALK | {"check_pending_bill", "confirm_balance", "end_call"},
    S.CHOOSING_AMOUNT: TALK | {"check_pending_bill", "check_payment_options", "start_payment", "end_call"},
    S.STARTING_PAYMENT: TALK | CANCEL,
    S.CARD_NUMBER_DUE: TALK | CANCEL | {"capture_payment_card_number"},
    S.CARD_NUMBER_ENTRY: TALK | CANCEL | {"capture_payment_card_number"},
    S.EXPIRATION_DATE_DUE: TALK | CANCEL | {"capture_expiration_date"},
    S.EXPIRATION_DATE_ENTRY: TALK | CANCEL | {"capture_expiration_date"},
    S.SECURITY_CODE_DUE: TALK | CANCEL | {"capture_security_code"},
    S.SECURITY_CODE_ENTRY: TALK | CANCEL | {"capture_security_code"},
    S.POSTAL_CODE_DUE: TALK | CANCEL | {"capture_postal_code"},
    S.POSTAL_CODE_ENTRY: TALK | CANCEL | {"capture_postal_code"},
    S.READY_TO_COMPLETE: TALK | CANCEL | CAPTURE | {"complete_payment_processing"},
    S.PROCESSING_PAYMENT: set(),
    S.PAYMENT_COMPLETED: TALK | {"check_pending_bill", "end_call"},
    S.PAYMENT_DECLINED: TALK | CANCEL | {"start_payment", "end_call"},
    S.CANCELLING_PAYMENT: set(),
    S.PAYMENT_CANCELLED: TALK | {"check_payment_options", "start_payment", "end_call"},
    S.PAYMENT_OUTCOME_UNKNOWN: set(),
    S.HANDING_OFF: set(),
    S.ENDED: set(),
}
"""The table of the design, section 3, for the default profile."""


@pytest.fixture(params=ALL, ids=lambda p: f"{p[0]}-{p[1]}")
def flow(request: pytest.FixtureRequest) -> Flow:
    pace, profile = request.param
    return build(pace, profile)


def test_each_table_is_well_formed(flow: Flow) -> None:
    """Nothing the state machine would trip over when it fires."""
    assert check(flow) == []


@pytest.mark.promise(1)
def test_the_tools_of_each_state_are_those_of_the_design(flow: Flow) -> None:
    """A tool more would let the model do what it must not; a tool less would leave the caller stuck."""
    wanted = dict(TOOLS_OF)
    if flow.profile is Profile.CARD_POSTAL_CODE:
        wanted[S.READY_TO_COMPLETE] = wanted[S.READY_TO_COMPLETE] | {"capture_postal_code"}

    assert {state: set(tools) for state, tools in flow.tools.items()} == {s: wanted[s] for s in flow.states}


def test_each_state_of_a_table_can_be_reached_by_a_row(flow: Flow) -> None:
    """But for the first one, each is somebody's destination."""
    reached = {row.dest for row in flow.rows} | {S.VERIFYING_IDENTITY}

    assert reached - {None} == set(flow.states)


def test_in_automatic_pace_nothing_is_due_and_no_go_ahead_is_asked_for() -> None:
    """The callbacks' own rows order the captures and the charge."""
    for profile in Profile:
        states = set(build(Pace.AUTOMATIC, profile).states)

        assert states & {S.READY_TO_COMPLETE, *(f.due for f in FIELDS.values())} == set()
        assert {f.entry for f in profile.fields} <= states


def test_a_profile_without_postal_code_does_not_know_its_states() -> None:
    """The states of another profile's fields are no places of this call."""
    assert S.POSTAL_CODE_DUE not in build().states
    assert S.POSTAL_CODE_ENTRY not in build().states


def test_each_row_says_why(flow: Flow) -> None:
    """One sentence for the reviewer."""
    assert [
        row.id for row in flow.rows if not (row.why[:1].isupper() or row.why[:1] == "“") or row.why[-1] != "."
    ] == []


def test_each_row_has_an_id_of_its_own(flow: Flow) -> None:
    """The record names rows by their ids."""
    assert len({row.id for row in flow.rows}) == len(flow.rows)


def test_the_versions_of_the_tables_differ() -> None:
    """A step names the table that decided it."""
    assert len({build(pace, profile).version for pace, profile in ALL}) == len(ALL)


def test_a_table_built_again_has_the_same_version() -> None:
    """Limits are settings, not part of the table."""
    assert build().version == build(limits=build().limits.scaled(0.1)).version


@pytest.mark.parametrize(
    "change",
    [{"dest": S.ENDED}, {"guards": ()}, {"effects": ()}, {"party": Party.CLOCK}],
    ids=lambda change: next(iter(change)),
)
def test_the_version_changes_with_whatever_a_row_says(change: dict[str, Any]) -> None:
    """A destination, a guard, an effect, a party: none can change under a signature."""
    flow = build()
    nth = next(n for n, row in enumerate(flow.rows) if row.id == "start_payment@choosing_amount")
    rows = (*flow.rows[:nth], replace(flow.rows[nth], **change), *flow.rows[nth + 1 :])

    assert replace(flow, rows=rows).version != flow.version


@pytest.mark.promise(2)
def test_only_these_rows_lead_to_a_charge() -> None:
    """In model pace the one tool, in automatic pace the last field; with every condition on the row itself."""

    def charging(flow: Flow) -> list[Row]:
        return [row for row in flow.rows if o.complete in row.effects]

    def guards(row: Row) -> set[str]:
        return {guard.name for guard in row.guards}

    assert [row.id for row in charging(build())] == ["complete_payment_processing@ready_to_complete"]
    assert {row.trigger for row in charging(build(Pace.AUTOMATIC))} == {"field_captured"}
    for pace, profile in ALL:
        for row in charging(build(pace, profile)):
            assert {"every_field_captured", "amount_agreed", "bill_held", "not_completing"} <= guards(row)


def test_the_orders_that_touch_money_stand_where_the_theory_of_operation_says(flow: Flow) -> None:
    """Held behind `start_payment`, opened behind the hold's answer, credited behind a success or a person's word."""
    causes: dict[object, set[str]] = {}
    for row in flow.rows:
        for effect in row.effects:
            causes.setdefault(effect, set()).add(row.trigger)

    assert causes[o.hold_bill] == {"start_payment"}
    assert causes[o.open_pay] == {"bill_held"}
    assert causes[o.credit_bill] == {"payment_succeeded", "outcome_resolved"}
    assert causes[o.credit_earlier] == {"earlier_payment_succeeded"}


def test_each_start_of_a_payment_says_all_its_conditions() -> None:
    """Whatever the way to the state implies, the row itself says it."""
    for row in build().rows:
        if row.trigger == "start_payment":
            assert set(row.guards) == {
                g.identified,
                g.balance_told,
                g.balance_confirmed,
                g.heard_since,
                g.no_session_open,
                g.amount_fits,
            }


def test_nobody_leaves_the_last_state(flow: Flow) -> None:
    """Late results are still recorded there, in place."""
    assert [row.id for row in flow.rows if row.source in FINAL and row.dest] == []
    assert any(row.source in FINAL for row in flow.rows)


def with_row(flow: Flow, row: Row) -> Flow:
    """The flow with one more row."""
    return replace(flow, rows=(*flow.rows, row))


def row(trigger: str, source: State, dest: State | None, party: Party) -> Row:
    return Row(trigger, source, dest, party, (), (), "For this test.")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (row("mark_as_paid", S.CHOOSING_AMOUNT, None, Party.MODEL), "nothing is called mark_as_paid"),
        (row("verify_user", S.CHOOSING_AMOUNT, None, Party.CLOCK), "clock cannot cause it"),
        (row("silence", S.PROCESSING_PAYMENT, None, Party.MODEL), "model cannot cause it"),
        (row("caller_spoke", S.POSTAL_CODE_DUE, None, Party.LINE), "postal_code_due is not a state of this table"),
        (row("verify_user", S.CHOOSING_AMOUNT, S.POSTAL_CODE_DUE, Party.MODEL), "is not a state of this table"),
        (row("caller_spoke", S.ENDED, S.CHOOSING_AMOUNT, Party.LINE), "a final state is never left"),
        (row("end_call", S.CHOOSING_AMOUNT, None, Party.MODEL), "stands behind end_call@choosing_amount"),
        (row("end_call", S.CHOOSING_AMOUNT, None, Party.MODEL), "2 rows have this id"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(wrong: Row, words: str) -> None:
    """`transitions` would find out only when the row fires, or never."""
    problems = check(with_row(build(), wrong))

    assert any(words in problem for problem in problems), problems


def test_a_table_that_is_not_well_formed_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start-up, with every problem named."""

    def misspelt(builder: Builder) -> None:
        builder.add("verify_usr", S.VERIFYING_IDENTITY, None, Party.MODEL, why="A slip.")

    monkeypatch.setattr(table, "_PARTS", (*table._PARTS, misspelt))

    with pytest.raises(TableError, match="nothing is called verify_usr"):
        build()
