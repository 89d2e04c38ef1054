"""What is drawn for a storm: the same seed, the same people and faults; a family left out does nothing."""

from __future__ import annotations

import random

import pytest

from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.model import MISCHIEF
from payagent.lab.observer import Unwatched
from payagent.lab.storm import FAMILIES, Holder, circumstances, mischief, person

ADA = Holder("Ada Payer", "May 1, 1990")


def test_the_same_seed_draws_the_same() -> None:
    """People, faults and dialects."""

    def drawn(seed: int) -> str:
        dice = random.Random(seed)
        who, here = person(ADA, "+1", dice, FAMILIES), circumstances(dice, FAMILIES, Unwatched())
        return repr((who, here.faults, here.dialect))

    assert drawn(5) == drawn(5)
    assert len({drawn(seed) for seed in range(20)}) == 20


def test_without_families_all_is_plain() -> None:
    """Nobody has a whim, and nothing goes wrong."""
    dice = random.Random(1)
    for _ in range(50):
        who, here = person(ADA, "+1", dice, ()), circumstances(dice, (), Unwatched())
        assert (who.whims, len(who.cards)) == ((), 1)
        assert here.faults == Faults(chance=0.5)
        assert here.dialect == Dialect()
        assert mischief(dice, ())() == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_brings_something(family: str) -> None:
    """And nothing of another's."""
    dice = random.Random(1)
    people = [person(ADA, "+1", dice, (family,)) for _ in range(100)]
    here = [circumstances(dice, (family,), Unwatched()) for _ in range(100)]
    deeds = {whim.deed for who in people for whim in who.whims}
    seen = {
        "callbacks": any(c.faults != Faults(chance=0.5) and not c.faults.rest_error for c in here),
        "rest": any(c.faults.rest_error for c in here),
        "model": any(mischief(dice, (family,))() for _ in range(100)),
        "line": bool(deeds & {"hang_up", "drop_line"}),
        "people": bool(deeds & {"cancel", "person", "star"}),
        "cards": any(len(who.cards) > 1 for who in people),
        "dialect": any(c.dialect != Dialect() for c in here),
    }

    assert [name for name, there in seen.items() if there] == [family]


def test_every_mischief_of_the_model_is_drawn() -> None:
    """One in ten requests meets one."""
    draw = mischief(random.Random(1), FAMILIES)
    drawn = [draw() for _ in range(2000)]

    assert set(drawn) == {"", *MISCHIEF}
    assert 100 < len([each for each in drawn if each]) < 300
