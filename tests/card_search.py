"""Looks through whatever a run wrote or sent for the card numbers used in it, whole or in part, however spelt.

A number is looked for by itself, not by a pattern of card numbers: so nothing is found that was not put in. It is
found in digits, with anything short between them, and in words, English and Spanish (digit by digit, in pairs,
doubled). The whole of it counts, and nine of its digits in a row, but where most of them are the same: such stand in
times and made-up SIDs.
What stands inside a word of thirty letters or more is a SID or a hash and is no trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from spoken_cards import CARDS, EN_SMALL, EN_TENS, ES_SMALL, ES_TENS

USED = frozenset(
    {*CARDS, "4000000000000002", "4242424242424241", "4242424242424212", "5200828282828211", "4000000000000069"}
)
"""The card numbers of tests, scenarios and pages."""
FRAGMENT = 9
LONG_WORD = 30
LONGEST_FILE = 64 * 2**20

_DIGITS = re.compile(rb"\d(?:(?:[ \t\n,;_/|-]{1,3}|\. |%20|(?<=\d{4})\+(?=\d{4}))?\d){8,}")
_WORD_OF = re.compile(rb"[0-9A-Za-z]*$")
_REST_OF = re.compile(rb"[0-9A-Za-z]*")


def _spelt() -> dict[str, str]:
    """Number word → its digits."""
    said = {word: str(n) for small in (EN_SMALL, ES_SMALL) for n, word in enumerate(small)}
    said |= {word: str(10 * n) for tens in (EN_TENS, ES_TENS) for n, word in enumerate(tens) if word}
    return said | {"oh": "0", "o": "0"}


_SAID = _spelt()
_TIMES = {"double": 2, "doble": 2, "triple": 3}
_JOINED = {"y"}
_NUMBER_WORD = "|".join(sorted({*_SAID, *_TIMES, *_JOINED}, key=len, reverse=True))
_WORDS = re.compile(rf"\b(?:{_NUMBER_WORD})(?:[\W_]{{1,3}}(?:{_NUMBER_WORD})\b){{3,}}", re.IGNORECASE)


_ANY_WORD = re.compile(
    rb"(?i)\b(?:zero|two|three|four|five|six|seven|eight|nine|cero|dos|tres|cuatro|cinco|seis|siete|ocho|nueve)\b"
)
_SUFFIXES = {".db", ".db-wal", ".log", ".json", ".jsonl", ".html", ".svg", ".csv", ".md", ".txt", ".png", ".spool"}


def traces(text: bytes, numbers: Iterable[str] = USED) -> list[str]:
    """What is found of these numbers, with what stands around it; hashes and SIDs are skipped."""
    windows = {number[n : n + FRAGMENT] for number in numbers for n in range(len(number) - FRAGMENT + 1)}
    windows = {window for window in windows if max(map(window.count, window)) <= FRAGMENT // 2 + 1} | {*numbers}
    sizes = {len(window) for window in windows}
    found = []
    for start, end, digits in (*_figures(text), *_words(text)):
        parts = {digits[n : n + size] for size in sizes for n in range(len(digits) - size + 1)}
        if not windows.isdisjoint(parts):
            found.append(text[max(0, start - 30) : end + 30].decode("utf-8", "replace"))
    return found


def _figures(text: bytes) -> Iterator[tuple[int, int, str]]:
    for run in _DIGITS.finditer(text):
        around = len(_WORD_OF.search(text[max(0, run.start() - LONG_WORD) : run.start()])[0])  # type: ignore[index]
        around += len(_REST_OF.match(text, run.end())[0])  # type: ignore[index]
        longest = max(len(part) for part in re.findall(rb"\d+", run[0]))
        if around + longest < LONG_WORD:
            yield run.start(), run.end(), re.sub(rb"\D", b"", run[0]).decode()


def _words(text: bytes) -> Iterator[tuple[int, int, str]]:
    if not _ANY_WORD.search(text):
        return
    spelt = text.decode("utf-8", "replace")
    for run in _WORDS.finditer(spelt):
        start = len(spelt[: run.start()].encode())
        yield start, start + len(run[0].encode()), "".join(_readings(re.findall(r"\w+", run[0].casefold())))


def _readings(words: list[str]) -> Iterator[str]:
    times = 1
    for n, word in enumerate(words):
        if word in _JOINED:
            continue
        if word in _TIMES:
            times = _TIMES[word]
            continue
        digits = _SAID[word]
        following = words[n + 1] if n + 1 < len(words) else ""
        following = words[n + 2] if following in _JOINED and n + 2 < len(words) else following
        tens = len(digits) == 2 and digits[1] == "0" and digits != "10"
        if tens and len(_SAID.get(following, "")) == 1 and _SAID.get(following) != "0":
            digits = digits[0]
        yield digits * times
        times = 1


ON_PURPOSE = "cards-on-purpose"
"""A file of this name says that its folder holds card numbers because a test put them there."""


def left_behind(folder: Path) -> list[str]:
    """Where a card number is found in the files under a folder, one line each."""
    meant = {mark.parent for mark in folder.rglob(ON_PURPOSE)}
    return [
        f"{path.relative_to(folder)}: …{trace!r}…"
        for path in sorted(folder.rglob("*"))
        if not meant.intersection(path.parents)
        if path.suffix in _SUFFIXES and path.is_file() and path.stat().st_size < LONGEST_FILE
        for trace in traces(path.read_bytes())
    ]
