"""A second corpus of spoken card numbers and of numbers that are none, by another hand than `corpus`.

Written before its author had read the scanner or the first corpus. It goes by how people read a number off a card: they
cut it into groups, say each group in one of a few ways, hesitate, correct themselves, stop in the middle and go on when
asked, and add what else is on the card. The cards are those that processors publish for tests.

A positive is judged by what is left of it: the digits of all number words and figures in the card's turns that are
still there. Up to four may be (a card's last four are told everywhere); one more is a miss. A negative has to come
through letter by letter.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

CARDS = (
    *("4242424242424242", "4111111111111111", "4012888888881881", "4000056655665556", "4000002500003155"),
    *("4000000000009995", "4917610000000000", "4005519200000004", "4009348888881881", "4012000033330026"),
    *("4500600000000061", "4222222222222", "5555555555554444", "5105105105105100", "5200828282828210"),
    *("2223003122003222", "2223000048400011", "378282246310005", "371449635398431", "6011111111111117"),
    *("6011000990139424", "6011981111111113", "3056930009020004", "36227206271667", "3566002020360505"),
    "6200000000000005",
)
"""Published test numbers of Stripe, Braintree, Adyen and PayPal: 13 to 16 digits, all the usual brands."""

EN = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
EN_SMALL = [*EN.split(), "eighteen", "nineteen"]
EN_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
ES = "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete"
ES_SMALL = [*ES.split(), "dieciocho", "diecinueve", "veinte", "veintiuno", "veintidós", "veintitrés", "veinticuatro"]
ES_SMALL += ["veinticinco", "veintiséis", "veintisiete", "veintiocho", "veintinueve"]
ES_TENS = ["", "", "", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"]
ES_HUNDREDS = ["", "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos"]
ES_HUNDREDS += ["ochocientos", "novecientos"]


@dataclass(frozen=True)
class Case:
    """What a caller says, turn by turn; `open`: the keypad is open for a card. `kind` names how it came about."""

    kind: str
    turns: tuple[str, ...]
    open: bool = False


# Saying a group of digits


def two(n: int, language: str) -> str:
    """A number below a hundred, in words."""
    if language == "en":
        if n < 20:
            return EN_SMALL[n]
        return EN_TENS[n // 10] + (f" {EN_SMALL[n % 10]}" if n % 10 else "")
    if n < 30:
        return ES_SMALL[n]
    return ES_TENS[n // 10] + (f" y {ES_SMALL[n % 10]}" if n % 10 else "")


def below_thousand(n: int, language: str) -> str:
    if n < 100:
        return two(n, language)
    rest = n % 100
    if language == "en":
        return f"{EN_SMALL[n // 100]} hundred" + (f" {two(rest, language)}" if rest else "")
    if n == 100:
        return "cien"
    return ES_HUNDREDS[n // 100] + (f" {two(rest, language)}" if rest else "")


def thousands(n: int, language: str) -> str:
    """A number below ten thousand, in words."""
    if n < 1000:
        return below_thousand(n, language)
    many, rest = n // 1000, n % 1000
    head = f"{EN_SMALL[many]} thousand" if language == "en" else ("mil" if many == 1 else f"{ES_SMALL[many]} mil")
    return head + (f" {below_thousand(rest, language)}" if rest else "")


def one_by_one(group: str, language: str, chance: random.Random) -> str:
    small = EN_SMALL if language == "en" else ES_SMALL
    zero = chance.choice(["zero", "oh", "o"]) if language == "en" else "cero"
    return " ".join(zero if d == "0" else small[int(d)] for d in group)


def with_doubles(group: str, language: str, chance: random.Random) -> str:
    """“double four”, “triple oh”, “doble cuatro”."""
    names = {2: "double", 3: "triple"} if language == "en" else {2: "doble", 3: "triple"}
    said, at = [], 0
    while at < len(group):
        run = len(group[at:]) - len(group[at:].lstrip(group[at]))
        take = min(run, 3) if run > 1 and chance.random() < 0.8 else 1
        said.append((f"{names[take]} " if take > 1 else "") + one_by_one(group[at], language, chance))
        at += take
    return " ".join(said)


def in_pairs(group: str, language: str, chance: random.Random) -> str:
    """“forty two, oh five”; an odd digit stands alone."""
    pairs = [group[n : n + 2] for n in range(0, len(group), 2)]
    return " ".join(
        one_by_one(pair, language, chance) if len(pair) < 2 or pair[0] == "0" else two(int(pair), language)
        for pair in pairs
    )


def as_number(group: str, language: str, chance: random.Random) -> str:
    """“four thousand two hundred forty two”, “fifty five hundred”; groups that begin with nought digit by digit."""
    if group[0] == "0" or len(group) > 4:
        return in_pairs(group, language, chance)
    if language == "en" and len(group) == 4 and group.endswith("00") and group[1] != "0" and chance.random() < 0.5:
        return f"{two(int(group[:2]), language)} hundred"
    return thousands(int(group), language)


def figures(group: str, language: str, chance: random.Random) -> str:
    return group


def figure_by_figure(group: str, language: str, chance: random.Random) -> str:
    return chance.choice([" ", ", ", "-", ". "]).join(group)


def misheard(group: str, language: str, chance: random.Random) -> str:
    """What a recogniser makes of digits: “for two for two”, “ate”, “won”."""
    if language != "en":
        return one_by_one(group, language, chance)
    alike = {"4": "for", "2": "to", "8": "ate", "1": "won"}
    return " ".join(
        alike[d] if d in alike and chance.random() < 0.25 else one_by_one(d, language, chance) for d in group
    )


Say = Callable[[str, str, random.Random], str]
WAYS: tuple[Say, ...] = (*(one_by_one, with_doubles, in_pairs, as_number, figures, figure_by_figure, misheard),)


def groups(card: str, chance: random.Random) -> list[str]:
    """How it is printed, in one go, or cut anyhow."""
    if chance.random() < 0.15:
        return [card]
    if chance.random() < 0.2:
        sizes = []
        while sum(sizes) < len(card):
            sizes.append(chance.choice([2, 3, 4, 5]))
    else:
        sizes = [4, 6, 5] if len(card) == 15 else [4, 4, 4, 4]
    cut, at = [], 0
    for size in sizes:
        if card[at : at + size]:
            cut.append(card[at : at + size])
        at += size
    return cut


HESITATION = {
    "en": ["um", "uh", "then", "and then", "let me see", "dash", "space", "okay", "next is", "hold on", "after that"],
    "es": ["eh", "este", "luego", "y luego", "a ver", "guion", "espacio", "bueno", "después viene", "espere"],
}
BEFORE = {
    "en": [
        "",
        "",
        "My card number is",
        "The number is",
        "It's",
        "Sure, it's",
        "Okay, here goes:",
        "Use my Visa,",
        "Can't I just tell you? It's",
        "You can take my Mastercard",
        "I'll read it to you,",
        "Card number",
        "Yes,",
    ],
    "es": [
        "",
        "",
        "Mi número de tarjeta es",
        "El número es",
        "Es el",
        "Claro, es",
        "Ahí va:",
        "Use mi Visa,",
        "¿No se lo puedo decir? Es",
        "Le leo la tarjeta,",
        "Número de tarjeta",
        "Sí,",
        "La tarjeta es la",
    ],
}
BEHIND = {
    "en": ["", "", "", "Is that okay?", "Did you get that?", "Thank you.", "That's all of it.", "Please charge that."],
    "es": ["", "", "", "¿Está bien?", "¿Lo tiene?", "Gracias.", "Eso es todo.", "Cobre ahí, por favor."],
}
CORRECTION = {
    "en": ["no sorry,", "no wait,", "I mean", "scratch that,", "correction,", "let me start over,", "oops,"],
    "es": ["no, perdón,", "no espere,", "quiero decir", "corrijo,", "me equivoqué,", "empiezo de nuevo,", "digo,"],
}
REST = {
    "en": [
        "expires {m} {y}",
        "expiration {m}/{y}",
        "exp date {mw} {yw}",
        "good through {mw} {yw}, code {c}",
        "valid until {m} {y} and the security code is {cw}",
        "and it's {mw} of {yw}, CVV {c}",
    ],
    "es": [
        "vence {m} {y}",
        "vencimiento {m}/{y}",
        "fecha {mw} {yw}",
        "vence en {mw} {yw}, código {c}",
        "válida hasta {m} {y} y el código de seguridad es {cw}",
    ],
}


def spoken(card: str, language: str, chance: random.Random, way: Say | None = None) -> list[str]:
    """Its groups as they are said, one way for all of them or a way each."""
    way = way or (chance.choice(WAYS) if chance.random() < 0.8 else None)
    return [(way or chance.choice(WAYS))(group, language, chance) for group in groups(card, chance)]


def joined(said: list[str], language: str, chance: random.Random) -> str:
    """With pauses and hesitation between the groups."""
    words = ""
    for n, group in enumerate(said):
        if n:
            words += chance.choice([" ", " ", ", ", ", ", "... ", "-" if group[0].isdigit() else " "])
            words += f"{chance.choice(HESITATION[language])} " if chance.random() < 0.12 else ""
        words += group
    return words


def framed(words: str, language: str, chance: random.Random) -> str:
    before, behind = chance.choice(BEFORE[language]), chance.choice(BEHIND[language])
    return f"{before} {words}{chance.choice(['', '.'])} {behind}".strip()


def plainly(card: str, language: str, chance: random.Random) -> Case:
    text = framed(joined(spoken(card, language, chance), language, chance), language, chance)
    return Case("in one turn", (text,), chance.random() < 0.5)


def corrected(card: str, language: str, chance: random.Random) -> Case:
    """A group goes wrong and is said again, or all of it is."""
    said = spoken(card, language, chance)
    at = chance.randrange(len(said))
    wrong = "".join(chance.choice("0123456789") for _ in range(4))
    slip = f"{one_by_one(wrong, language, chance)} {chance.choice(CORRECTION[language])}"
    again = said if chance.random() < 0.3 else said[at:]
    said = [*said[:at], slip, *again]
    return Case("corrected midway", (framed(joined(said, language, chance), language, chance),), chance.random() < 0.5)


def rest_behind(card: str, language: str, chance: random.Random) -> Case:
    """With expiry and code behind it."""
    month, year = chance.randint(1, 12), chance.randint(26, 35)
    code = f"{chance.randint(0, 999):03}"
    rest = chance.choice(REST[language]).format(
        m=f"{month:02}",
        y=year,
        c=code,
        mw=two(month, language),
        yw=two(year, language),
        cw=one_by_one(code, language, chance),
    )
    words = f"{joined(spoken(card, language, chance), language, chance)}, {rest}"
    return Case("with expiry behind it", (framed(words, language, chance),), chance.random() < 0.5)


def over_turns(card: str, language: str, chance: random.Random) -> Case:
    """The caller is cut short and goes on; the keypad is open, for that is when people start to read."""
    said = spoken(card, language, chance)
    if len(said) < 2:
        said = [one_by_one(card[n : n + 4], language, chance) for n in range(0, len(card), 4)]
    cuts = sorted(chance.sample(range(1, len(said)), min(len(said) - 1, chance.choice([1, 1, 2, 3]))))
    parts = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    turns = [joined(part, language, chance) for part in parts]
    turns[0] = f"{chance.choice(BEFORE[language])} {turns[0]}".strip()
    return Case("over several turns, keypad open", tuple(turns), open=True)


KINDS = (plainly, plainly, corrected, rest_behind, over_turns)


def positives(n: int, seed: int = 1) -> list[Case]:
    """Callers who say a card number."""
    chance = random.Random(seed)
    return [
        chance.choice(KINDS)(chance.choice(CARDS), "en" if chance.random() < 0.6 else "es", chance) for _ in range(n)
    ]


# What is left of it

_WEIGHT = {
    **dict.fromkeys([*EN_SMALL[:10], *ES_SMALL[:10], "oh", "double", "triple", "doble"], 1),
    **dict.fromkeys([*EN_SMALL[10:], *ES_SMALL[10:]], 2),
    **dict.fromkeys([*EN_TENS[2:], *ES_TENS[3:], "hundred", "thousand", "cien", "mil", *ES_HUNDREDS[1:]], 1),
}


def digits_left(text: str) -> int:
    """How many digits can still be read in it."""
    return sum(len(re.sub(r"\D", "", w)) or _WEIGHT.get(w, 0) for w in re.findall(r"[\w]+", text.casefold()))


# Numbers that are no card's

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
MONTHS = {language: names.split() for language, names in _MONTHS.items()}
NAMES = ["Ada Payer", "John Doe", "María López", "Sam O'Neill", "Lucía Fernández", "Peter Q. Smith"]


def year_in_words(year: int, language: str, chance: random.Random) -> str:
    if language == "es":
        return thousands(year, language)
    if year >= 2000:
        return f"two thousand {two(year - 2000, language)}" if year > 2000 else "two thousand"
    rest = year % 100
    return f"nineteen {'oh ' if 0 < rest < 10 else ''}{two(rest, language) if rest else 'hundred'}"


def birth(language: str, chance: random.Random) -> str:
    day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(1930, 2008)
    name = MONTHS[language][month - 1]
    if language == "en":
        return chance.choice(
            [
                f"{name} {day}, {year}",
                f"{name} {two(day, language)} {year_in_words(year, language, chance)}",
                f"the {day}th of {name} {year}",
                f"{month}/{day}/{year}",
                f"{month:02}-{day:02}-{year % 100:02}",
                f"{month:02} {day:02} {year}",
                f"{one_by_one(f'{month:02}', language, chance)} {one_by_one(f'{day:02}', language, chance)}"
                f" {year_in_words(year, language, chance)}",
                f"{two(month, language)} {two(day, language)} {one_by_one(str(year), language, chance)}",
            ]
        )
    return chance.choice(
        [
            f"{day} de {name} de {year}",
            f"el {two(day, language)} de {name} de {year_in_words(year, language, chance)}",
            f"{day}/{month}/{year}",
            f"{day:02} {month:02} {year}",
            f"{two(day, language)} del {two(month, language)} del {year_in_words(year, language, chance)}",
        ]
    )


def any_way(group: str, language: str, chance: random.Random) -> str:
    return chance.choice([one_by_one, with_doubles, in_pairs, figures, figure_by_figure])(group, language, chance)


def phone(language: str, chance: random.Random) -> str:
    """Numbers kept for fiction: 555-01xx."""
    area, last = chance.choice(["415", "212", "305", "787", "602"]), f"01{chance.randint(0, 99):02}"
    parts = [area, "555", last]
    country = chance.choice(["", "", "+1 ", "1 "]) if chance.random() < 0.5 else ""
    way = chance.choice([one_by_one, with_doubles, figures, figures, in_pairs])
    return country + chance.choice([" ", "-", ", "]).join(way(part, language, chance) for part in parts)


def account(language: str, chance: random.Random) -> str:
    number = "".join(chance.choice("0123456789") for _ in range(chance.randint(5, 12)))
    return any_way(number, language, chance)


def amount(language: str, chance: random.Random) -> str:
    whole, cents = chance.randint(1, 9999), chance.choice([0, 0, 50, 99, chance.randint(1, 99)])
    dollars, unit = ("dollars", "cents") if language == "en" else ("dólares", "centavos")
    link = "and" if language == "en" else "con"
    tail = f" {link} {two(cents, language)} {unit}" if cents else ""
    return chance.choice(
        [f"${whole:,}.{cents:02}", f"{whole} {dollars}", f"{thousands(whole, language)} {dollars}{tail}"]
    )


FRAMES = {
    "en": [
        ("date of birth", ["I was born {birth}.", "{birth}", "{name}, {birth}", "My name is {name} and it's {birth}."]),
        ("amount", ["I'd like to pay {amount}.", "{amount}", "Can I do {amount} now and {amount} later?"]),
        ("phone", ["My phone number is {phone}.", "Call me back at {phone}", "{phone}, that's my cell."]),
        ("account", ["My account number is {account}.", "Account {account}", "The invoice says {account}."]),
        ("birth and phone", ["{name}, {birth}, {phone}", "Born {birth}, phone {phone}."]),
        ("last four", ["The card ending in {four}.", "Is it the one with {four} at the end?"]),
        ("postal code", ["My zip is {zip}.", "{house} Main Street, {zip}"]),
        ("two dates", ["The visits were on {birth} and {birth}.", "From {birth} to {birth}"]),
        ("bill", ["The bill of {birth} over {amount}", "I paid {amount} on {birth}, didn't I?"]),
        ("talk", ["I have {small} kids and {small} bills.", "It's {small} past {small}.", "Give me {small} minutes."]),
    ],
    "es": [
        ("date of birth", ["Nací el {birth}.", "{birth}", "{name}, {birth}", "Soy {name} y nací el {birth}."]),
        ("amount", ["Quiero pagar {amount}.", "{amount}", "¿Puedo pagar {amount} hoy y {amount} después?"]),
        ("phone", ["Mi teléfono es {phone}.", "Llámeme al {phone}", "{phone}, es mi celular."]),
        ("account", ["Mi número de cuenta es {account}.", "Cuenta {account}", "La factura dice {account}."]),
        ("birth and phone", ["{name}, {birth}, {phone}", "Nací el {birth}, teléfono {phone}."]),
        ("last four", ["La tarjeta que termina en {four}.", "¿Es la de {four} al final?"]),
        ("postal code", ["Mi código postal es {zip}.", "Calle Mayor {house}, {zip}"]),
        ("two dates", ["Las visitas fueron el {birth} y el {birth}.", "Del {birth} al {birth}"]),
        ("bill", ["La factura del {birth} por {amount}", "Pagué {amount} el {birth}, ¿no?"]),
        ("talk", ["Tengo {small} hijos y {small} facturas.", "Son las {small} y {small}.", "Deme {small} minutos."]),
    ],
}


def sentence(language: str, chance: random.Random) -> tuple[str, str]:
    kind, frames = chance.choice(FRAMES[language])
    fill: dict[str, Callable[[], str]] = {
        "birth": lambda: birth(language, chance),
        "amount": lambda: amount(language, chance),
        "phone": lambda: phone(language, chance),
        "account": lambda: account(language, chance),
        "name": lambda: chance.choice(NAMES),
        "four": lambda: any_way(f"{chance.randint(0, 9999):04}", language, chance),
        "zip": lambda: any_way(f"{chance.randint(501, 99950):05}", language, chance),
        "house": lambda: str(chance.randint(1, 9999)),
        "small": lambda: two(chance.randint(2, 40), language),
    }
    return kind, re.sub(r"\{(\w+)\}", lambda slot: fill[slot[1]](), chance.choice(frames))


def negatives(n: int, seed: int = 2) -> list[Case]:
    """Callers who say other numbers, one to three turns of them."""
    chance = random.Random(seed)
    cases = []
    for _ in range(n):
        language = "en" if chance.random() < 0.6 else "es"
        said = [sentence(language, chance) for _ in range(chance.choice([1, 1, 2, 3]))]
        cases.append(Case(" + ".join(kind for kind, _ in said), tuple(text for _, text in said)))
    return cases
