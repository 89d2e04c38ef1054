"""The writer thread: jobs that wait share a transaction, and only those at fault fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event

import pytest

from payagent.journal import writer
from payagent.journal.writer import GroupWriter


class Bench:
    """A writer on a table of numbers whose first job waits for `go`, so that what is submitted meanwhile piles up."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        self.begun = 0
        self.undone = 0
        self.locked = False
        self.go = Event()
        self.started = Event()
        self.later: list[Callable[[], None]] = []
        self.at_once = True
        self.writer = GroupWriter(self.db, self._begin, self._count_undone, self._later)
        self.first = self.writer.submit(self._wait)
        assert self.started.wait(10)

    def put(self, n: int) -> Future[int]:
        """Write number `n`; one that is there already fails."""
        return self.writer.submit(lambda db: db.execute("INSERT INTO numbers VALUES (?)", (n,)).rowcount)

    def _later(self, wake: Callable[[], None]) -> None:
        if self.at_once:
            wake()
        else:
            self.later.append(wake)

    def close(self) -> None:
        self.go.set()
        self.writer.close()

    def _begin(self, db: sqlite3.Connection) -> None:
        self.begun += 1
        if self.locked:
            raise sqlite3.OperationalError("database is locked")
        db.execute("BEGIN IMMEDIATE")

    def _count_undone(self) -> None:
        self.undone += 1

    def _wait(self, db: sqlite3.Connection) -> int:
        self.started.set()
        assert self.go.wait(10)
        return 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "numbers.db")
    yield bench
    bench.close()


def test_waiting_jobs_share_a_transaction(bench: Bench) -> None:
    """Fifty jobs that wait for the one before are written in one transaction."""
    answers = [bench.put(n) for n in range(50)]
    bench.go.set()

    assert [answer.result(10) for answer in answers] == [1] * 50
    assert bench.begun == 2


def test_the_thread_is_woken_once_for_all_that_was_submitted(bench: Bench) -> None:
    """However many jobs one turn of the loop submits; the next turn's wake it again."""
    bench.go.set()
    bench.at_once = False

    for turn in (1, 2):
        answers = [bench.put(10 * turn + n) for n in range(3)]
        (wake,) = bench.later
        bench.later.clear()
        wake()
        assert [answer.result(10) for answer in answers] == [1] * 3


def test_close_wakes_the_thread(bench: Bench) -> None:
    """What nobody was woken for is written all the same."""
    bench.at_once = False
    answers = [bench.put(n) for n in range(3)]
    bench.close()

    assert [answer.result(0) for answer in answers] == [1] * 3


def test_groups_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many jobs wait, a transaction takes only so many."""
    monkeypatch.setattr(writer, "GROUP", 10)
    answers = [bench.put(n) for n in range(25)]
    bench.go.set()

    assert [answer.result(10) for answer in answers] == [1] * 25
    assert bench.begun == 1 + 3


def test_only_the_job_at_fault_fails(bench: Bench) -> None:
    """The others of its group are written, each alone, and the undoing is told."""
    answers = [bench.put(n) for n in (1, 2, 2, 3)]
    bench.go.set()

    assert [type(answer.exception(10)) for answer in answers] == [
        type(None),
        type(None),
        sqlite3.IntegrityError,
        type(None),
    ]
    assert bench.undone == 2  # the group, and the job alone


def test_group_fails_at_once_when_no_transaction_opens(bench: Bench) -> None:
    """A lock fails all that waits, instead of making each job wait for it in turn."""
    answers = [bench.put(n) for n in range(3)]
    bench.locked = True
    bench.go.set()

    assert [type(answer.exception(10)) for answer in answers] == [sqlite3.OperationalError] * 3
    assert bench.begun == 2


def test_cancelled_job_is_not_done(bench: Bench) -> None:
    """A job cancelled while it waits leaves no trace."""
    kept, dropped = bench.put(1), bench.put(2)
    assert dropped.cancel()
    bench.go.set()

    assert kept.result(10) == 1
    count: Future[int] = bench.writer.submit(lambda db: db.execute("SELECT count(*) FROM numbers").fetchone()[0])
    assert count.result(10) == 1


def test_close_finishes_what_was_handed_in(bench: Bench, tmp_path: Path) -> None:
    """What was submitted before `close` is written."""
    answers = [bench.put(n) for n in range(3)]
    bench.close()

    assert all(answer.done() for answer in answers)
    db = sqlite3.connect(tmp_path / "numbers.db")
    assert db.execute("SELECT count(*) FROM numbers").fetchone() == (3,)
    db.close()
