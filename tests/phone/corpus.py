"""Generates what callers say: card numbers in every common way, and numbers that are none of them. Seeded.

A `Saying` is the turns of one call. The words that carry the numbers hold no number words of their own, so that
`numbers_left` can tell, with a word list of its own, whether anything of a number was let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from num2words import num2words


@dataclass(frozen=True, slots=True)
class Saying:
    """What a caller says in one call, turn by turn, and the way it is said."""

    way: str
    turns: tuple[str, ...]


_BRANDS = [("4", 16)] * 8 + [("4", 13), ("4", 19)] + [(str(n), 16) for n in range(51, 56)]
_BRANDS += [("34", 15), ("37", 15)] * 2 + [("2221", 16), ("2720", 16), ("6011", 16), ("65", 16), ("3528", 16)]
_BRANDS += [("36", 14), ("5018", 16), ("6759", 19)]
"""First digits and length; visa, the commonest, most often."""

_SAY_EN = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_SAY_ES = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
_TIMES = {"en": {2: "double", 3: "triple"}, "es": {2: "doble", 3: "triple"}}
_HOMOPHONES = {"2": ["to", "too"], "4": ["for"], "1": ["won"], "8": ["ate"]}
_FILLERS = ["uh", "um", ",", "...", "okay", "dash", "eh", "este"]
_SORRY = ["no wait", "sorry", "no, sorry,", "I mean", "actually", "perdón,", "no, espere, digo", "correction"]
_BEFORE = [
    "", "", "my card number is ", "it's ", "Sure. ", "okay so the number is ", "can I just give you my Visa? ",
    "el número de mi tarjeta es ", "claro, es el ", "mi tarjeta es ", "You can charge ", "Yes, hi, please use ",
]  # fmt: skip
_GOING_ON = ["", "", "", "and then ", "uh ", "the rest is ", "y luego ", "then it's "]
_AFTER = ["", "", ".", " thanks", " did you get that?", " por favor", " is my Mastercard", ", gracias"]
_BEHIND = [
    " expires {m:02d}/{y}", " {m:02d} {y}", ", {m:02d}/{y}, {c}", " exp {m:02d} {y} cvv {c}", " and the code is {c}",
    " vence {m:02d}/{y} y el código es {c}", " good through 20{y}, security code {c}",
]  # fmt: skip

_NUMBER_WORD = re.compile(
    r"\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|"
    r"sixty|seventy|eighty|ninety|hundred|thousand|double|triple|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|"
    r"diez|once|doce|trece|catorce|quince|dieci\w+|veint\w+|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|"
    r"cien|ciento|\w+cient[oa]s|quinient[oa]s|mil|doble)\b",
    re.IGNORECASE,
)


def numbers_left(words: str) -> list[str]:
    """The digits and number words still in `words`."""
    return _NUMBER_WORD.findall(words)


def card_number(rng: Random) -> str:
    """A number that one of the card brands could have given out."""
    prefix, length = rng.choice(_BRANDS)
    body = prefix + "".join(rng.choices("0123456789", k=length - 1 - len(prefix)))
    return next(body + check for check in "0123456789" if _luhn(body + check))


def _luhn(digits: str) -> bool:
    return sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(reversed(digits))) % 10 == 0


# How digits are said


def _pieces(digits: str, sizes: Callable[[], int]) -> Iterator[str]:
    while digits:
        size = sizes()
        yield digits[:size]
        digits = digits[size:]


def _fours(digits: str) -> list[str]:
    return list(_pieces(digits, lambda: 4))


def _numerals(digits: str, rng: Random) -> str:
    return digits


def _grouped(digits: str, rng: Random) -> str:
    return rng.choice([" ", "-", " - ", ". ", ", ", " . "]).join(_fours(digits))


def _scattered(digits: str, rng: Random) -> str:
    return rng.choice([" ", "-", ", "]).join(_pieces(digits, lambda: rng.randint(1, 5)))


def _one_by_one(digits: str, rng: Random, language: str) -> str:
    say = _SAY_EN if language == "en" else _SAY_ES
    zero = rng.choice(["zero", "oh", "o"]) if language == "en" else "cero"
    return rng.choice([" ", ", "]).join(zero if d == "0" else say[int(d)] for d in digits)


def _english(digits: str, rng: Random) -> str:
    return _one_by_one(digits, rng, "en")


def _spanish(digits: str, rng: Random) -> str:
    return _one_by_one(digits, rng, "es")


def _repeated(digits: str, rng: Random) -> str:
    language = rng.choice(["en", "es"])
    said = []
    for run in re.finditer(r"(\d)\1{0,2}", digits):
        word = _one_by_one(run[1], rng, language)
        said.append(f"{_TIMES[language][len(run[0])]} {word}" if len(run[0]) > 1 else word)
    return " ".join(said)


def _spoken(digits: str, rng: Random, language: str) -> str:
    """One group as a whole number; leading zeros one by one."""
    if digits[0] == "0":
        zero = _one_by_one("0", rng, language)
        return f"{zero} {_spoken(digits[1:], rng, language)}" if digits[1:] else zero
    return str(num2words(int(digits), lang=language)).replace(",", "")


def _pairs(digits: str, rng: Random) -> str:
    language = rng.choice(["en", "es"])
    odd = len(digits) % 2
    said = " ".join([*digits[:odd], *(_spoken(pair, rng, language) for pair in _pieces(digits[odd:], lambda: 2))])
    return said if rng.random() < 0.5 else said.replace("-", " ")


def _hundreds(digits: str, rng: Random) -> str:
    """Groups of four as "forty-two hundred" or in pairs."""
    return " ".join(
        f"{num2words(int(g[:2]))} hundred" if g[2:] == "00" and g[0] != "0" else _pairs(g, rng) for g in _fours(digits)
    )


def _thousands(digits: str, rng: Random) -> str:
    language = rng.choice(["en", "es"])
    return rng.choice([" ", ", "]).join(_spoken(group, rng, language) for group in _fours(digits))


def _threes(digits: str, rng: Random) -> str:
    language = rng.choice(["en", "es"])
    return " ".join(_spoken(group, rng, language) for group in _pieces(digits, lambda: 3))


def _mixed(digits: str, rng: Random) -> str:
    ways = [_numerals, _english, _spanish, _repeated, _pairs, _thousands]
    return " ".join(rng.choice(ways)(group, rng) for group in _fours(digits))


def _hesitant(digits: str, rng: Random) -> str:
    return " ".join(f"{rng.choice([_english, _numerals])(g, rng)} {rng.choice(_FILLERS)}" for g in _fours(digits))


def _misheard_words(digits: str, rng: Random) -> str:
    """One by one, some of the inner digits written as the words they sound like."""
    inner = [rng.choice(_HOMOPHONES[d]) if d in _HOMOPHONES and rng.random() < 0.4 else d for d in digits[1:-1]]
    return " ".join([digits[0], *inner, digits[-1]])


_WAYS = [
    _numerals, _grouped, _scattered, _english, _spanish, _repeated, _pairs, _hundreds, _thousands, _threes, _mixed,
    _hesitant, _misheard_words,
]  # fmt: skip


# Card numbers


def card_sayings(count: int, seed: int = 1) -> list[Saying]:
    """`count` calls in which a whole card number is said."""
    rng = Random(seed)
    kinds = [_in_one_turn] * 6 + [_split] * 2
    kinds += [_with_expiry, _corrected_group, _started_over, _misheard, _words_between]
    return [rng.choice(kinds)(rng) for _ in range(count)]


def _say(digits: str, rng: Random) -> tuple[str, str]:
    way = rng.choice(_WAYS)
    return way.__name__.strip("_"), way(digits, rng)


def _in_one_turn(rng: Random) -> Saying:
    way, said = _say(card_number(rng), rng)
    return Saying(way, (rng.choice(_BEFORE) + said + rng.choice(_AFTER),))


def _with_expiry(rng: Random) -> Saying:
    way, said = _say(card_number(rng), rng)
    behind = rng.choice(_BEHIND).format(m=rng.randint(1, 12), y=rng.randint(26, 35), c=rng.randint(100, 9999))
    return Saying(f"{way}, expiry", (rng.choice(_BEFORE) + said + behind,))


def _corrected_group(rng: Random) -> Saying:
    """The last group so far is taken back: "4242 4243, sorry, 4242 4242 4242"."""
    groups = _fours(card_number(rng))
    n = rng.randrange(1, len(groups))
    wrong = [*groups[: n - 1], f"{(int(groups[n - 1]) + 1) % 10000:04d}"]
    way = rng.choice([_grouped, _english, _spanish])
    first, second = way("".join(wrong), rng), way("".join(groups[n - 1 :]), rng)
    return Saying("corrected", (f"{rng.choice(_BEFORE)}{first} {rng.choice(_SORRY)} {second}",))


def _started_over(rng: Random) -> Saying:
    number = card_number(rng)
    _, said = _say(number, rng)
    begun = _grouped(number[: rng.randint(2, 12)], rng)
    return Saying("started over", (f"{rng.choice(_BEFORE)}{begun} {rng.choice(_SORRY)} {said}",))


def _misheard(rng: Random) -> Saying:
    """One digit, not the first, is wrong: the Luhn digit does not fit."""
    number = card_number(rng)
    n = rng.randrange(1, len(number))
    way, said = _say(number[:n] + str((int(number[n]) + rng.randint(1, 9)) % 10) + number[n + 1 :], rng)
    return Saying(f"{way}, misheard", (rng.choice(_BEFORE) + said + rng.choice(_AFTER),))


def _words_between(rng: Random) -> Saying:
    groups = _fours(card_number(rng))
    between = rng.choice([" and then ", " then ", " followed by ", " y luego ", " next comes "])
    way = rng.choice([_numerals, _english, _spanish])
    return Saying("words between", (rng.choice(_BEFORE) + between.join(way(group, rng) for group in groups),))


def _split(rng: Random) -> Saying:
    """Groups of four over two to four turns, now and then with a turn without a number between."""
    groups = _fours(card_number(rng))
    way = rng.choice([_numerals, _grouped, _english, _spanish])
    cuts = sorted(rng.sample(range(1, len(groups)), k=rng.randint(1, len(groups) - 1)))
    turns = []
    for start, end in zip([0, *cuts], [*cuts, len(groups)], strict=True):
        turns.append(rng.choice(_GOING_ON if start else _BEFORE) + way("".join(groups[start:end]), rng))
        turns += rng.choice([[], [], [], ["uh-huh"], ["wait, let me see"]]) if end < len(groups) else []
    return Saying("split", tuple(turns))


# Everything else


def other_sayings(count: int, seed: int = 2) -> list[Saying]:
    """`count` calls with dates of birth, amounts, phone and account numbers, and the like, and no card number."""
    rng = Random(seed)
    single = [_birth_date, _birth_date, _amount, _amount, _phone, _account, _account, _small_talk, _last_four, _address]
    kinds = [lambda rng: Saying("", (rng.choice(single)(rng),))] * 8 + [_two_at_once, _taken_back, _conversation]
    return [rng.choice(kinds)(rng) for _ in range(count)]


def _birth_date(rng: Random) -> str:
    day = date(1925, 1, 1) + timedelta(days=rng.randrange(33000))
    ordinal, year = num2words(day.day, to="ordinal"), num2words(day.year, to="year")
    month = day.strftime("%B")
    es = f"{num2words(day.day, lang='es')} de mayo de {num2words(day.year, lang='es')}"
    style = rng.choice(
        [
            f"{month} {ordinal} {year}", f"{month} {day.day}, {day.year}", f"{day:%m/%d/%Y}", f"{day:%m-%d-%Y}",
            f"{day:%Y-%m-%d}", f"{day.month}/{day.day}/{day:%y}", f"the {ordinal} of {month} {day.year}",
            _english(f"{day:%m%d%Y}", rng), f"{day:%m%d%Y}", f"{day:%m %d %Y}", f"{day.month} {day.day} {year}", es,
            f"{day.day} de mayo de {day.year}", _spanish(f"{day:%d%m%Y}", rng),
        ]
    )  # fmt: skip
    return rng.choice(["", "I was born on ", "my date of birth is ", "John Doe, ", "nací el ", "yes, "]) + style


def _amount(rng: Random) -> str:
    cents = rng.choice([rng.randrange(100, 2000000), 100 * rng.randrange(1, 20000)])
    whole, rest = divmod(cents, 100)
    style = rng.choice(
        [
            f"${whole}.{rest:02d}", f"${whole:,}", f"{whole} dollars", f"{num2words(whole)} dollars",
            f"{num2words(whole)} dollars and {num2words(rest)} cents", f"{num2words(whole, lang='es')} dólares",
            f"{num2words(whole, lang='es')} dólares con {num2words(rest, lang='es')} centavos", f"{whole}.{rest:02d}",
            f"{whole} with my card", f"{num2words(whole)}",
        ]
    )  # fmt: skip
    return rng.choice(["I want to pay ", "just ", "quiero pagar ", "I owe ", "about ", ""]) + style


def _phone(rng: Random) -> str:
    digits = f"{rng.randint(2, 9)}{rng.randrange(10**9):09d}"
    a, b, c = digits[:3], digits[3:6], digits[6:]
    style = rng.choice(
        [
            f"{a}-{b}-{c}", f"({a}) {b}-{c}", f"+1 {a} {b} {c}", digits, f"1-{a}-{b}-{c}", _english(digits, rng),
            _spanish(digits, rng), _repeated(digits, rng), f"{_english(a + b, rng)} {_pairs(c, rng)}",
            f"{a} {b} {_pairs(c, rng)}", _english("1" + digits, rng),
        ]
    )  # fmt: skip
    return rng.choice(["call me at ", "my number is ", "mi teléfono es ", "it's ", ""]) + style


def _account(rng: Random) -> str:
    digits = "".join(rng.choices("0123456789", k=rng.randint(5, 12)))
    style = rng.choice([_numerals, _grouped, _scattered, _english, _spanish, _repeated, _pairs])(digits, rng)
    carriers = ["my account number is ", "account ", "cuenta ", "the bill number is ", "member ID ", "it says ", ""]
    return rng.choice(carriers) + style


def _small_talk(rng: Random) -> str:
    n = rng.randint(2, 59)
    return rng.choice(
        [
            f"I've been waiting {n} minutes", f"one moment, I have {n} kids here", f"it was at {n % 12}:30", "at once",
            "can I pay for two of them?", f"in about {num2words(n)} days", "one or two things, to be sure",
            f"oh, {num2words(n)} percent?", "uno o dos días", f"I have {n % 9} cards", "no, for one bill, not for two",
        ]
    )  # fmt: skip


def _last_four(rng: Random) -> str:
    digits = f"{rng.randrange(10**4):04d}"
    said = rng.choice([_numerals, _english, _pairs])(digits, rng)
    return rng.choice(["my card ending in ", "the last four are ", "la tarjeta que termina en "]) + said


def _address(rng: Random) -> str:
    return f"{rng.randrange(1, 9999)} Oak Street, apartment {rng.randrange(1, 99)}, zip {rng.randrange(10**5):05d}"


def _two_at_once(rng: Random) -> Saying:
    ways = rng.sample([_birth_date, _amount, _phone, _account, _address], k=2)
    joint = rng.choice([" and ", ". And ", ", and the other thing is ", " y también "])
    return Saying("two at once", (joint.join(way(rng) for way in ways),))


def _taken_back(rng: Random) -> Saying:
    way = rng.choice([_amount, _phone, _account])
    return Saying("taken back", (f"{way(rng)}, {rng.choice(_SORRY)} {way(rng)}",))


def _conversation(rng: Random) -> Saying:
    ways = rng.choices([_birth_date, _amount, _phone, _account, _small_talk, _last_four], k=rng.randint(2, 5))
    return Saying("conversation", tuple(way(rng) for way in ways))
