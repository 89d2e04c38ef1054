"""Reads what callers say, in English and Spanish: who they are, how much, and what they want.

Everything works on `plain` text (lower case, no accents) but for names and dates, which are given back as said.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_UNIDADES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
    "diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis "
    "veintisiete veintiocho veintinueve"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_DECENAS = "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"
_CENTENAS = (
    "cien doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"  # 100 … 900
)
_SMALL: dict[str, int] = {
    **{word: n for n, word in enumerate(_UNITS.split())},
    **{word: n for n, word in enumerate(_UNIDADES.split())},
    **{word: 10 * n for n, word in enumerate(_TENS.split(), 2)},
    **{word: 10 * n for n, word in enumerate(_DECENAS.split(), 2)},
    **{word: 100 * n for n, word in enumerate(_CENTENAS.split(), 1)},
    "un": 1,
    "una": 1,
    "ciento": 100,
}
_BIG = {"thousand": 1000, "mil": 1000}
_NUMBER_WORDS = frozenset(_SMALL) | frozenset(_BIG) | {"hundred"}
_CURRENCY = r"(?:dollars?|dolar(?:es)?|euros?|pounds?|pesos?|bucks)"
_CENTS = r"(?:cents?|centavos?|centimos?|pence)"
_WORD = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_SPOKEN = rf"(?:{_WORD})(?:[ -]+(?:and |y )?(?:{_WORD}))*"
_AMOUNT = re.compile(
    rf"(?P<digits>(?<![\d.])\$?\d{{1,3}}(?:,\d{{3}})+(?:\.\d\d)?|\$?(?<![\d.])\d{{1,6}}(?:\.\d\d)?(?![\d-]))"
    rf"|\b(?P<words>{_SPOKEN})\b(?P<currency> {_CURRENCY}(?:(?:,| and| con| y) (?P<cents>{_SPOKEN}|\d\d?) {_CENTS})?)?"
)
SMALLEST_BARE_NUMBER = 10  # "the second one" is no amount: below it, a word counts only with its currency

_MONTHS = (
    "january february march april may june july august september october november december "
    "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth primero"
)
_JOINING = frozenset({"the", "of", "de", "del", "and", "y"})
_DATE_WORDS = _NUMBER_WORDS | frozenset(_ORDINALS.split()) | _JOINING | {"oh"}
_NUMERIC_DATE = re.compile(r"\b(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})\b")

_NAME_LEAD = re.compile(
    r".*?\b(?:my (?:full )?name is|my name's|this is|i am|i'm|it's|it is|me llamo|mi nombre(?: completo)? es|soy)\s+",
    re.IGNORECASE | re.DOTALL,
)
_NAME_END = re.compile(
    r"[,.;:!?\d]|\b(?:and|born|birth\w*|date|my|dob|on|calling|here|speaking|y|nacid[oa]|naci|nací|mi|fecha|el)\b",
    re.IGNORECASE,
)
_NO_NAME = (
    "yes no yeah ok okay sure please thanks thank you hello hi hey a an the to i want pay bill my need would like it "
    "what why how is are not si hola quiero pagar factura por favor gracias sorry wait hablar english spanish "
    "looking trying"
)


def plain(text: str) -> str:
    """Lower case, without accents, with straight apostrophes."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def number(words: str) -> int:
    """The value of number words, such as `two hundred and fifty` or `doscientos cincuenta`."""
    total = current = 0
    for word in re.split(r"[ -]+", words):
        if word in _SMALL:
            current += _SMALL[word]
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _BIG:
            total, current = total + max(current, 1) * _BIG[word], 0
    return total + current


def amounts(text: str) -> list[Decimal]:
    """Every amount of money named in `text`, in order, with two decimals."""
    found = (_amount(match) for match in _AMOUNT.finditer(plain(text)))
    return [amount for amount in found if amount is not None]


def _amount(match: re.Match[str]) -> Decimal | None:
    if match["digits"]:
        return Decimal(match["digits"].replace("$", "").replace(",", "")).quantize(Decimal("0.01"))
    value = Decimal(number(match["words"]))
    if not match["currency"] and value < SMALLEST_BARE_NUMBER:
        return None
    cents = match["cents"] or "0"
    return value + Decimal(int(cents) if cents.isdigit() else number(cents)).scaleb(-2).quantize(Decimal("0.01"))


def birth_date(text: str) -> str:
    """The date of birth as it was said, "" when none was."""
    numeric = _NUMERIC_DATE.search(text)
    if numeric:
        return numeric[0]
    words = list(re.finditer(r"[^\s,.;]+", text))
    months = [n for n, word in enumerate(words) if plain(word[0]) in _MONTHS.split()]
    spans = ((month, *_stretch([word[0] for word in words], month)) for month in months)
    for _, first, last in spans:
        if last > first:
            return text[words[first].start() : words[last].end()]
    return ""


def _stretch(words: list[str], month: int) -> tuple[int, int]:
    """First and last word of the date around the month's name; the small words at its ends are left out."""
    first = last = month
    while first > 0 and _of_date(words[first - 1]):
        first -= 1
    while last + 1 < len(words) and _of_date(words[last + 1]):
        last += 1
    while last > month and plain(words[last]) in _JOINING:
        last -= 1
    while first < month and plain(words[first]) in _JOINING - {"the"}:
        first += 1
    return first, last


def _of_date(word: str) -> bool:
    bare = plain(word)
    return bool(re.fullmatch(r"\d{1,4}(?:st|nd|rd|th)?", bare)) or all(p in _DATE_WORDS for p in bare.split("-"))


def full_name(text: str) -> str:
    """The caller's full name as it was said, "" when none was: two words at least."""
    date = birth_date(text)
    rest = text.replace(date, ",") if date else text
    rest = _NAME_LEAD.sub("", rest, count=1)
    words = _NAME_END.split(rest.strip(" ,.;"), maxsplit=1)[0].split()
    if not 2 <= len(words) <= 5 or any(plain(word) in _NO_NAME.split() for word in words):
        return ""
    return " ".join(words)
