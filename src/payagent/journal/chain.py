"""The chain that shows whether the record was touched: an HMAC-SHA256 of each row over itself and the row before.

* The key comes from the settings; who has the database but not the key cannot make a row that fits.
* Every call has a chain of its own, begun by a MAC of its name; the seals have one too.
* A chain cannot show that its own end was cut: that is what seals are for. The newest seal can be cut together
  with all it covers; only a copy of it kept elsewhere would show that.
* Nothing here reads a database: rows come in, problems in words go out.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from payagent.journal.words import Words

SEALS = "seals"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the database holds it: `record` is its canonical JSON, `mac` 32 bytes."""

    number: int
    record: bytes
    mac: bytes
    words: Words | None = None


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The last step of a call when it was sealed; `mac` in hexadecimal."""

    call_sid: str
    seq: int
    mac: str


class Seal(msgspec.Struct, frozen=True):
    """What seal `number` covers: the heads of the calls that went on since the seal before.

    `upto` is the last of the journal's rows, over all calls, that it looked at.
    """

    number: int
    at: datetime
    upto: int
    heads: tuple[Head, ...]


class _Spoken(msgspec.Struct):
    words: str = ""


class _Place(msgspec.Struct):
    """The part of a step's record that says where it belongs, and the digest of what was spoken."""

    call_sid: str
    seq: int
    event: _Spoken


def genesis(key: bytes, name: str) -> bytes:
    """What the first row of chain `name` (a call SID, or `SEALS`) is chained to: 32 bytes."""
    return hmac.digest(key, b"genesis:" + name.encode(), "sha256")


def link(key: bytes, previous: bytes, record: bytes) -> bytes:
    """The MAC of a row that follows one whose MAC is `previous` (always 32 bytes, so the two cannot run together)."""
    return hmac.digest(key, previous + record, "sha256")


def encode_seal(seal: Seal) -> bytes:
    """The seal as canonical JSON."""
    return msgspec.json.encode(seal, order="sorted")


def decode_seal(record: bytes) -> Seal:
    """The seal of that JSON.

    Raises:
        msgspec.MsgspecError: it is not one.
    """
    return msgspec.json.decode(record, type=Seal)


def call_problems(key: bytes, call_sid: str, rows: Iterable[Row], length: int) -> list[str]:
    """What is wrong with a call's rows, given in order, when the index of calls says there are `length` of them."""

    def misfit(row: Row) -> str:
        try:
            place = msgspec.json.decode(row.record, type=_Place)
        except msgspec.MsgspecError:
            return "unreadable"
        if (place.call_sid, place.seq) != (call_sid, row.number):
            return f"holds the record of call {place.call_sid} step {place.seq}"
        return "the words do not fit the record" if row.words and row.words.digest != place.event.words else ""

    return list(_problems(key, call_sid, f"call {call_sid} step", rows, length, misfit))


def seal_problems(key: bytes, rows: Iterable[Row]) -> list[str]:
    """What is wrong with the seals' own chain."""

    def misfit(row: Row) -> str:
        try:
            seal = decode_seal(row.record)
        except msgspec.MsgspecError:
            return "unreadable"
        return "" if seal.number == row.number else f"holds the record of seal {seal.number}"

    return list(_problems(key, SEALS, "seal", rows, 0, misfit))


def heads_of(row: Row) -> tuple[Head, ...]:
    """The steps that the seal of that row covers; none if it cannot be read, which its chain tells."""
    try:
        return decode_seal(row.record).heads
    except ValueError:
        return ()


def head_problems(number: int, head: Head, mac: bytes | None) -> list[str]:
    """What is wrong with a step that seal `number` covers and whose row now has this `mac` (None: there is no row)."""
    where = f"call {head.call_sid} step {head.seq}"
    if mac is None:
        return [f"{where}: missing, and seal {number} covers it"]
    return [] if mac.hex() == head.mac else [f"{where}: not the one that seal {number} covers"]


def _problems(
    key: bytes, chain: str, name: str, rows: Iterable[Row], length: int, misfit: Callable[[Row], str]
) -> Iterator[str]:
    expected, previous = 1, genesis(key, chain)
    for row in rows:
        yield from _missing(name, expected, row.number)
        # After a gap the link to the row before cannot be checked; the gap has been told.
        whole = row.number != expected or hmac.compare_digest(link(key, previous, row.record), row.mac)
        if problem := misfit(row) or ("" if whole else "changed"):
            yield f"{name} {row.number}: {problem}"
        expected, previous = row.number + 1, row.mac
    yield from _missing(name, expected, length + 1)


def _missing(name: str, start: int, end: int) -> list[str]:
    return [f"{name} {number}: missing" for number in range(start, end)]
