"""One thread that owns the writing connection of a SQLite file and commits what waits in groups.

* With `synchronous=FULL` each commit waits for the disk, so all that waits is written in one transaction.
* To wake a thread costs more than to hand it a job: it is woken `later`, once for all that was submitted until then.
* When any job of a group fails, the group is rolled back and each job is done again alone: only the jobs at fault fail.
* A job that is cancelled while it waits is not done; one already taken is done to the end.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

GROUP = 256
"""The most jobs of one transaction: enough to share a disk wait, few enough to do again alone."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    answer: Future[T]


class GroupWriter:
    """The thread. `begin` opens a transaction or raises; `rolled_back` is told when one was undone.

    `later` has what it is given called soon, by the thread that submits: an event loop's `call_soon`.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        begin: Callable[[sqlite3.Connection], None],
        rolled_back: Callable[[], None],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._db = db
        self._begin = begin
        self._rolled_back = rolled_back
        self._later = later
        self._waking = False
        self._jobs: deque[_Job[Any]] = deque()
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Hand in `work`, to be done inside a transaction; the future is settled when that is committed."""
        answer: Future[T] = Future()
        self._jobs.append(_Job(work, answer))
        if not self._waking:
            self._waking = True
            self._later(self._wake)
        return answer

    def close(self) -> None:
        """Do what was handed in, then end the thread and close the connection. Nothing may be submitted after."""
        self._wakes.put(False)
        self._thread.join()
        self._db.close()

    def _wake(self) -> None:
        self._waking = False
        self._wakes.put(True)

    def _run(self) -> None:
        going_on = True
        while going_on:
            going_on = self._wakes.get()
            while taken := self._take():
                jobs = [job for job in taken if job.answer.set_running_or_notify_cancel()]
                if jobs:
                    self._do(jobs)

    def _take(self) -> list[_Job[Any]]:
        return [self._jobs.popleft() for _ in range(min(len(self._jobs), GROUP))]

    def _do(self, jobs: list[_Job[Any]]) -> None:
        try:
            self._begin(self._db)
        except Exception as error:  # no job is at fault, and doing each alone would only wait again
            _fail(jobs, error)
            return
        try:
            results = [job.work(self._db) for job in jobs]
            self._db.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            self._blame(jobs, error)
        else:
            for job, result in zip(jobs, results, strict=True):
                job.answer.set_result(result)

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite has already rolled back after some errors, such as a full disk
            self._db.execute("ROLLBACK")
        self._rolled_back()

    def _blame(self, jobs: list[_Job[Any]], error: Exception) -> None:
        if len(jobs) == 1:
            _fail(jobs, error)
        else:
            for job in jobs:
                self._do([job])


def _fail(jobs: list[_Job[Any]], error: Exception) -> None:
    for job in jobs:
        job.answer.set_exception(error)
