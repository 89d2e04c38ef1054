"""What a storm's report says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from payagent.storm.books import Difference
from payagent.storm.run import Plan, Report
from payagent.storm.telling import MOST_TOLD, TOO_SLOW, lines

REPORT = Report(
    plan=Plan(calls=3, seed=7),
    database="sqlite:////tmp/storm.db",
    seconds=12.4,
    ends=Counter({"hung_up_by_app": 2, "queue": 1}),
    injected=Counter({"callback twice": 4, "REST 503": 1}),
    outcomes=Counter({"paid": 2, "none": 1}),
    charged=2,
    silence=11.26,
    silence_after="One moment, please.",
    silence_call="CA1",
    lag=0.04,
    differences=(),
)


def test_a_report_names_everything() -> None:
    """Calls, faults by kind, payments, the longest silence and how to trace it."""
    told = "\n".join(lines(REPORT, "payagent"))

    assert "3 calls in 12 s (seed 7" in told
    assert "2 hung up by app, 1 queue" in told
    assert "5 in all" in told
    assert "    4  callback twice" in told
    assert "2 paid, 1 not charged" in told
    assert "11.3 s of 30 s, after “One moment, please.”" in told
    assert "payagent trace CA1 --database sqlite:////tmp/storm.db" in told
    assert "up to 0.0 s late\n" in told
    assert "differences    0" in told


def test_a_machine_that_was_too_slow_is_named() -> None:
    """What it did to the waits is not the program's fault."""
    assert TOO_SLOW in "\n".join(lines(replace(REPORT, lag=2.0), "payagent"))


def test_each_difference_has_its_command() -> None:
    """As many as one can read, and the number of the rest."""
    many = tuple(Difference(f"odd {n}", f"CA{n}") for n in range(MOST_TOLD + 2))
    told = list(lines(replace(REPORT, differences=many, injected=Counter(), silence_call=""), "payagent"))

    assert "  faults         none" in told
    assert told[-1] == "    … and 2 more"
    assert f"      payagent trace CA{MOST_TOLD - 1} --database sqlite:////tmp/storm.db" in told
