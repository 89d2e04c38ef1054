"""Spoken words, kept beside the record so that they can be erased without breaking it.

* The record holds `sha256(salt + text)`; salt and text lie in a table of their own and are erased together.
* What is said while the caller is being identified is kept with dates and numbers masked: a birth date is no
  business of the record. The live conversation is not touched by this.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from num2words import num2words

MASK = "#"

# fmt: off
_MONTHS = frozenset({
    "january", "february", "april", "june", "july", "august", "september", "october", "november", "december",
    "jan", "feb", "apr", "jun", "jul", "aug", "sept", "oct", "nov",
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "setiembre", "octubre",
    "noviembre", "diciembre",
})

# Each of these is mostly said of something else ("may I", "one moment", "once more"): alone it tells no date.
_WEAK = frozenset({
    "may", "march", "mar", "dec", "sep", "one", "once", "first", "second", "uno", "primero", "segundo", "cuarto", "oh",
})
# fmt: on

# Words that stand between the parts of a date or a number: "the fifth of May", "cinco de mayo", "noventa y uno".
_LINKS = frozenset({"of", "the", "and", "de", "del", "el", "y"})


@dataclass(frozen=True, slots=True)
class Words:
    """Spoken text and its salt (16 random bytes)."""

    salt: bytes
    text: str

    @property
    def digest(self) -> str:
        """What the record keeps of them: 64 hexadecimal digits."""
        return hashlib.sha256(self.salt + self.text.encode()).hexdigest()


def salted(text: str) -> Words:
    """The words with a salt of their own."""
    return Words(secrets.token_bytes(16), unicode(text))


def unicode(text: str) -> str:
    """The text with every lone surrogate and NUL, which JSON can smuggle in and no database takes, as `?`."""
    clean = text if text.isascii() else text.encode(errors="replace").decode()
    return clean.replace("\0", "?") if "\0" in clean else clean


def masked(text: str) -> str:
    """The text with every digit, month name and number word, English and Spanish, as `#`.

    A word of `_WEAK` is masked only in a run with other parts of a date or number.
    """
    pieces = re.split(r"([#\w]+)", re.sub(r"\d", MASK, text))
    words = range(1, len(pieces), 2)  # re.split with a group puts what matched at the odd places
    kinds = {n: _kind(pieces[n]) for n in words}
    for is_date, run in groupby(words, key=lambda n: kinds[n] != "other"):
        parts = [n for n in run if kinds[n] != "link"]
        if is_date and (len(parts) > 1 or any(kinds[n] == "strong" for n in parts)):
            for n in parts:
                pieces[n] = pieces[n] if MASK in pieces[n] else MASK
    return "".join(pieces)


def _kind(word: str) -> str:
    folded = _folded(word)
    if folded in _WEAK:
        return "weak"
    if folded in _LINKS:
        return "link"
    return "strong" if MASK in word or folded in _MONTHS or folded in _number_words() else "other"


@cache
def _number_words() -> frozenset[str]:
    numbers = [*range(101), *range(200, 1001, 100)]
    spoken = [num2words(n, lang=lang) for n in numbers for lang in ("en", "es")]
    spoken += [num2words(n, lang=lang, to="ordinal") for n in range(1, 32) for lang in ("en", "es")]
    return frozenset(_folded(word) for text in spoken for word in re.findall(r"\w+", text)) - _LINKS


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
