"""Makes every slip of `payagent.review.mutants` in turn, and files what noticed it: `make mutants`.

The walk judges first. What it does not notice is put to the table tests (`tests/flow`): a process of its own, in which
`build` gives the table with the slip, runs those that try a row of the slip's state and trigger, until one fails. The
figures go to `fsm_diagrams/mutants.md`, each verdict to `mutants.txt` beside it. A slip that nothing notices has to be
explained in `mutants.toml`, by a pattern; if one is not, or a pattern explains nothing, the exit status is 1.
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from payagent.flow import call, machine, table
from payagent.flow.rows import Flow
from payagent.flow.states import Pace, Profile, State
from payagent.review.mutants import CHECK, KINDS, TESTS, WALK, Slip, noticed, slips
from payagent.review.rewalk import chart

ROOT = Path(__file__).parents[1]
FIGURES, VERDICTS, REASONS = (ROOT / "fsm_diagrams" / f"mutants.{end}" for end in ("md", "txt", "toml"))
FLOWS = [table.build(pace, profile) for profile in Profile for pace in (Pace.AUTOMATIC, Pace.MODEL)]
"""The smaller tables first: a slip is walked in the first one that has its rows."""

ALWAYS = "tests/flow/test_table.py"
"""What reads the table without driving it."""

QUIET = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "--no-header", "--tb=no"]

Key = tuple[State, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What noticed a slip ("" for nothing), and what that says."""

    slip: Slip
    by: str
    says: str


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="*", help="slips whose name matches this pattern; files nothing")
    parser.add_argument("--every", type=int, default=1, help="only every n-th of them; files nothing")
    options = parser.parse_args()
    began = time.monotonic()
    every = [pair for pair in slips(FLOWS) if fnmatch.fnmatch(pair[1].name, options.only)][:: options.every]
    verdicts = put_to_the_tests(walked(every))
    if (options.only, options.every) == ("*", 1):
        return file(verdicts, time.monotonic() - began)
    for verdict in verdicts:
        print(f"{verdict.by or 'NOTHING':<12} {verdict.slip.name}  ({verdict.says})")
    return 0


# The walk


def walked(every: list[tuple[int, Slip]]) -> list[Verdict]:
    """Each slip judged by the table check and the walk."""
    tell(f"{len(every)} slips; the tables are walked")
    for n in {n for n, _ in every}:
        _charts[n] = chart(FLOWS[n])
    with multiprocessing.get_context("fork").Pool() as pool:
        verdicts = []
        for verdict in progress(pool.imap(_walk, every, chunksize=8), len(every), "walked"):
            verdicts.append(verdict)
    return verdicts


_charts: dict[int, Any] = {}


def _walk(numbered: tuple[int, Slip]) -> Verdict:
    n, slip = numbered
    return Verdict(slip, *noticed(_charts[n], slip))


# The table tests


def put_to_the_tests(verdicts: list[Verdict]) -> list[Verdict]:
    """The same with what the table tests notice of the slips left."""
    left = [verdict.slip for verdict in verdicts if not verdict.by]
    _tries.update(tries_of_the_tests())
    with multiprocessing.get_context("fork").Pool() as pool:
        judged = dict(progress(pool.imap(_test, left, chunksize=1), len(left), "tested"))
    return [Verdict(v.slip, TESTS, judged[v.slip.name]) if judged.get(v.slip.name) else v for v in verdicts]


_tries: dict[Key, list[str]] = {}
"""The tests that try a state and trigger, those first that try the fewest others."""


class Tries:
    """A pytest plugin: which test tries which state and trigger."""

    def __init__(self) -> None:
        self.of: dict[str, set[Key]] = {}
        self._now: set[Key] = set()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._now = self.of.setdefault(item.nodeid, set())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.of.pop(report.nodeid, None)

    def watch(self) -> None:
        fire, decide = machine.Engine.fire, call.Call.decide

        def watched_fire(engine: Any, trigger: str, view: Any) -> Any:
            self._now.add((view.state, trigger))
            return fire(engine, trigger, view)

        def watched_decide(one: Any, event: Any, at: Any) -> Any:
            self._now.add((one.state, one.trigger_of(event)))
            return decide(one, event, at)

        machine.Engine.fire = watched_fire  # type: ignore[method-assign]
        call.Call.decide = watched_decide  # type: ignore[method-assign]


def tries_of_the_tests() -> dict[Key, list[str]]:
    """Run the table tests on the table as it is, and see what they try."""
    tell("the table tests are run once on the table as it is")
    tries = Tries()

    def run() -> int:
        tries.watch()
        status = pytest.main([*QUIET, "--maxfail=1000", "tests/flow"], plugins=[tries])
        lines = [f"{test}\t{state}\t{trigger}" for test, keys in tries.of.items() for state, trigger in keys]
        out.write_text("\n".join(lines))
        return int(status)

    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "tries"
        if in_a_child(run):
            tell("some table tests fail on the table as it is; they are left out")
        found: dict[Key, list[str]] = {}
        triples = [line.split("\t") for line in out.read_text().splitlines()]
    count = Counter(test for test, _, _ in triples)
    for test, state, trigger in sorted(triples, key=lambda triple: count[triple[0]]):
        found.setdefault((State(state), trigger), []).append(test)
    return found


def _test(slip: Slip) -> tuple[str, str]:
    """The slip's name, and the test that fails on it, or ""."""
    rows = [row for flow in FLOWS for row in slip.made_in(flow).rows if row not in _known]
    gone = [row for flow in FLOWS for row in set(flow.rows) - set(slip.made_in(flow).rows)]
    keys = dict.fromkeys((row.source, row.trigger) for row in [*rows, *gone])
    tests = dict.fromkeys([ALWAYS, *itertools.chain.from_iterable(_tries.get(key, ()) for key in keys)])
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "failed"
        in_a_child(lambda: _run(slip, list(tests), out))
        return slip.name, out.read_text() if out.exists() else ""


_known = {row for flow in FLOWS for row in flow.rows}


class Failed:
    """A pytest plugin: writes down the first test that fails."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._out.write_text(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._out.write_text(f"{report.nodeid} cannot be read")


def _run(slip: Slip, tests: list[str], out: Path) -> int:
    build = table.build

    def with_slip(*arguments: Any, **options: Any) -> Flow:
        return slip.made_in(build(*arguments, **options))

    for module in list(sys.modules.values()):
        if getattr(module, "build", None) is build:
            module.build = with_slip  # type: ignore[attr-defined]
    return int(pytest.main([*QUIET, *tests], plugins=[Failed(out)]))


def in_a_child(run: Any) -> int:
    """Run this in a process of its own, silently; its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.chdir(ROOT)
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            status = run()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# What is filed


def file(verdicts: list[Verdict], seconds: float) -> int:
    """Write verdicts and figures; 1 if a slip is left unexplained, or an explanation explains nothing."""
    reasons = tomllib.loads(REASONS.read_text("utf-8")) if REASONS.exists() else {}
    left = [verdict.slip.name for verdict in verdicts if not verdict.by]
    why = {name: next((r for pattern, r in reasons.items() if fnmatch.fnmatch(name, pattern)), "") for name in left}
    VERDICTS.write_text("".join(f"{v.by or 'explained'}\t{v.slip.name}\t{v.says}\n" for v in verdicts), "utf-8")
    FIGURES.write_text("\n".join([*figures(verdicts, seconds), *explained(why), ""]), "utf-8")
    unexplained = [name for name, reason in why.items() if not reason]
    idle = [p for p in reasons if not any(fnmatch.fnmatch(name, p) for name in left)]
    for name in unexplained:
        print(f"unnoticed and unexplained: {name}")
    for pattern in idle:
        print(f"explains nothing: {pattern}")
    return 1 if unexplained or idle else 0


def figures(verdicts: list[Verdict], seconds: float) -> Iterator[str]:
    yield from ["# Slips in the tables, and what notices them", ""]
    yield "Written by `make mutants`: every row as it was written, with one slip at a time (`payagent.review.mutants`)."
    yield f"It took {seconds / 60:.0f} minutes with {os.cpu_count()} processors. Of tables "
    yield ", ".join(f"`{flow.pace}.{flow.profile}` `{flow.version}`" for flow in FLOWS) + "."
    yield from ["", "| slip | made | table check | walk | table tests | explained |", "|---|---:|---:|---:|---:|---:|"]
    count = Counter((verdict.slip.kind, verdict.by) for verdict in verdicts)
    total = Counter(verdict.by for verdict in verdicts)
    for kind in KINDS:
        yield _line(kind, [count[kind, by] for by in (CHECK, WALK, TESTS, "")])
    yield _line("all", [total[by] for by in (CHECK, WALK, TESTS, "")])


def _line(name: str, counts: list[int]) -> str:
    return f"| {name} | {sum(counts)} | " + " | ".join(map(str, counts)) + " |"


def explained(why: dict[str, str]) -> Iterator[str]:
    yield from ["", "## Noticed by nothing, and why that is right", ""]
    for reason in dict.fromkeys(why.values()):
        yield from [f"{reason or '**Not explained.**'}", ""]
        yield from [*(f"- {name}" for name, one in why.items() if one == reason), ""]


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def progress(results: Iterator[Any], total: int, done: str) -> Iterator[Any]:
    """Tell on stderr how far it is, at each tenth."""
    began = time.monotonic()
    for n, result in enumerate(results, start=1):
        yield result
        if n * 10 // total > (n - 1) * 10 // total:
            tell(f"{done} {n} of {total} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
