"""Makes every slip of `payagent.review.mutants` in turn, and files what noticed it: `make mutants`.

The table check and the walk judge first, for they are cheap. What they do not notice is put to the table tests
(`tests/flow`): these are collected and run once, to see which state and trigger each one tries; then, for each slip, a
fork makes it in every table that the tests hold, and runs them until one fails: those first that try a row of it, then
all others, since a test may also read the table or share what another one has set up. The figures go to
`fsm_diagrams/mutants.md`.

A slip that nothing notices has to be explained in `tests/mutants.toml`: why the row says what makes no difference. If
it makes one in any situation that the walk reaches, a test is missing, and no explanation helps. The exit status is 1
if a slip is left unexplained, or an explanation explains nothing.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
import itertools
import multiprocessing
import os
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol

from payagent.flow import call, machine, table
from payagent.flow.rows import Flow
from payagent.flow.states import Pace, Profile, State
from payagent.review.mutants import CHECK, KINDS, OPEN_TOOL, TESTS, WALK, Slip, noticed, slips
from payagent.review.rewalk import Charted, chart, decides_alike

ROOT = Path(__file__).parents[1]
FIGURES, REASONS = ROOT / "fsm_diagrams" / "mutants.md", ROOT / "tests" / "mutants.toml"
FLOWS = [table.build(pace, profile) for profile in Profile for pace in (Pace.AUTOMATIC, Pace.MODEL)]
"""The smaller tables first: a slip is walked in the first one that has its rows."""

ALWAYS = "tests/flow/test_table.py"
"""What reads the table without driving it."""

ENDLESS = 10
"""Seconds of work after which a test is taken to go round in circles."""

QUIET = ["-q", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "--no-header", "--no-summary"]

Key = tuple[State, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What noticed a slip ("" for nothing), and what that says; `alike`: it makes no difference in any situation.

    `table` is the first that has its rows.
    """

    table: str
    slip: Slip
    by: str
    says: str
    alike: bool = False

    @property
    def name(self) -> str:
        """The slip in one line, with its table: rows of one id may differ from table to table."""
        return f"{self.slip.name} ({self.table})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="*", help="slips whose name matches this pattern; files nothing")
    parser.add_argument("--every", type=int, default=1, help="a sample: only every n-th of them")
    options = parser.parse_args()
    began = time.monotonic()
    every = [pair for pair in slips(FLOWS) if fnmatch.fnmatch(pair[1].name, options.only)][:: options.every]
    verdicts = judged(every)
    if options.only == "*":
        return file(verdicts, options.every, time.monotonic() - began)
    for verdict in verdicts:
        print(f"{verdict.by or 'NOTHING':<12} {verdict.name}  ({verdict.says})")
    return 0


def judged(every: list[tuple[int, Slip]]) -> list[Verdict]:
    """Each slip with what noticed it: the table check, the walk or the table tests."""
    tell(f"{len(every)} slips; the tables are walked")
    _charts.extend(chart(flow) for flow in FLOWS)
    bench = Bench(every)
    os.chdir(ROOT)
    if status := pytest.main([*QUIET, "tests/flow"], plugins=[bench]):
        sys.exit(f"the table tests could not be run: {status!r}")
    return bench.verdicts


class Bench:
    """A pytest plugin: the table tests are collected once; a fork for each slip runs those that it can touch."""

    def __init__(self, every: list[tuple[int, Slip]]) -> None:
        self.verdicts: list[Verdict] = []
        self._every = every

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        tell(f"the {len(session.items)} table tests are run once on the table as it is")
        _items.update((item.nodeid, item) for item in session.items)
        _flows.extend(one for one in gc.get_objects() if type(one) is Flow)
        _see_what_the_tests_try()
        gc.freeze()  # so that a fork shares the memory
        with multiprocessing.get_context("fork").Pool() as pool:
            self.verdicts += progress(pool.imap(_judge, self._every), len(self._every))
        return True


_charts: list[Charted] = []
_items: dict[str, pytest.Item] = {}
"""The table tests that hold on the table as it is, in their order."""
_flows: list[Flow] = []
"""Every table that the collected tests hold."""
_tries: dict[Key, list[str]] = {}
"""The tests that try a state and trigger, those first that try the fewest others."""


def _see_what_the_tests_try() -> None:
    """Run the table tests on the table as it is, and see what they try; one that fails is left out."""

    def run() -> str:
        now: set[Key] = set()
        _watch(now)
        _change(replace)  # a table made anew, without a slip: what fails on it would fail on all
        lines = []
        for item, following in in_pairs(list(_items.values())):
            now.clear()
            if failed(item, following):
                lines.append(item.nodeid)
            lines += [f"{item.nodeid}\t{state}\t{trigger}" for state, trigger in now]
        return "\n".join(lines)

    lines = [line.split("\t") for line in in_a_child(run).splitlines()]
    for (test,) in [line for line in lines if len(line) == 1]:
        tell(f"it fails on the table as it is: {test}")
        del _items[test]
    tries = [line for line in lines if len(line) > 1 and line[0] in _items]
    count = Counter(test for test, _, _ in tries)
    for test, state, trigger in sorted(tries, key=lambda one: count[one[0]]):
        _tries.setdefault((State(state), trigger), []).append(test)


def _watch(now: set[Key]) -> None:
    """From here on each state and trigger that is tried, or whose guards decide what is offered, is put into `now`."""
    fire, decide, offered = machine.Engine.fire, call.Call.decide, call.Call.offered

    def watched_fire(engine: Any, trigger: str, view: Any) -> Any:
        now.add((view.state, trigger))
        return fire(engine, trigger, view)

    def watched_decide(one: Any, event: Any, at: Any) -> Any:
        now.add((one.state, one.trigger_of(event)))
        return decide(one, event, at)

    def watched_offered(one: Any, at: Any) -> Any:
        now.update((one.state, name) for name in one.flow.tools[one.state])
        return offered(one, at)

    machine.Engine.fire = watched_fire  # type: ignore[method-assign]
    call.Call.decide = watched_decide  # type: ignore[method-assign]
    call.Call.offered = watched_offered  # type: ignore[method-assign]


def in_pairs(tests: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the one that follows it."""
    return itertools.zip_longest(tests, tests[1:])


def failed(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Whether the test fails, or does not end; what it has set up and the following one needs stays."""
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
    try:
        return any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _endless(*_: object) -> NoReturn:
    raise TimeoutError(f"it has not ended after {ENDLESS} s of work")


def _judge(numbered: tuple[int, Slip]) -> Verdict:
    n, slip = numbered
    by, says = noticed(_charts[n], slip)
    if not by and (test := _failing(slip)):
        by, says = TESTS, test
    for charted in _charts[n + 1 :]:  # it may matter in a larger table only
        by, says = (by, says) if by else noticed(charted, slip)
    table = f"{FLOWS[n].pace}.{FLOWS[n].profile}"
    if by:
        return Verdict(table, slip, by, says)
    alike = all(decides_alike(charted, slip.made_in(charted.flow)) for charted in _charts)
    return Verdict(table, slip, "", "it makes no difference" if alike else "it makes a difference", alike)


def _failing(slip: Slip) -> str:
    """The first test that fails on the slip, or ""."""
    changed = {row for flow in FLOWS for row in set(flow.rows) ^ set(slip.made_in(flow).rows)}
    keys = {(row.source, row.trigger) for row in changed}
    always = [name for name in _items if name.startswith(ALWAYS)]
    trying = [name for names in itertools.zip_longest(*(_tries.get(key, ()) for key in keys)) for name in names if name]
    first, then = (always, trying) if slip.kind == OPEN_TOOL else (trying, always)
    tests = [_items[name] for name in dict.fromkeys([*first, *then, *_items])]

    def run() -> str:
        _change(slip.made_in)
        gc.disable()
        return next((item.nodeid for item, following in in_pairs(tests) if failed(item, following)), "")

    return in_a_child(run)


def _change(change: Callable[[Flow], Flow]) -> None:
    """Change every table that the tests hold or will build."""
    build = table.build

    def changed(*arguments: Any, **options: Any) -> Flow:
        return change(build(*arguments, **options))

    for module in list(sys.modules.values()):
        if getattr(module, "build", None) is build:
            module.build = changed  # type: ignore[attr-defined]
    for flow in _flows:
        rows = change(flow).rows
        for name in ("version", "by_trigger", "by_id", "tools"):  # cached, of the rows as they were
            flow.__dict__.pop(name, None)
        object.__setattr__(flow, "rows", rows)


def in_a_child(run: Callable[[], str]) -> str:
    """What this answers in a process of its own, with nobody to hear what it prints.

    Raises:
        RuntimeError: the process ended before it had an answer.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            signal.signal(signal.SIGVTALRM, _endless)
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                out.write(run())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answer:
        words = answer.read()
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise RuntimeError(f"a process for the tests ended with status {status}")
    return words


# What is filed


def file(verdicts: list[Verdict], nth: int, seconds: float) -> int:
    """Write the figures, of every `nth` slip; 1 if one is left unexplained, or of all an explanation explains none."""
    left = [v.name for v in verdicts if not v.by and v.alike]
    why, idle = explained(left, tomllib.loads(REASONS.read_text("utf-8")))
    why |= {v.name: "" for v in verdicts if not v.by and not v.alike}
    FIGURES.write_text("\n".join([*figures(verdicts, why, nth, seconds), *reasons(why), ""]), "utf-8")
    unexplained = [name for name, reason in why.items() if not reason]
    for name in unexplained:
        print(f"unnoticed and {'unexplained' if name in left else 'it makes a difference'}: {name}")
    idle = idle if nth == 1 else []
    for pattern in idle:
        print(f"explains nothing: {pattern}")
    return 1 if unexplained or idle else 0


def explained(left: list[str], known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Of each slip left the reason that a pattern gives, or ""; and the patterns that none of them matches."""
    why = {name: next((r for pattern, r in known.items() if fnmatch.fnmatchcase(name, pattern)), "") for name in left}
    return why, [pattern for pattern in known if not any(fnmatch.fnmatchcase(name, pattern) for name in left)]


def tables() -> str:
    """The tables that run and their versions, as they stand in the figures."""
    return ", ".join(f"`{flow.pace}.{flow.profile}` `{flow.version}`" for flow in FLOWS)


def figures(verdicts: list[Verdict], why: Mapping[str, str], nth: int, seconds: float) -> Iterator[str]:
    """The page but for its reasons."""
    yield from ["# Slips in the tables, and what notices them", ""]
    yield "Every row as it was written, with one slip at a time (`payagent.review.mutants`)."
    if nth > 1:
        total = sum(1 for _ in slips(FLOWS))
        yield f"**A sample: every {nth}th slip, {len(verdicts)} of {total}; of the others this page says nothing.**"
    command = "make mutants" if nth == 1 else f"python tests/mutation.py --every {nth}"
    yield f"Written on {datetime.now(UTC):%Y-%m-%d} by `{command}`, in {seconds / 60:.1f} minutes with"
    yield f"{os.cpu_count()} processors, of the tables {tables()}."
    yield from ["", "| slip | made | table check | walk | table tests | explained | unexplained |"]
    yield "|---|---:|---:|---:|---:|---:|---:|"
    ends = [(v.slip.kind, v.by or ("explained" if why[v.name] else "unexplained")) for v in verdicts]
    for kind in KINDS:
        yield _line(kind, Counter(end for of, end in ends if of == kind))
    yield _line("all", Counter(end for _, end in ends))


def _line(name: str, count: Counter[str]) -> str:
    columns = (CHECK, WALK, TESTS, "explained", "unexplained")
    return f"| {name} | {count.total()} | " + " | ".join(str(count[column]) for column in columns) + " |"


def reasons(why: dict[str, str]) -> Iterator[str]:
    """What nothing notices, by the reason for it."""
    yield from ["", "## Noticed by nothing, and why", ""]
    yield "With each of these that is explained the tables offer and decide the same as without it: in every situation"
    yield "that the walk reaches, for every event. In brackets stands the first table that has the row."
    for reason in dict.fromkeys(why.values()):
        yield from ["", reason or "**Not explained yet.**", ""]
        yield from (f"- {name}" for name, one in why.items() if one == reason)


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def progress(verdicts: Iterator[Verdict], total: int) -> Iterator[Verdict]:
    """Tell on stderr what nothing noticed, and at each tenth how far it is."""
    began = time.monotonic()
    for n, verdict in enumerate(verdicts, start=1):
        yield verdict
        if not verdict.by:
            tell(f"unnoticed: {verdict.name}")
        if n * 10 // total > (n - 1) * 10 // total:
            tell(f"judged {n} of {total} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
