"""Reads numbers as they are spoken, English and Spanish at once, into the digits they stand for.

* A number is read as long as it can be: "forty-two" is `42`, "forty two hundred" and "cuatro mil doscientos" `4200`.
  Digits said one by one are numbers of one digit; numerals stay as they are, leading zeros too.
* "Double four" is `44`; "double forty-two" is `442`, since the word repeats one digit.
* Speech is ambiguous ("two hundred five" may be 205, or 200 and 5): the reading chosen is the shorter one; `longest`
  says how many digits the longer one has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_LEXICON = """
0 zero oh o nought cero
1 one un uno una
2 two dos
3 three tres
4 four cuatro
5 five cinco
6 six seis
7 seven siete
8 eight ocho
9 nine nueve
10 ten diez
11 eleven once
12 twelve doce
13 thirteen trece
14 fourteen catorce
15 fifteen quince
16 sixteen dieciseis
17 seventeen diecisiete
18 eighteen dieciocho
19 nineteen diecinueve
20 twenty veinte
21 veintiuno veintiun veintiuna
22 veintidos
23 veintitres
24 veinticuatro
25 veinticinco
26 veintiseis
27 veintisiete
28 veintiocho
29 veintinueve
30 thirty treinta
40 forty fourty cuarenta
50 fifty cincuenta
60 sixty sesenta
70 seventy setenta
80 eighty ochenta
90 ninety noventa
100 cien ciento
200 doscientos doscientas
300 trescientos trescientas
400 cuatrocientos cuatrocientas
500 quinientos quinientas
600 seiscientos seiscientas
700 setecientos setecientas
800 ochocientos ochocientas
900 novecientos novecientas
"""
_VALUES = {word: int(value) for value, *words in map(str.split, _LEXICON.strip().splitlines()) for word in words}
_REPEATS = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4, "doble": 2, "cuadruple": 4}
_THOUSAND = frozenset({"thousand", "mil"})
_SCALES = _THOUSAND | {"hundred"}
_AND = frozenset({"and", "y"})
_LOOK_AHEAD = 4


class Number(NamedTuple):
    """One number's digits, the words it was read from (`first` to before `after`), and how many digits at most."""

    digits: str
    first: int
    after: int
    longest: int


def folded(word: str) -> str:
    """`word` without case and accents, its numerals as `0` to `9`: what `numbers` reads."""
    if word.isascii():
        return word.lower()
    plain = (c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    return "".join(str(unicodedata.digit(c, c)) for c in plain)


class _Value(NamedTuple):
    """A number's value, the word after it, and the digits it has if hundreds and thousands end a number."""

    value: int
    after: int
    longest: int


def numbers(words: Sequence[str]) -> Iterator[Number]:
    """The numbers among folded words, left to right."""
    padded = [*words, *[""] * _LOOK_AHEAD]
    n = 0
    while n < len(words):
        number = _number(padded, n)
        if number:
            yield number
        n = number.after if number else n + 1


def _number(words: Sequence[str], n: int) -> Number | None:
    """The number that begins at word `n`."""
    word = words[n]
    if times := _REPEATS.get(word):
        repeated = None if words[n + 1] in _REPEATS else _number(words, n + 1)
        if repeated is None:
            return None
        digits = repeated.digits[0] * (times - 1) + repeated.digits
        return Number(digits, n, repeated.after, len(digits))
    if word.isdecimal() and not _counts_scale(words, n):
        return Number(word, n, n + 1, len(word))
    read = _below_million(words, n)
    return Number(str(read.value), n, read.after, read.longest) if read.after > n else None


# The readers below answer with `after` equal to `n` when no number begins at word `n`.


def _below_million(words: Sequence[str], n: int) -> _Value:
    read = _below_thousand(words, n)
    if words[read.after] not in _THOUSAND:
        return read
    thousands = _Value(max(read.value, 1) * 1000, read.after + 1, max(read.longest, 1) + 3)
    return _plus(words, thousands, _below_thousand)


def _below_thousand(words: Sequence[str], n: int) -> _Value:
    if (hundreds := _VALUES.get(words[n], 0)) >= 100:
        return _plus(words, _Value(hundreds, n + 1, 3), _below_hundred)
    read = _below_hundred(words, n)
    if words[read.after] != "hundred":
        return read
    return _plus(words, _Value(max(read.value, 1) * 100, read.after + 1, max(read.longest, 1) + 2), _below_hundred)


def _below_hundred(words: Sequence[str], n: int) -> _Value:
    if _counts_scale(words, n):
        return _Value(int(words[n]), n + 1, len(words[n]))
    value, after = _VALUES.get(words[n], 100), n + 1
    if value >= 100:
        return _Value(0, n, 0)
    # "Forty two" and "cuarenta y dos" are one number, "cuarenta dos" are two; all English tens end in y, no Spanish do.
    if value >= 20 and value % 10 == 0 and (words[n].endswith("y") or words[after] == "y"):
        unit_at = after + (words[after] == "y")
        unit = _VALUES.get(words[unit_at], 0)
        value, after = (value + unit, unit_at + 1) if 0 < unit < 10 else (value, after)
    return _Value(value, after, len(str(value)))


def _plus(words: Sequence[str], read: _Value, reader: Callable[[Sequence[str], int], _Value]) -> _Value:
    """`read` and the rest of it that follows, as far as that does not count the next hundred or thousand.

    "Five hundred and twenty two hundred" is 520 and 200; "one hundred two hundred" is 100 and 200.
    """
    at = read.after + (words[read.after] in _AND)
    rest = reader(words, at)
    if words[rest.after] in _SCALES:
        rest = _Value(_VALUES.get(words[at], 0), at + 1, 2)
        if not 20 <= rest.value < 100 or words[at + 1] == "y":
            return read._replace(after=at)
    return _Value(read.value + rest.value, rest.after, read.longest + rest.longest) if rest.value else read


def _counts_scale(words: Sequence[str], n: int) -> bool:
    """Whether word `n` is the numeral of "42 hundred" or "4 thousand"."""
    return words[n].isdecimal() and len(words[n]) <= 2 and words[n + 1] in _SCALES
