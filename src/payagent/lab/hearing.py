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
_BIG = {"thousand": 1000, "grand": 1000, "mil": 1000}
_ENGLISH_SMALL = frozenset(f"{_UNITS} {_TENS}".split())
_NUMBER_WORDS = frozenset(_SMALL) | frozenset(_BIG) | {"hundred"}
_CURRENCY = r"(?:dollars?|dolar(?:es)?|euros?|pounds?|pesos?|bucks)"
_CENTS = r"(?:cents?|centavos?|centimos?|pence)"
_WORD = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_SPOKEN = rf"(?:{_WORD})(?:[ -]+(?:and |y )?(?:{_WORD}))*"
_DIGITS = (
    r"(?<![\d.,])\$?\d{1,3}(?:,\d{3})+(?:\.\d\d?)?(?!\d)"  # 1,200.50
    r"|(?<![\d.,])\$?\d{1,6}(?:[.,]\d\d?)?(?![\d-])(?! ?(?:%|percent|por ciento))"  # 120 120.5 120,50
)
_AMOUNT = re.compile(
    rf"(?P<digits>{_DIGITS})(?: (?P<short>{_CURRENCY})?(?: and| con| y)? (?P<small>{_SPOKEN}|\d\d?) {_CENTS})?"
    rf"|\b(?P<words>(?:a )?{_SPOKEN})\b(?! (?:percent|por ciento)\b)"
    rf"(?P<currency> {_CURRENCY})?(?:(?:,| and| con| y)? (?P<cents>{_SPOKEN}|\d\d?) {_CENTS})?"
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
_NUMERIC_DATE = re.compile(
    r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}([/. -]) ?\d{1,2}\1 ?\d{2,4}"
    r"|(?:0\d|1[0-2])[0-3]\d(?:19|20)\d\d|(?:19|20)\d{6})\b"
)
SHORTEST_SPOKEN_DATE = 4  # words of a date in numbers alone: "five one nineteen ninety"

_NAME_LEAD = re.compile(
    r".*?\b(?:my (?:full )?name is|my name's|the name is|the name's|name is|name:|this is|i am|i'm|it's|it is"
    r"|speaking with|me llamo|(?:mi )?nombre(?: completo)? es|soy|habla)\s+",
    re.IGNORECASE | re.DOTALL,
)
_FIRST_AND_LAST = re.compile(
    r"\bfirst name(?:'s| is|:)? (?P<first>[\w'-]+)\b.*?\b(?:last name|surname)(?:'s| is|:)? (?P<last>[\w'-]+)"
    r"|\b(?:last name|surname)(?:'s| is|:)? (?P<last2>[\w'-]+)\b.*?\bfirst name(?:'s| is|:)? (?P<first2>[\w'-]+)",
    re.IGNORECASE,
)
_NAME_END = re.compile(
    r"[,.;:!?\d]|\b(?:and|born|birth\w*|date|my|dob|on|calling|here|speaking|again|but|y|nacid[oa]|naci|nací|mi|fecha|el|pero)\b",
    re.IGNORECASE,
)
_TITLES = re.compile(r"^(?:mr|mrs|ms|miss|dr|doctor|sir|señora?|sra?|don|doña)\.?\s+", re.IGNORECASE)
_NO_NAME = (
    "yes no yeah yep ok okay sure please thanks thank you hello hi hey a an the to i want pay bill need would "
    "like it its what why how is are not sorry wait hablar english spanish looking trying me your we us that this "
    "these more tell talk speak say help repeat who where when can could do does did don't know think hear there "
    "of in at for with about if so good morning afternoon evening one moment second minute hold just safe secure "
    "birthday name call later back never mind nothing something anything right wrong correct get go got have has "
    "had be was were will from by or as up out first last another other already now today again well fine great "
    "really all any some person human robot card si hola quiero pagar factura por favor gracias que quien como "
    "cuando donde para es esto eso seguro usted su un una momento buenos buenas dias tardes noches ayuda puede "
    "puedo repetir otra vez nada necesito tengo mas hablo con la lo las los del espere perdon claro bien muy "
    "tarjeta nombre soy ya "
)
"""Words that stand in no name, so that what begins otherwise than with "my name is" is not taken for one."""
LONGEST_IN_SMALL_LETTERS = 3


def plain(text: str) -> str:
    """Lower case, without accents, with straight apostrophes."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()


def price(words: str) -> Decimal:
    """The value of number words as prices are said: "one twenty" is 120, "one twenty fifty" 120.50."""
    match _groups(words):
        case [hundreds, rest] if hundreds < 10 <= rest:
            return Decimal(100 * hundreds + rest)
        case [whole, cents] if whole >= 10 and cents >= 10:
            return whole + Decimal(cents).scaleb(-2)
        case [hundreds, rest, cents] if hundreds < 10 <= min(rest, cents):
            return 100 * hundreds + rest + Decimal(cents).scaleb(-2)
        case _:
            return Decimal(number(words))


def _groups(words: str) -> list[int]:
    """The numbers under 100 one after the other, none where hundreds are named; in Spanish nobody speaks so."""
    groups: list[int] = []
    for word in re.split(r"[ -]+", words):
        if word not in _ENGLISH_SMALL:
            return []
        follows_tens = groups and groups[-1] >= 20 and groups[-1] % 10 == 0 and 0 < _SMALL[word] < 10
        if follows_tens:
            groups[-1] += _SMALL[word]
        else:
            groups.append(_SMALL[word])
    return groups


def whole_number(words: str) -> list[Decimal]:
    """The amount where nothing but a number is said: "five", "please, 5"."""
    said = re.sub(r"\b(?:just|only|please|um|uh|solo|por favor)\b|[.,!]", " ", words).strip()
    return [Decimal(_SMALL[said]).quantize(Decimal("0.01"))] if _SMALL.get(said) else []


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
        digits = re.sub(r",(\d\d?)$", r".\1", match["digits"].replace("$", "")).replace(",", "")
        return Decimal(digits).quantize(Decimal("0.01")) + _cents(match["small"])
    value = price(match["words"].removeprefix("a "))
    if not match["currency"] and value < SMALLEST_BARE_NUMBER:
        return None
    return value.quantize(Decimal("0.01")) + _cents(match["cents"])


def _cents(said: str | None) -> Decimal:
    spoken = said or "0"
    return Decimal(int(spoken) if spoken.isdigit() else number(spoken)).scaleb(-2).quantize(Decimal("0.01"))


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
    return "" if months else _spoken_in_numbers(text)


def _spoken_in_numbers(text: str) -> str:
    """A date said in numbers alone, without the month's name."""
    run = re.search(rf"\b(?:(?:{_WORD}|oh)[ ,-]+){{{SHORTEST_SPOKEN_DATE - 1},}}(?:{_WORD}|oh)\b", text, re.IGNORECASE)
    return run[0] if run else ""


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
    apart = _FIRST_AND_LAST.search(rest)
    if apart:
        return f"{apart['first'] or apart['first2']} {apart['last'] or apart['last2']}"
    led = _NAME_LEAD.sub("", rest, count=1)
    pieces = [led, *re.split(r"[.,;:!?]", rest)]
    return next(filter(None, map(_name_in, pieces)), "")


def _name_in(piece: str) -> str:
    """The name that `piece` begins with, if it does."""
    bare = _TITLES.sub("", piece.strip(" ,.;"))
    words = _NAME_END.split(bare, maxsplit=1)[0].split()
    written_as_one = all(word[0].isupper() for word in words) or len(words) <= LONGEST_IN_SMALL_LETTERS
    if not 2 <= len(words) <= 5 or not written_as_one or any(plain(word) in _NO_NAME.split() for word in words):
        return ""
    return " ".join(words)
