"""Cuts card numbers out of what callers say, and out of what is logged, before anybody reads them.

How a card number is found, in English and Spanish at once:

1. Numbers (see `spoken_numbers`) with nothing but punctuation and fillers ("uh", "dash") between them make a *run*.
2. A run goes when it has as many digits as the moment no longer allows: 13, well heard or not, if it begins as cards
   do; 5 when it is introduced as a card's ("my card number is …"; the last four may be named); 3 in a turn that speaks
   of a security code; while a payment session is open 4, and 3 in a turn that is bare: next to nothing but numbers.
3. Runs that go on from each other, over other turns or words like "and then", go when they make a whole number of one
   of the card brands, Luhn digit and all. A correction ("… 43, sorry, 42 …") may replace the last digits of the run
   before it.
4. Where a number goes, all others of that turn go too (expiry, security code), and so does all of a bare turn within
   the next two. Dates, and amounts with their currency, stay.

Let through on purpose: dates of birth, amounts, phone numbers, account numbers of up to 12 digits (9 in hundreds).
Let through of need: the pieces of a number split over turns that come before the piece that makes it recognisable: at
most 12 digits; 4 if it is introduced as a card's; 2 while a payment session is open and turns are bare.
Cut without need: two long numbers with only a comma between them, when the first begins as cards do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from payagent.phone.spoken_numbers import Number, folded, numbers

MARK = "[card number removed]"

# Counts of digits (rule 2): from here on a run goes.
_CARD_DIGITS = 13
_INTRODUCED_DIGITS = 5
_OPEN_DIGITS = 4
_CODE_DIGITS = 3
_HIDDEN_DIGITS = 10
"""So many in the shortest reading of hundreds and thousands, and the longest reading counts for `_CARD_DIGITS`."""

# How far back rules 3 and 4 reach, in digits, words and turns.
_TAIL_DIGITS = 19
_CORRECTED_DIGITS = 4
_INTRODUCTION_WORDS = 5
_TAIL_TURNS = 3
"""So many turns in a row without a number, and the pieces heard before them are forgotten."""
_WARY_TURNS = 2


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS = _words("uh um uhm er erm eh em este hmm mm dash hyphen guion space espacio okay ok comma coma dot punto")
_CORRECTIONS = _words("no wait sorry actually correction i mean rather perdon digo espera espere corrijo mejor")
_GOING_ON = _words(
    "and then next followed by comes the rest last my digits code is are it's "
    "y luego despues sigue el resto mi codigo es son"
)
_CARD = _words("card tarjeta visa mastercard amex discover")
_OTHER_CARD = _words("insurance member membership id medicare medicaid health library loyalty")
_INTRODUCTION = _words("number no is it's the digits are starts begins with goes numero es son el empieza comienza con")
_SECURITY_CODE = _words("cvv cvc csc security seguridad")
_CURRENCY = _words("$ € £ dollars dollar bucks cents usd euros euro pounds pesos dolares centavos libras")
_HOMOPHONES = {"to": "2", "too": "2", "for": "4", "fore": "4", "won": "1", "ate": "8", "tree": "3", "free": "3"}
"""What speech recognition writes for a digit; taken for one only between two numbers."""
_WITHIN_RUN = _FILLERS | _HOMOPHONES.keys()
_BESIDE_PIECES = _FILLERS | _CORRECTIONS | _GOING_ON

_DATE = r"(?<![\d/.-])(?:\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d|(?:19|20)\d\d-\d{1,2}-\d{1,2})(?![/.-]?\d)"
_TOKEN = re.compile(rf"(?P<date>{_DATE})|\d+|[^\W\d_]+(?:'[^\W\d_]+)*")
_LOGGED = re.compile(r"(?<![0-9A-Za-z])(?<!\d\.)\d(?:[ -]{0,2}\d){12,}(?![0-9A-Za-z])")

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
    longest: int = 0
    goes_on: bool = False
    corrects: bool = False
    introduced: bool = False
    amount: bool = False

    @property
    def digits(self) -> str:
        return "".join(self.numbers)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn's runs; `bare` when it says next to nothing else, `security_code` when it speaks of one."""

    runs: list[_Run]
    bare: bool
    security_code: bool


class CardScanner:
    """Listens to one call: a number may be split over its turns, so it remembers the last 19 digits it let through."""

    def __init__(self) -> None:
        self._tail: list[_Run] = []
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
            return said + sum(len(piece.digits) for piece in self._tail) >= _CODE_DIGITS
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
                self._tail.clear()
            if run.amount:
                continue
            found = found or _completes(self._tail, run)
            self._tail.append(run)
            while sum(len(piece.digits) for piece in self._tail) > _TAIL_DIGITS:
                del self._tail[0]
        return found

    def _remember(self, runs: Sequence[_Run], *, found: bool) -> None:
        self._wary = _WARY_TURNS if found else max(0, self._wary - 1)
        self._turns_without = 0 if runs else self._turns_without + 1
        if found or self._turns_without >= _TAIL_TURNS:
            self._tail.clear()


def redact_text(text: str) -> str:
    """`text`, a line of a log, with `MARK` for card numbers in digits, spaced or dashed; SIDs and hashes stay."""
    return _LOGGED.sub(lambda found: _without(found[0], list(_logged_cards(found[0]))), text)


def _logged_cards(text: str) -> Iterator[_Run]:
    """The card numbers among groups of digits; each begins and ends with a group."""
    groups = list(re.finditer(r"\d+", text))
    done = 0
    for i, first in enumerate(groups):
        nearby = groups[i : i + _TAIL_DIGITS]
        for last, digits in zip(nearby, accumulate(group[0] for group in nearby), strict=True):
            if first.start() >= done and card_length(digits) == len(digits):
                done = last.end()
                yield _Run((digits,), first.start(), done)


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

    Hundreds and thousands may hide digits: there the longest reading counts, if the shortest has 10.
    """
    left = run.longest if len(run.digits) >= _HIDDEN_DIGITS else len(run.digits)
    for number in run.numbers:
        if left >= _CARD_DIGITS and number[0] in "23456":
            return True
        left -= len(number)
    return False


def _completes(heard: Sequence[_Run], run: _Run) -> bool:
    """Whether `run` brings a card number begun in the runs `heard` before it to its end."""
    if not heard:
        return False
    *earlier, last = heard
    pieces = ["", *(piece.digits for piece in reversed(earlier))]
    begun = [
        head + kept for kept in _kept(last, run) for head in accumulate(pieces, lambda after, piece: piece + after)
    ]
    return any(len(digits) < card_length(digits + run.digits) for digits in begun)


def _kept(last: _Run, run: _Run) -> list[str]:
    """What may hold of `last`: all of it, or less if `run` corrects it and is no repetition (just as many digits)."""
    if not run.corrects or len(run.digits) == len(last.digits):
        return [last.digits]
    return [kept for kept in accumulate(last.numbers) if len(kept) >= len(last.digits) - _CORRECTED_DIGITS]


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
    said = [group[0].digits]
    for before, number in pairwise(group):
        said += [_HOMOPHONES[word] for word in words[before.after : number.first] if word in _HOMOPHONES]
        said.append(number.digits)
    return _Run(
        numbers=tuple(said),
        start=start,
        end=tokens[after - 1].end(),
        longest=sum(map(len, said)) + sum(number.longest - len(number.digits) for number in group),
        goes_on=all(word in _BESIDE_PIECES for word in between),
        corrects=not _CORRECTIONS.isdisjoint(between),
        introduced=_introduces_card(words, first),
        amount=not _CURRENCY.isdisjoint([*words[after : after + 1], text[max(0, start - 2) : start].strip()]),
    )


def _introduces_card(words: Sequence[str], first: int) -> bool:
    """Whether the words before word `first` say "my card number is", or the like."""
    n = first - 1
    while n > 0 and first - n <= _INTRODUCTION_WORDS and words[n] in _INTRODUCTION:
        n -= 1
    return n >= 0 and words[n] in _CARD and (n == 0 or words[n - 1] not in _OTHER_CARD)
