"""The spool: a result that the record could not take is on the disk, whole, unforged, and for its owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from payagent.errors import JournalFailed
from payagent.flow import events as ev
from payagent.journal.spool import Kept, Result, Spool

CALL = "CA" + "1" * 32
KEY = b"a key for tests, 32 bytes long.."
PAID = ev.PaymentSucceeded("PK" + "2" * 32, "ch_1", "4242", "visa", "d1")
DECLINED = ev.PaymentFailed("PK" + "3" * 32, "payment-connector-error", 64012, "d2")


@pytest.fixture
async def spool(tmp_path: Path) -> Spool:
    """An empty one in `spool`."""
    spool = Spool(tmp_path / "spool", KEY)
    await spool.open()
    return spool


def what(kept: list[Kept]) -> list[tuple[str, Result]]:
    """The calls and results, without their files."""
    return [(one.call_sid, one.result) for one in kept]


@pytest.mark.promise(8)
async def test_results_come_back_in_the_order_they_were_kept(spool: Spool, tmp_path: Path) -> None:
    """Also to a process that was started later."""
    await spool.keep(CALL, DECLINED)
    await spool.keep(CALL, PAID)

    assert what(await Spool(tmp_path / "spool", KEY).kept()) == [(CALL, DECLINED), (CALL, PAID)]


@pytest.mark.promise(8)
async def test_a_result_kept_twice_is_one(spool: Spool) -> None:
    """Twilio delivers a callback twice at times."""
    await spool.keep(CALL, PAID)
    await spool.keep(CALL, PAID)

    assert what(await spool.kept()) == [(CALL, PAID)]


async def test_a_result_let_go_is_gone(spool: Spool) -> None:
    """Letting it go once more does no harm: two processes may sweep one folder."""
    await spool.keep(CALL, PAID)
    (kept,) = await spool.kept()
    await spool.drop(kept)
    await spool.drop(kept)

    assert await spool.kept() == []


@pytest.mark.promise(8)
async def test_it_is_on_the_disk_when_keep_returns(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file first, under a name that nobody reads, then its name in the folder."""
    deeds: list[str] = []
    replace = Path.replace

    def synced(descriptor: int) -> None:
        deeds.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def renamed(path: Path, target: Path) -> Path:
        deeds.append("named")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    await spool.keep(CALL, PAID)

    assert deeds == ["file", "named", "folder"]


async def test_only_the_owner_may_read_it(spool: Spool, tmp_path: Path) -> None:
    """Folder and files."""
    await spool.keep(CALL, PAID)
    (kept,) = await spool.kept()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool", kept.file)]

    assert modes == [0o700, 0o600]


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    "forge",
    [
        lambda text: text.replace(b"ch_1", b"ch_2"),
        lambda text: text.replace(CALL.encode(), b"CA" + b"9" * 32),
        lambda text: text[:-1],
        lambda text: b"",
        lambda text: b"\xff" * 99,
    ],
    ids=["another code", "another call", "cut", "empty", "noise"],
)
async def test_what_was_not_kept_by_us_is_set_aside(
    forge: Callable[[bytes], bytes], spool: Spool, tmp_path: Path
) -> None:
    """Told once, never taken in, never deleted; the others come through."""
    await spool.keep(CALL, PAID)
    (kept,) = await spool.kept()
    text = forge(kept.file.read_bytes())
    kept.file.write_bytes(text)
    await spool.keep(CALL, DECLINED)
    with capture_logs() as logs:
        found = [what(await spool.kept()) for _ in range(2)]

    assert found == [[(CALL, DECLINED)]] * 2
    assert [entry["log_level"] for entry in logs] == ["critical"]
    assert kept.file.with_suffix(".refused").read_bytes() == text


async def test_another_lines_results_are_not_taken(spool: Spool, tmp_path: Path) -> None:
    """The key tells whose they are."""
    await Spool(tmp_path / "spool", b"another key").keep(CALL, PAID)

    assert await spool.kept() == []


@pytest.mark.promise(8)
async def test_a_process_that_died_while_keeping_left_nothing_to_read(spool: Spool, tmp_path: Path) -> None:
    """Its callback was never answered, so the half of it counts for nothing."""
    (tmp_path / "spool" / "half.1.tmp").write_bytes(b"half")

    assert await spool.kept() == []


@pytest.mark.promise(8)
async def test_it_says_when_it_cannot_keep(tmp_path: Path) -> None:
    """A folder that is gone or is none: whoever sent the result is not told that it is safe."""
    spool = Spool(tmp_path / "nowhere", KEY)
    with pytest.raises(JournalFailed, match="spool"):
        await spool.keep(CALL, PAID)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(JournalFailed, match="spool"):
            await Spool(folder, KEY).open()


async def test_a_folder_of_somebody_else_is_told_at_the_start(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the first result is lost. (Root may write anywhere, so the answer is made up.)"""
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(JournalFailed, match="not ours"):
        await spool.open()
