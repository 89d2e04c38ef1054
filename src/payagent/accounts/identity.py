"""Reads what callers and models say of who somebody is: names as they compare, dates of birth as dates.

* Numeric dates are read in the US order, month before day; a first number over 12 can only be the day, so 13/5/1990 is
  the 13th of May. A year of two digits is the latest that is not to come.
* English and Spanish are read at once, in numerals and in words ("May first nineteen ninety", "primero de mayo …").
* What was said is personal: no exception repeats it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache

from dateutil.parser import parser, parserinfo
from num2words import num2words

_EARLIEST_YEAR = 1900
_LONGEST_PHRASE = 6
_PLAIN_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d"})
"""Letters that Unicode does not take apart into a plain one and an accent."""
_MONTHS = {
    "enero": "january", "ene": "january", "febrero": "february", "marzo": "march", "abril": "april", "abr": "april",
    "mayo": "may", "junio": "june", "julio": "july", "agosto": "august", "ago": "august", "septiembre": "september",
    "setiembre": "september", "octubre": "october", "noviembre": "november", "diciembre": "december", "dic": "december",
}  # fmt: skip
_AND = frozenset({"and", "y"})
_FILLERS = _AND | {"i", "was", "born", "my", "date", "birth", "birthday", "is", "on", "in", "the", "of"}
_FILLERS |= {"naci", "mi", "fecha", "nacimiento", "es", "el", "dia", "de", "del", "en"}


def normal_name(name: str) -> str:
    """`name` as it compares: without case, accents, punctuation and doubled spaces ("José  O'Neil" → `jose oneil`)."""
    words = re.sub(r"[^\w\s-]|_", "", _folded(name))
    return " ".join(words.replace("-", " ").split())


def parse_birth_date(text: str, *, today: date | None = None) -> date:
    """The date of birth that `text` tells; `today` is the date in UTC unless given.

    Raises:
        ValueError: not one whole and real date, or one to come or before 1900. The message does not repeat the text.
    """
    today = today or datetime.now(UTC).date()
    calendar = _Calendar(today.year)
    words = _in_numerals(text)
    if not _is_whole(words, calendar):
        raise ValueError("not a whole date of birth")
    try:
        born = parser(calendar).parse(" ".join(words), default=datetime(today.year, 1, 1), ignoretz=True).date()
    except (ValueError, OverflowError):
        raise ValueError("not a date of birth") from None
    if not date(_EARLIEST_YEAR, 1, 1) <= born <= today:
        raise ValueError("a date of birth that cannot be")
    return born


def _folded(text: str) -> str:
    """`text` without case and accents."""
    # Taking apart brings forth new capitals (of mathematical letters), and folding case new accents: hence twice.
    taken_apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in taken_apart if not unicodedata.combining(c)).translate(_PLAIN_LETTERS)


class _Calendar(parserinfo):
    """The words of a date, for dateutil, and its years of two digits."""

    def __init__(self, this_year: int) -> None:
        super().__init__()
        self._this_year = this_year

    def convertyear(self, year: int, century_specified: bool = False) -> int:
        """The latest year with these two digits that is not to come."""
        if century_specified:
            return year
        return self._this_year - (self._this_year - year) % 100


def _is_whole(words: Sequence[str], calendar: _Calendar) -> bool:
    """Whether there are three fields, and one is a year: first with four digits, or last with two or four."""
    parts = [part for word in words for part in re.findall(r"\d+|[a-z]+", word)]
    fields = [part for part in parts if part.isdecimal() or calendar.month(part) is not None]
    if len(fields) != 3:
        return False
    year = fields[0] if fields[0].isdecimal() and len(fields[0]) == 4 else fields[-1]
    return year.isdecimal() and len(year) in (2, 4)


def _in_numerals(text: str) -> list[str]:
    """The words of `text` that count: months in English, spoken numbers in numerals, a compact date's fields apart."""
    text = re.sub(r"(?<=\d)[t ]\d\d:\d\d.*", "", _folded(text).strip())
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th|er|ro|o)\b", "", text)
    text = re.sub(r"(?<=[a-z])[-./]|[-./](?=[a-z])|[,']", " ", text)
    words = [_MONTHS.get(word, word) for word in text.split() if word not in _FILLERS]
    words = _replaced(words, _spoken_years(), ends_number=True)
    words = _replaced(words, _spoken_numbers(), ends_number=False)
    if len(words) > 3 and "".join(words).isdecimal():  # said digit by digit
        words = ["".join(words)]
    return [_apart(word) for word in words]


def _apart(word: str) -> str:
    """`05011990` and `050190` as month, day and year, `19900501` as an ISO date."""
    if re.fullmatch(r"(?:19|20)\d\d(?:0\d|1[0-2])\d\d", word):
        return f"{word[:4]}-{word[4:6]}-{word[6:]}"
    return re.sub(r"^(\d\d)(\d\d)(\d\d(?:\d\d)?)$", r"\1/\2/\3", word)


def _replaced(words: Sequence[str], phrases: Mapping[str, str], *, ends_number: bool) -> list[str]:
    """`words` with the longest phrases replaced; with `ends_number` only those that no number word follows.

    Else the day of "twenty nineteen ninety" would be lost in the year 2019.
    """
    replaced: list[str] = []
    n = 0
    while n < len(words):
        lengths = range(min(_LONGEST_PHRASE, len(words) - n), 0, -1)
        fits = (k for k in lengths if " ".join(words[n : n + k]) in phrases)
        length = next((k for k in fits if not (ends_number and _is_number_word(words[n + k : n + k + 1]))), 0)
        replaced.append(phrases[" ".join(words[n : n + length])] if length else words[n])
        n += max(length, 1)
    return replaced


def _is_number_word(words: Sequence[str]) -> bool:
    return bool(words) and words[0] in _number_words()


@cache
def _number_words() -> frozenset[str]:
    return frozenset(word for phrase in (*_spoken_years(), *_spoken_numbers()) for word in phrase.split())


@cache
def _spoken_years() -> dict[str, str]:
    """The years in words → their numerals: "nineteen ninety", "one nine nine zero", "mil novecientos noventa"."""
    return {_phrase(words): str(year) for year in range(_EARLIEST_YEAR, 2100) for words in _year_words(year)}


def _year_words(year: int) -> Iterator[str]:
    century, rest = divmod(year, 100)
    yield num2words(year, to="year")
    for language in ("en", "es"):
        yield num2words(year, lang=language)
        yield " ".join(num2words(int(digit), lang=language) for digit in str(year))
        if rest >= 10:
            yield f"{num2words(century, lang=language)} {num2words(rest, lang=language)}"
    yield f"{num2words(century)} hundred {num2words(rest) if rest else ''}"
    if 0 < rest < 10:
        yield f"{num2words(century)} oh {num2words(rest)}"


@cache
def _spoken_numbers() -> dict[str, str]:
    """Days, months and years of two digits in words → their numerals: "first", "oh five", "noventa y dos"."""
    numbers = {num2words(n, lang=language): str(n) for language in ("en", "es") for n in range(1, 100)}
    numbers |= {num2words(n, to="ordinal"): str(n) for n in range(1, 32)} | {"primero": "1", "primer": "1"}
    numbers |= {"zero": "0", "oh": "0", "o": "0", "cero": "0"}
    for language, zeros in {"en": ("oh", "o", "zero"), "es": ("cero",)}.items():
        numbers |= {f"{zero} {num2words(n, lang=language)}": f"0{n}" for zero in zeros for n in range(1, 10)}
    return {_phrase(words): numerals for words, numerals in numbers.items()}


def _phrase(words: str) -> str:
    """Words as `_in_numerals` leaves them."""
    return " ".join(word for word in re.split(r"[ ,-]+", _folded(words)) if word and word not in _AND)
