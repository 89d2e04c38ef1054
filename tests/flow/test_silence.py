"""No state leaves the caller in silence for longer than it may, whatever fails to come."""

from __future__ import annotations

import pytest
from silence import ALL_OF_IT, FIRST, TABLE, Silence, rows, text

from payagent.flow.limits import Limits
from payagent.flow.states import FIELDS, FINAL, State

LIMITS = Limits()
ENTRY = {field.entry for field in FIELDS.values()}
DUE = {field.due for field in FIELDS.values()}
LONGEST = {
    State.STARTING_PAYMENT: LIMITS.start_seconds,
    State.PROCESSING_PAYMENT: LIMITS.still_working_seconds,
    State.CANCELLING_PAYMENT: LIMITS.cancel_seconds,
    State.PAYMENT_OUTCOME_UNKNOWN: LIMITS.due_seconds,
    State.HANDING_OFF: LIMITS.line_lost_seconds,
    **dict.fromkeys(ENTRY, LIMITS.entry_prompt_seconds),
}
"""The longest silence each state allows; of all others the talking states' own."""


def longest(row: Silence) -> float:
    """How long the caller may hear nothing there."""
    if row.missing == ALL_OF_IT:  # the program's own fault: the turn's whole time is waited for
        return LIMITS.turn_seconds + LIMITS.silence_seconds
    if row.state in DUE:
        return LIMITS.due_seconds + (8 if row.missing == FIRST else 0)
    looking = LIMITS.look_up_seconds if row.missing in ("the bills", "an answer to the look-up") else 0
    return LONGEST.get(row.state, LIMITS.silence_seconds + looking)


@pytest.fixture(scope="module")
def silences() -> list[Silence]:
    return rows()


@pytest.mark.promise(6)
def test_no_state_exceeds_its_limit(silences: list[Silence]) -> None:
    """Every state, and everything that can fail to come in it."""
    assert [row for row in silences if row.seconds > longest(row)] == []


@pytest.mark.promise(6)
def test_every_silence_ends(silences: list[Silence]) -> None:
    """With a sentence, a prompt, or the end of the call."""
    assert [row for row in silences if row.then == "nothing"] == []


@pytest.mark.promise(6)
def test_every_state_but_the_last_is_in_the_table(silences: list[Silence]) -> None:
    """A state that is added has to be added there."""
    assert {row.state for row in silences} == set(State) - FINAL


def test_the_filed_table_is_fresh() -> None:
    """`python tests/flow/silence.py` writes it anew."""
    assert text() == TABLE.read_text()
