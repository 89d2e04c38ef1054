"""What recorded calls have driven: the row that fired and what its guards said; what none has is named."""

from __future__ import annotations

from payagent.flow.states import Pace
from payagent.flow.table import build
from payagent.review.evidence import Proofs
from payagent.review.paths import Paths, missing
from payagent.testing import PracticeCall

FLOWS = [build(pace) for pace in Pace]
ROW = "confirm_balance@confirming_balance"


def test_a_record_drives_its_rows_and_the_answers_of_their_guards() -> None:
    """The second row of the balance is not reached, and the first was never refused."""
    paths = Paths(FLOWS)
    call = PracticeCall(FLOWS[0]).verify().agree()
    paths.add(call.steps, call.flow)
    lines = missing(FLOWS, paths.driven, [])

    assert f"{ROW}: fired" not in lines
    assert f"{ROW}: agrees said yes" not in lines
    assert {f"{ROW}: agrees said no", f"{ROW}#2: fired"} <= set(lines)


def test_what_the_walk_proves_impossible_is_not_asked_for() -> None:
    """In every table that has the row; in one of two it still is."""
    never = (f"{ROW}: heard_since",)
    proofs = [Proofs(f"{pace}.card", 0, 0, (), "", never) for pace in Pace]
    wanted = f"{ROW}: heard_since said no"

    assert wanted in missing(FLOWS, {}, [])
    assert wanted in missing(FLOWS, {}, proofs[:1])
    assert wanted not in missing(FLOWS, {}, proofs)
