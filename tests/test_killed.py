"""The process is killed at any moment of a payment call: what is on the disk then leads to a true end.

One whole call is played, and a picture of the disk and of the world beyond it is taken after each step's record, each
claim, and each deed of Twilio's and of the book. From every picture another process starts, with nobody on the line.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from live_line import CALL, Line, calls, keyed_fields, open_line, says
from true_end import PAID, faults, is_over, quiet  # noqa: F401
from virtual_time import VirtualLoop, anyio_backend, owing_threads, virtual_now  # noqa: F401

from payagent.flow import effects as do
from payagent.flow.states import FINAL, Pace

pytestmark = pytest.mark.usefixtures("quiet")

ROUNDS = 60
"""Sweeps, ten seconds between two, in which a call that nobody is on has come to its end."""


@dataclass(frozen=True)
class Picture:
    """What is left when the process is killed: its two files, and what Twilio was asked for until then."""

    when: str
    at: float
    journal: bytes
    book: bytes
    asked: tuple[str, ...]
    keys: tuple[str, ...]

    def lay_out(self, folder: Path) -> None:
        """Put the files where another process finds them."""
        folder.mkdir()
        (folder / "journal.db").write_bytes(self.journal)
        (folder / "book.db").write_bytes(self.book)


def clock() -> VirtualLoop:
    """The loop, whose clock a test may set."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def copied(file: Path) -> bytes:
    """A database as it is on the disk, whoever has it open."""
    db, copy = sqlite3.connect(file), sqlite3.connect(":memory:")
    try:
        db.backup(copy)
        return copy.serialize()
    finally:
        db.close()
        copy.close()


async def whole_call(line: Line) -> None:
    """John Doe pays 600.00 and says goodbye; in model pace the model asks for each field and charges."""
    model_asks = line.flow.pace is Pace.MODEL
    fields = [calls(field.tool) for field in line.flow.profile.fields] if model_asks else []
    await line.ring()
    await line.agreed()
    await line.caller_says("All of it", calls("start_payment", amount="600.00"), *fields)
    await line.reports(*keyed_fields(line.flow))
    if model_asks:
        await line.caller_says("Yes, please", calls("complete_payment_processing"))
    await line.reports(PAID)
    await line.caller_says("No, that is all", says("Thank you."))
    await line.caller_says("Bye", calls("end_call"))
    assert line.state in FINAL


async def pictures(folder: Path, pace: Pace) -> list[Picture]:
    """One for each moment of a whole call that differs from the one before."""
    taken: list[Picture] = []
    async with open_line(folder, pace) as line:

        def shoot(when: str) -> None:
            files = [copied(folder / name) for name in ("journal.db", "book.db")]
            taken.append(Picture(when, clock().time(), *files, tuple(line.till.asked), tuple(line.till.keys)))

        line.worker.pen.after = line.book.after = line.till.after = shoot
        await whole_call(line)
        line.worker.pen.after = line.book.after = line.till.after = None
    content = [(one.journal, one.book, one.asked) for one in taken]
    return [one for n, one in enumerate(taken) if n == 0 or content[n] != content[n - 1]]


@dataclass(frozen=True)
class Life:
    """What comes after a picture: how many seconds no process runs, and whether the success comes if one is due."""

    picture: Picture
    down: float
    told: bool

    def __str__(self) -> str:
        return f"killed at {self.picture.when!r}, down for {self.down:g} s, {'' if self.told else 'not '}told"


async def lives_on(life: Life, folder: Path, pace: Pace) -> list[str]:
    """What is wrong with the end that another process brings the call to."""
    picture = life.picture
    picture.lay_out(folder)
    clock().selector.now = picture.at + life.down
    async with open_line(folder, pace) as line:
        line.till.asked, line.till.keys = list(picture.asked), list(picture.keys)
        for asked, key in zip(picture.asked, picture.keys, strict=True):
            line.till.done.setdefault(asked.split()[0], []).append(key)
        for n in range(ROUNDS):
            await line.worker.switchboard.sweep()
            await asyncio.sleep(10 if n > 3 else 1)
            if life.told and "complete" in line.till.asked:
                await line.worker.switchboard.report(CALL, PAID)
            if await is_over(line):
                break
        return [f"{life}: {wrong}" for wrong in [*await faults(line), *await left_open(line)]]


async def left_open(line: Line) -> list[str]:
    """A session that another process knows of, and has neither charged nor cancelled."""
    ordered = any(isinstance(order, do.CompletePay) for step in await line.steps() for order in step.orders)
    is_open = "open 600.00" in line.till.asked and not ordered and "cancel" not in line.till.asked
    return ["a session is left open"] if is_open else []


@pytest.mark.promise(2, 7, 8)
@pytest.mark.parametrize("pace", Pace)
@pytest.mark.no_cover
async def test_killed_at_any_moment_a_call_comes_to_a_true_end(pace: Pace, tmp_path: Path) -> None:
    """Charged at most once, credited exactly once if paid, never cancelled after a charge, nothing left open."""
    (tmp_path / "first").mkdir()
    taken = [one for one in await pictures(tmp_path / "first", pace) if one.when != "steps"]
    charged = next(n for n, picture in enumerate(taken) if "complete" in picture.asked)
    lives = [Life(picture, 300, told=False) for picture in taken]
    lives += [Life(picture, 1, told) for picture in taken[charged - 3 :] for told in (False, True)]
    wrong = [await lives_on(life, tmp_path / str(n), pace) for n, life in enumerate(lives)]

    assert [fault for faults in wrong for fault in faults] == []
    assert len(taken) >= 40  # how the answers of Twilio and its callbacks interleave makes it a few more or less
