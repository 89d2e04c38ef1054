"""`payagent storm`: what it refuses in words, what it prints, and its exit status."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from payagent.cli import main
from payagent.lab.storm import FAMILIES
from payagent.storm import run
from payagent.storm.books import Difference
from payagent.storm.server import ServerFailed


def of(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["storm", *command])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--faults", "callbacks,weather"], "--faults: there is no weather; there are: all, none, callbacks, rest"),
        (["--pace", "slow"], "--pace is model or automatic"),
        (["--workers", "2"], "--workers: several workers need PostgreSQL"),
        (["--workers", "2", "--database", "sqlite:///s.db"], "--workers: several workers need PostgreSQL"),
    ],
)
def test_what_it_cannot_do_it_says(options: list[str], said: str) -> None:
    """Before anything is started."""
    status, output = of(*options)

    assert status == 2
    assert said in output


class Storms:
    """Stands in for the storm itself; `plans` were asked for."""

    def __init__(self, *differences: Difference, error: Exception | None = None) -> None:
        self.plans: list[run.Plan] = []
        self.directories: list[Path] = []
        self._differences = differences
        self._error = error

    async def __call__(self, plan: run.Plan, directory: Path, progress: run.Progress) -> run.Report:
        self.plans.append(plan)
        self.directories.append(directory)
        progress.begun, progress.over, progress.kills = 2, 1, 1
        if self._error:
            raise self._error
        ends, none = Counter({"queue": plan.calls}), Counter[str]()
        return run.Report(
            plan, "sqlite:///s.db", 1.0, ends, none, none, 0, 0.5, "Hello.", "CA1", 0.0, self._differences
        )


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_books_that_agree_are_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is the one asked for, and the server runs in a folder of the lab."""
    monkeypatch.setattr(run, "storm", storms := Storms())
    status, output = of("--calls", "100", "--faults", "rest,model", "--kill", "--seed", "9", "--pace", "automatic")

    assert (status, storms.directories) == (0, [tmp_path / ".lab" / "storm"])
    assert storms.plans == [
        run.Plan(calls=100, seed=9, families=("rest", "model"), kills=3, scale=0.2, pace="automatic")
    ]
    assert "100 calls" in output
    assert "The books agree." in output


@pytest.mark.parametrize(("faults", "families"), [("all", FAMILIES), ("none", ())])
def test_all_and_none(faults: str, families: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--kill` the server lives."""
    monkeypatch.setattr(run, "storm", storms := Storms())

    assert of("--faults", faults)[0] == 0
    assert (storms.plans[0].families, storms.plans[0].kills) == (families, 0)


def test_a_difference_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, and the call to look at."""
    monkeypatch.setattr(run, "storm", Storms(Difference("600.00 was charged twice", "CA7")))
    status, output = of()

    assert status == 1
    assert "600.00 was charged twice" in output
    assert "trace CA7 --database sqlite:///s.db" in output
    assert "do NOT agree" in output


@pytest.mark.parametrize("error", [ServerFailed("the server did not start"), ValueError("there are 675 people")])
def test_a_storm_that_cannot_be_had_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, with status 1."""
    monkeypatch.setattr(run, "storm", Storms(error=error))

    status, output = of()

    assert (status, output.strip()) == (1, str(error))
