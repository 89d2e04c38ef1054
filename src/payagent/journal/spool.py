"""Results of payments that the record could not take: kept one a file, until they can be taken in.

* A result is kept when `keep` returns: the file and its name in the folder are on the disk.
* A file holds the decoded event, which has no card data, under a MAC with the journal's key: who can write here but has
  not the key cannot make a result that is taken in. What does not fit is set aside (`.refused`), never deleted.
* A file is named after its MAC, so the same result delivered twice is one file. Only the owner may read it.
* Best on another disk than the record's.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from payagent.errors import JournalFailed
from payagent.flow import events as ev
from payagent.journal import chain, codec

_log = structlog.get_logger("payagent.journal.spool")

CHAIN = "spool"
Result = ev.PaymentSucceeded | ev.PaymentFailed
"""What is kept: after it nothing more comes, and Twilio cannot be asked."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One result that waits, and its file."""

    call_sid: str
    result: Result
    file: Path


class Spool:
    """The results kept in `folder`; `key` is the journal's."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key

    async def open(self) -> None:
        """Make the folder if there is none.

        Raises:
            JournalFailed: nothing could be kept there.
        """
        with _failures():
            await asyncio.to_thread(self._open)

    async def keep(self, call_sid: str, result: Result) -> None:
        """Put the result on the disk.

        Raises:
            JournalFailed: it could not be kept.
        """
        with _failures():
            await asyncio.to_thread(self._keep, codec.encode_report(call_sid, result))

    async def kept(self) -> list[Kept]:
        """The results that wait, the one kept longest first.

        Raises:
            JournalFailed: the folder cannot be read.
        """
        with _failures():
            return await asyncio.to_thread(self._kept)

    async def drop(self, kept: Kept) -> None:
        """Let go of a result that is on the record now.

        Raises:
            JournalFailed: its file cannot be removed.
        """
        with _failures():
            await asyncio.to_thread(kept.file.unlink, missing_ok=True)

    # --- in a thread

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"{self._folder} is not ours to write in")

    def _keep(self, record: bytes) -> None:
        mac = self._mac(record)
        file = self._folder / f"{mac[:32]}.json"
        descriptor, unfinished = tempfile.mkstemp(".tmp", dir=self._folder)  # for the owner only
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(mac.encode() + b"\n" + record)
            writing.flush()
            os.fsync(writing.fileno())
        Path(unfinished).replace(file)
        self._sync_folder()

    def _sync_folder(self) -> None:
        """So that the file's name survives a power cut, too."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _kept(self) -> list[Kept]:
        files = sorted(self._folder.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [kept for file in files if (kept := self._read(file))]

    def _read(self, file: Path) -> Kept | None:
        mac, _, record = file.read_bytes().partition(b"\n")
        if hmac.compare_digest(mac, self._mac(record).encode()):
            call_sid, report = codec.decode_report(record)
            if isinstance(report, Result):
                return Kept(call_sid, report, file)
        _log.critical("a file in the spool is not this program's; it is set aside", file=file.name)
        file.rename(file.with_suffix(".refused"))
        return None

    def _mac(self, record: bytes) -> str:
        return chain.link(self._key, chain.genesis(self._key, CHAIN), record).hex()


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalFailed(f"the spool failed: {error}") from error
