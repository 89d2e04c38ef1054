"""A small storm on real sockets against a real server process that is killed in the middle of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from payagent.lab.storm import FAMILIES
from payagent.storm.run import Plan, Progress, storm
from payagent.storm.telling import lines


@pytest.mark.promise(2, 6, 8)
async def test_after_a_storm_the_books_agree(tmp_path: Path) -> None:
    """Every fault there is, a `kill -9`, and not one difference; something was charged, and something went wrong."""
    progress = Progress(20)
    plan = Plan(calls=20, seed=4, kills=1, scale=0.08, calls_a_second=8)
    report = await storm(plan, tmp_path, progress)

    # a busy machine is silent too: how long nothing was heard is for a storm that has the machine for itself
    broken = [difference for difference in report.differences if "of silence" not in difference.what]
    assert broken == [], "\n".join(lines(report, "payagent"))
    assert (progress.begun, progress.over, progress.kills) == (20, 20, 1)
    assert report.ends.total() == 20
    assert report.charged > 0
    assert report.injected.total() > 20
    assert set(FAMILIES) == set(plan.families)
