"""A pytest plugin: fixtures for tests of a flow, and the report of what the tests' calls have driven.

Put `pytest_plugins = ["payagent.testing.plugin"]` into the topmost `conftest.py`. `pytest --paths=fsm_diagrams` fails
unless the calls of the run have fired every row and had every guard of it say yes and no; it names what is missing.
Counted are the steps of every `PracticeCall`, and the records handed to the fixture `driven`. Under pytest-xdist each
worker counts its own, and the controller adds them up.

The fixtures that need the lab import it when they are asked for: tests of a table alone start without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from payagent.flow.limits import Limits
from payagent.flow.rows import Flow
from payagent.flow.step import Step
from payagent.review import proofs, today
from payagent.review.paths import Driven, Paths, missing
from payagent.review.walk import walk
from payagent.review.walked import Walked
from payagent.testing import PracticeCall

if TYPE_CHECKING:
    from payagent.testing.line import LineUp, ModelUp, TwilioUp

OPTION = "--paths"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--paths DIR`: where the proofs on file are."""
    words = (
        "fail unless the tests' calls drive every row and answer of its guards; DIR is where `payagent diagram` wrote"
    )
    parser.getgroup("payagent").addoption(OPTION, metavar="DIR", type=Path, help=words)


def pytest_configure(config: pytest.Config) -> None:
    """Count only where it is asked for."""
    if config.getoption(OPTION):
        config.pluginmanager.register(PathReport(config), "payagent-paths")


class PathReport:
    """Counts what the calls of this process, and of its workers, have driven."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._flows = today.tables()
        self._paths = Paths(self._flows)
        self._calls: list[PracticeCall] = []
        self._missing: list[str] = []
        PracticeCall.watcher = self._calls.append

    def add(self, steps: Sequence[Step], flow: Flow) -> None:
        """Count the calls of one test."""
        self._paths.add(steps, flow)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        for call in self._calls:
            self.add(call.steps, call.flow)
        self._calls.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist is done."""
        for table, answers in getattr(node, "workeroutput", {}).get(OPTION, {}).items():
            self._paths.driven[table] |= {tuple(answer) for answer in answers}

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[OPTION] = {table: sorted(answers) for table, answers in self._paths.driven.items()}
        elif exitstatus == pytest.ExitCode.OK:
            self._missing = self._judge(self._paths.driven)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if self._missing else exitstatus

    def _judge(self, driven: Driven) -> list[str]:
        filed = proofs.on_file(self._config.getoption(OPTION), self._flows)
        return missing(self._flows, driven, filed) if filed else ["the proofs on file are stale; run: payagent diagram"]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._missing:
            terminalreporter.section("paths that no test drives", red=True)
            for line in self._missing:
                terminalreporter.line(line)
            terminalreporter.line(
                f"{len(self._missing)} missing; write a state-path test for each (tests/flow/test_paths_…)"
            )


@pytest.fixture
def driven(request: pytest.FixtureRequest) -> Callable[[Sequence[Step]], None]:
    """Hand it a call's record (`Journal.steps`), so that the run's report of driven paths counts it."""
    report = request.config.pluginmanager.get_plugin("payagent-paths")

    def take(steps: Sequence[Step]) -> None:
        flows = today.tables(Limits().scaled(today.wait_scale(steps)))
        if report is not None:
            report.add(steps, today.nearest(steps, flows))

    return take


@pytest.fixture
def practice_call() -> Callable[..., PracticeCall]:
    """Makes a call to drive by events: `practice_call()` of today's table, `practice_call(flow)` of another."""
    return PracticeCall


@pytest.fixture
def walked() -> Callable[..., Walked]:
    """Walks a table: `walked(flow).broken` names each broken promise, with a shortest story that leads to it.

    `walked(flow, until_broken=True)` ends at the first one.
    """
    return walk


@pytest.fixture
def line_up(tmp_path: Path) -> LineUp:
    """A whole line for as long as a block lasts.

    `async with line_up("cancel") as up`, and `up.twilio.place_call()` rings. Without a name it is the line of
    `full_payment`; a `Scenario` of your own will do too. `up.database` is the record.
    """
    from payagent.testing.line import line_in

    return line_in(tmp_path)


@pytest.fixture
def stand_in_twilio() -> TwilioUp:
    """Twilio alone, for as long as a block lasts.

    `async with stand_in_twilio() as (twilio, origin)`.
    """
    from payagent.testing.line import twilio_up

    return twilio_up


@pytest.fixture
def scripted_model() -> ModelUp:
    """A model alone, for as long as a block lasts.

    `async with scripted_model() as (model, base_url)`.
    """
    from payagent.testing.line import model_up

    return model_up
