"""Cuts card numbers out of what callers say, before anybody reads them; `logs` does it for what is logged.

How a card number is found, in English and Spanish at once:

1. Numbers (see `spoken_numbers`) with nothing but punctuation and fillers ("uh", "dash") between them make a *run*.
2. A run goes when it has as many digits as the moment no longer allows: 13, well heard or not, if it begins as cards
   do; 5 when it is introduced as a card's ("my card number is …"; the last four may be named); 3 in a turn that speaks
   of a security code; while a payment session is open 4, and 3 in a turn that is bare: next to nothing but numbers.
3. Runs that go on from each other, over other turns, words like "and then", or up to five others in a turn, go when
   they make a whole number of one of the card brands, Luhn digit and all. A correction ("… 43, sorry, 42 …") may
   replace the last digits of what was said before it.
4. Where a number goes, all others of that turn go too (expiry, security code), and so does all of a bare turn within
   the next two. Dates, and amounts with their currency, stay.

A run that begins with a date ("June 20, 1931, 787 …", "05 01 1990 …") is judged by what follows the date, unless it
makes a whole card number.

Let through on purpose: dates of birth, amounts, phone numbers, account numbers of up to 12 digits (9 in hundreds).
Let through of need: the pieces of a number split over turns that come before the piece that makes it recognisable: at
most 12 digits; 4 if it is introduced as a card's; 2 while a payment session is open and turns are bare.
Cut without need: two long numbers with only a comma between them, when the first begins as cards do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from payagent.phone.spoken_numbers import Number, folded, numbers

MARK = "[card number removed]"

# Counts of digits (rule 2): from here on a run goes.
_CARD_DIGITS = 13
_CARD_OF_16 = 16
_DATE_DIGITS = 8
_INTRODUCED_DIGITS = 5
_OPEN_DIGITS = 4
_CODE_DIGITS = 3
_HIDDEN_DIGITS = 10
"""So many in the shortest reading of hundreds and thousands, and the longest reading counts for `_CARD_DIGITS`."""

# How far back rules 3 and 4 reach, in digits, words and turns.
_TAIL_DIGITS = 19
_CORRECTED_DIGITS = 4
_BETWEEN_WORDS = 5
_READINGS = 128
"""So many ways at most to read what was begun: each correction adds some."""
_INTRODUCTION_WORDS = 5
_TAIL_TURNS = 3
"""So many turns in a row without a number, and the pieces heard before them are forgotten."""
_WARY_TURNS = 2


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS = _words("uh um uhm er erm eh em este hmm mm dash hyphen guion space espacio okay ok comma coma dot punto")
_CORRECTIONS = _words(
    "no wait sorry actually correction i mean rather oops scratch wrong mistake over again instead "
    "perdon digo espera espere corrijo mejor equivoque equivoco nuevo decir error borre"
)
_GOING_ON = _words(
    "and then next followed by comes the rest last my digits code is are it's "
    "y luego despues sigue el resto mi codigo es son"
)
_MONTHS = _words(
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sept oct nov dec "
    "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre"
)
_OF = _words("of the de del el")
_OTHER_NUMBER = _MONTHS | _words(
    "phone cell mobile account invoice zip born birth street avenue apartment "
    "telefono celular cuenta factura nacio calle"
)
"""Words before a number that is none of a card's."""
_CARD = _words("card tarjeta visa mastercard amex discover")
_OTHER_CARD = _words("insurance member membership id medicare medicaid health library loyalty")
_INTRODUCTION = _words("number no is it's the digits are starts begins with goes numero es son el empieza comienza con")
_SECURITY_CODE = _words("cvv cvc csc security seguridad")
_CURRENCY = _words("$ € £ dollars dollar bucks cents usd euros euro pounds pesos dolares centavos libras")
_HOMOPHONES = {"to": "2", "too": "2", "for": "4", "fore": "4", "won": "1", "ate": "8", "tree": "3", "free": "3"}
"""What speech recognition writes for a digit; taken for one only between two numbers."""
_ZEROS = {"o": "0", "oh": "0"}
_WITHIN_RUN = _FILLERS | _HOMOPHONES.keys()
_BESIDE_PIECES = _FILLERS | _CORRECTIONS | _GOING_ON

_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = (
    r"(?<![\d/.-])(?:\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|(?:19|20)\d\d-\d{1,2}-\d{1,2}"
    rf"|{_DAY}[/.-]{_DAY}[/.-]\d\d)(?![/.-]?\d)"
)
_TOKEN = re.compile(rf"(?P<date>{_DATE})|\d+|[^\W\d_]+(?:'[^\W\d_]+)*")
_YEAR = r"(?:19[2-9]|20[0-3])\d"
_NUMERIC_DATE = re.compile(rf"{_DAY} ?{_DAY} {_YEAR}")
_REST_OF_DATE = re.compile(rf"(?:{_DAY} )?{_YEAR}")
"""What follows a month's name, or "of"."""

# The card brands by their first digits, and how long their numbers are (fact sheet, section 5.6; of the lengths it
# allows Maestro and Diners only those that banks give out: all others would find a card in too many account numbers).
_BRANDS: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"30[0-5]|3095|3[689]"), (14, 16)),
    (re.compile(r"35(?:2[89]|[3-8])|5[06-8]|6"), (16, 18, 19)),
)
_EXPIRY_AND_CODE = re.compile(r"(?:(?:0[1-9]|1[0-2])(?:20)?[23]\d(?:\d{3,4})?)?")


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a turn's words, and whether anything was cut out."""

    words: str
    found: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """Numbers said in one breath: each one's digits, where they stand in the text, and what is around them."""

    numbers: tuple[str, ...]
    start: int
    end: int
    hidden: tuple[int, ...] = ()
    before: str = ""
    behind: str = ""
    dated: bool = False
    goes_on: bool = False
    corrects: bool = False
    introduced: bool = False
    amount: bool = False

    @property
    def digits(self) -> str:
        return "".join(self.numbers)

    @property
    def readings(self) -> Iterator[tuple[str, ...]]:
        """Its numbers, without and with what recognition may have written for a digit before and behind them."""
        for before in {(), (self.before,) if self.before else ()}:
            for behind in {(), (self.behind,) if self.behind else ()}:
                yield (*before, *self.numbers, *behind)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn's runs; `bare` when it says next to nothing else, `security_code` when it speaks of one."""

    runs: list[_Run]
    bare: bool
    security_code: bool


class CardScanner:
    """Listens to one call: a number may be split over its turns, so it remembers the last 19 digits it let through."""

    def __init__(self) -> None:
        self._begun: frozenset[tuple[str, ...]] = frozenset()
        self._heard = 0
        self._turns_without = 0
        self._wary = 0

    def cut(self, words: str, *, strict: bool) -> Cut:
        """`words` with `MARK` in the place of card data; `strict` while a payment session is open."""
        text = unicodedata.normalize("NFKC", words).replace("\u2019", "'")
        turn = _listen(text, strict=strict)
        alone = any(self._too_long(run, turn, strict=strict) for run in turn.runs)
        together = self._completed(turn.runs)
        self._remember(turn.runs, found=alone or together)
        if not (alone or together):
            return Cut(words, found=False)
        least = 1 if together or turn.bare else 2
        least_amount = _OPEN_DIGITS if strict else _CARD_DIGITS
        cut = [run for run in turn.runs if len(run.digits) >= (least_amount if run.amount else least)]
        return Cut(_without(text, cut), found=True)

    def _too_long(self, run: _Run, turn: _Turn, *, strict: bool) -> bool:
        """Whether this run alone is more than the moment allows (rule 2, and the wary turns of rule 4)."""
        said = len(run.digits)
        if run.amount:
            return said >= (_OPEN_DIGITS if strict else _CARD_DIGITS)
        if turn.bare and self._wary:
            return True
        if turn.bare and strict:
            return said + self._heard >= _CODE_DIGITS
        if turn.security_code and said >= _CODE_DIGITS:
            return True
        if strict:
            return said >= _OPEN_DIGITS
        return (run.introduced and said >= _INTRODUCED_DIGITS) or _may_hold_card(run)

    def _completed(self, runs: Sequence[_Run]) -> bool:
        """Whether one of these runs completes a card number begun before it (rule 3)."""
        found = False
        for run in runs:
            if run.amount or not run.goes_on:
                self._forget()
            if run.amount:
                continue
            begun = {(), *self._begun, *(_corrected(self._begun, run) if run.corrects else ())}
            readings = [(head, reading) for head in begun for reading in run.readings]
            found = found or any(_completes("".join(head), "".join(reading)) for head, reading in readings)
            said = sorted({(*head, *reading) for head, reading in readings})[:_READINGS]
            self._begun = frozenset(one for one in said if sum(map(len, one)) <= _TAIL_DIGITS)
            self._heard += len(run.digits)
        return found

    def _forget(self) -> None:
        self._begun, self._heard = frozenset(), 0

    def _remember(self, runs: Sequence[_Run], *, found: bool) -> None:
        self._wary = _WARY_TURNS if found else max(0, self._wary - 1)
        self._turns_without = 0 if runs else self._turns_without + 1
        if found or self._turns_without >= _TAIL_TURNS:
            self._forget()


def card_length(digits: str) -> int:
    """How many of the first of `digits` are a card number with nothing but expiry and code behind it; 0 if none."""
    lengths = {length for prefix, brand_lengths in _BRANDS if prefix.match(digits) for length in brand_lengths}
    return max((length for length in lengths if _is_card(digits, length)), default=0)


def _is_card(digits: str, length: int) -> bool:
    rest_is_known = len(digits) >= length and _EXPIRY_AND_CODE.fullmatch(digits, length)
    return bool(rest_is_known) and _luhn(digits[:length])


def _luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (doubled + sum(int(d) for d in digits[-1::-2])) % 10 == 0


def _may_hold_card(run: _Run) -> bool:
    """Whether 13 digits or more follow the start of one of the run's numbers, and it begins as cards do (2 to 6).

    Hundreds and thousands may hide digits: there the longest reading counts, if the shortest has 10. What recognition
    may have written for a digit before or behind the run ("for one one one …") is tried, too.
    """
    dated = _date(run)
    if dated and card_length(run.digits):
        return True
    said = run.numbers[dated:] if dated else (run.before, *run.numbers, run.behind)
    left = len("".join(said))
    left += sum(run.hidden[dated:]) if left >= _HIDDEN_DIGITS else 0
    for number in filter(None, said):
        if left >= _CARD_DIGITS and number[0] in "23456":
            return True
        left -= len(number)
    return False


def _date(run: _Run) -> int:
    """How many of the run's first numbers are a date. One of 16 digits that begins as cards do is none."""
    if not run.dated and len(run.digits) == _CARD_OF_16 and run.digits[0] in "23456":
        return 0
    form = _REST_OF_DATE if run.dated else _NUMERIC_DATE
    return next(
        (n for n in range(min(len(run.numbers), _DATE_DIGITS), 0, -1) if form.fullmatch(_parts(run.numbers[:n]))), 0
    )


def _parts(numbers: Sequence[str]) -> str:
    """Numbers as the parts of a date: digits said one by one are drawn together ("0 5" is "05", "19 90" is "1990")."""
    day, year = list(numbers), ""
    while day and len(year) < len("1990"):
        year = f"{day.pop()}{year}"
    parts: list[str] = []
    for number in day:
        if parts and len(parts[-1]) == 1 and len(number) == 1:
            parts[-1] += number
        else:
            parts.append(number)
    return " ".join([*parts, year])


def _completes(begun: str, digits: str) -> bool:
    """Whether these digits bring a card number begun before them to its end."""
    return len(begun) < card_length(begun + digits)


def _corrected(begun: Iterable[tuple[str, ...]], run: _Run) -> Iterator[tuple[str, ...]]:
    """What may hold of it when `run` corrects it: less of its end, unless `run` only repeats it (as many digits)."""
    for said in begun:
        digits = len("".join(said))
        if digits == len(run.digits):
            continue
        for n in range(len(said)):
            if 0 < digits - len("".join(said[:n])) <= _CORRECTED_DIGITS:
                yield said[:n]


def _without(text: str, runs: Sequence[_Run]) -> str:
    """`text` with `MARK` in the place of each of these runs."""
    parts, done = [], 0
    for run in runs:
        parts += [text[done : run.start], MARK]
        done = run.end
    return "".join([*parts, text[done:]])


def _listen(text: str, *, strict: bool) -> _Turn:
    """One turn's words, read; a written date is no number unless `strict`."""
    tokens = list(_TOKEN.finditer(text))
    words = [_folded(token, strict=strict) for token in tokens]
    groups: list[list[Number]] = []
    for number in numbers(words):
        if groups and all(word in _WITHIN_RUN for word in words[groups[-1][-1].after : number.first]):
            groups[-1].append(number)
        else:
            groups.append([number])
    starts = [0, *(group[-1].after for group in groups)]
    spoken = {n for group in groups for n in range(group[0].first, group[-1].after)}
    return _Turn(
        runs=[_run(text, tokens, words, since, group) for since, group in zip(starts, groups, strict=False)],
        bare=all(word in _BESIDE_PIECES for n, word in enumerate(words) if n not in spoken),
        security_code=not _SECURITY_CODE.isdisjoint(words),
    )


def _folded(token: re.Match[str], *, strict: bool) -> str:
    if token["date"]:
        return re.sub(r"\D", "", token[0]) if strict else ""
    return folded(token[0])


def _run(text: str, tokens: Sequence[re.Match[str]], words: Sequence[str], since: int, group: Sequence[Number]) -> _Run:
    """The run that `group` makes, after the words from `since`: homophones between its numbers are digits of it."""
    first, after = group[0].first, group[-1].after
    start = tokens[first].start()
    between = words[since:first]
    said, hidden = [group[0].digits], [group[0].longest - len(group[0].digits)]
    for before, number in pairwise(group):
        heard = [_HOMOPHONES[word] for word in words[before.after : number.first] if word in _HOMOPHONES]
        said += [*heard, number.digits]
        hidden += [*(0 for _ in heard), number.longest - len(number.digits)]
    return _Run(
        numbers=tuple(said),
        start=start,
        end=tokens[after - 1].end(),
        hidden=tuple(hidden),
        before=_misheard_before(words, since, first),
        behind=_HOMOPHONES.get(words[after], "") if after < len(words) else "",
        dated=_follows_month(words[:first], since),
        goes_on=all(word in _BESIDE_PIECES for word in between)
        or bool(since and len(between) <= _BETWEEN_WORDS and _OTHER_NUMBER.isdisjoint(between)),
        corrects=not _CORRECTIONS.isdisjoint(between),
        introduced=_introduces_card(words, first),
        amount=not _CURRENCY.isdisjoint([*words[after : after + 1], text[max(0, start - 2) : start].strip()]),
    )


def _misheard_before(words: Sequence[str], since: int, first: int) -> str:
    """The digits that recognition may have written as other words right before a number: "for", "oh"."""
    digits = ""
    while first > since and words[first - 1] in _HOMOPHONES | _ZEROS:
        first -= 1
        digits = (_HOMOPHONES | _ZEROS)[words[first]] + digits
    return digits


def _follows_month(words: Sequence[str], since: int) -> bool:
    """Whether a month's name, or a number with an "of", stands right before ("June …", "27 del 6 del …")."""
    n = len(words)
    while n > since and words[n - 1] in _OF:
        n -= 1
    return (n > since and words[n - 1] in _MONTHS) or 0 < since == n < len(words)


def _introduces_card(words: Sequence[str], first: int) -> bool:
    """Whether the words before word `first` say "my card number is", or the like."""
    n = first - 1
    while n > 0 and first - n <= _INTRODUCTION_WORDS and words[n] in _INTRODUCTION:
        n -= 1
    return n >= 0 and words[n] in _CARD and (n == 0 or words[n - 1] not in _OTHER_CARD)
