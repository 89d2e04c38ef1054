"""Card numbers are cut out of what callers say and of what is logged; other numbers get through."""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

import pytest
from corpus import Saying, card_number, card_sayings, numbers_left, other_sayings
from spoken_cards import digits_left, negatives, positives

from payagent.phone.redaction import MARK, CardScanner, card_length

LEFT_OF_A_CARD = 4
"""A card's last four digits are told everywhere; more is a miss."""
VISA = "4242 4242 4242 4242"


def heard(*turns: str, strict: bool = False) -> list[str]:
    """What one call's scanner leaves of its turns."""
    scanner = CardScanner()
    return [scanner.cut(turn, strict=strict).words for turn in turns]


def is_missed(saying: Saying) -> bool:
    """Whether any of the card number's last piece got through."""
    scanner = CardScanner()
    cuts = [scanner.cut(turn, strict=False) for turn in saying.turns]
    return not cuts[-1].found or bool(numbers_left(cuts[-1].words))


@pytest.mark.promise(4)
@pytest.mark.no_cover
def test_no_card_number_of_the_corpus_gets_through(capsys: pytest.CaptureFixture[str]) -> None:
    """10 000 spoken card numbers, well heard and misheard, whole, corrected and split: none is missed."""
    sayings = card_sayings(10_000)

    missed = [saying for saying in sayings if is_missed(saying)]

    with capsys.disabled():
        print(f"\nspoken card numbers missed: {len(missed)} of {len(sayings)}")  # noqa: T201  the rates are to be read
    assert missed == [], Counter(saying.way for saying in missed)


@pytest.mark.no_cover
def test_other_numbers_of_the_corpus_get_through(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 10 000 calls with dates, amounts, phone and account numbers fewer than 0.1 % lose anything."""
    sayings = other_sayings(10_000)

    alarms = [saying for saying in sayings if heard(*saying.turns) != list(saying.turns)]

    with capsys.disabled():
        print(f"\nfalse alarms: {len(alarms)} of {len(sayings)}")  # noqa: T201  the rates are to be read
    assert len(alarms) < 10, alarms


@pytest.mark.promise(4)
def test_a_number_in_one_turn_leaves_nothing_of_it_in_strict_either() -> None:
    """With a payment open the same corpus is cut just as well."""
    for saying in card_sayings(500, seed=3):
        left = heard(*saying.turns, strict=True)

        assert numbers_left(left[-1]) == []


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("turn", "left"),
    [
        (f"my card is {VISA}, ok?", f"my card is {MARK}, ok?"),
        ("4242424242424242", MARK),
        ("four two four two four two four two four two four two four two four two", MARK),
        ("Double four triple two oh one two three four five six seven nine", MARK),
        ("forty-two forty-two forty-two forty-two forty-two forty-two forty-two forty-two", MARK),
        ("cuatro mil doscientos cuarenta y dos " * 4, f"{MARK} "),
        ("doble cuatro doble dos, doble cuatro doble dos, cuatro dos cuatro dos cuatro dos", MARK),
        ("42 hundred 42 hundred 42 hundred 42 hundred", MARK),
        ("5 for 2 to 5 for 2 to 5 for 2 to 5 5", MARK),
        ("veintido\u0301s " * 8, f"{MARK} "),
        ("4242 uh 4242 dash 4242 um 4243", MARK),
        ("４２４２ ４２４２ ４２４２ ４２４２", MARK),  # noqa: RUF001
        ("4242\u200b4242\u00a04242\u20114242", MARK),
        ("4242 4242 4243, no sorry, 4242 4242", f"{MARK}, no sorry, {MARK}"),
        ("4242 and then 4242 and then 4242 and then 4242", " and then ".join([MARK] * 4)),
        (f"pay $600.00 with {VISA} exp 12/27 cvv 123", f"pay $600.00 with {MARK} exp {MARK} cvv {MARK}"),
        (f"born 05/01/1990, card {VISA}", f"born 05/01/1990, card {MARK}"),
        ("my card number is 4242 4242", f"my card number is {MARK}"),
        ("mi tarjeta empieza con 4242 42", f"mi tarjeta empieza con {MARK}"),
        ("the security code is 123", f"the security code is {MARK}"),
    ],
)
def test_what_belongs_to_a_card_goes(turn: str, left: str) -> None:
    """The number in any grouping and wording, and the expiry and code that come with it."""
    cut = CardScanner().cut(turn, strict=False)

    assert (cut.words, cut.found) == (left, True)


@pytest.mark.parametrize(
    "turn",
    [
        "May first nineteen ninety",
        "05/01/1990",
        "1990-05-01, and my phone is 555-123-4567",
        "May first nineteen ninety 555 123 4567",
        "six hundred dollars",
        "twelve thousand seven hundred and fifty-four dollars and thirty-two cents",
        "call me at +1 555 123 4567",
        "account 123456789012",
        "my account is 4242 4242 4242",
        "my card ending in 4242",
        "my insurance card number is 42424242",
        "the number is 555-123-4567, sorry, 555-123-4568",
        "the number is 424-242-4242, sorry, 424-242-4242",
        "one or two things for you, to be sure",
        "",
    ],
)
def test_what_is_needed_gets_through(turn: str) -> None:
    """Dates of birth, amounts, phone and account numbers, the last four: untouched, to the letter."""
    cut = CardScanner().cut(turn, strict=False)

    assert (cut.words, cut.found) == (turn, False)


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("turn", "left"),
    [
        ("it starts with 4242", f"it starts with {MARK}"),
        ("it starts with four two four two", f"it starts with {MARK}"),
        ("05/01/1990", MARK),
        ("twelve hundred dollars", f"{MARK} dollars"),
        ("one two three", MARK),
        ("my code is 123", f"my code is {MARK}"),
        ("is it the cvv, the 123 there?", f"is it the cvv, the {MARK} there?"),
        ("I have been waiting 20 minutes", "I have been waiting 20 minutes"),
        ("make it three hundred dollars", "make it three hundred dollars"),
        ("the 360 plan", "the 360 plan"),
    ],
)
def test_while_a_payment_is_open_four_digits_go(turn: str, left: str) -> None:
    """Four digits in a row go, spelt out too; three where they are likely a security code."""
    assert heard(turn, strict=True) == [left]


@pytest.mark.promise(4)
def test_single_digits_said_turn_by_turn_are_noticed_at_the_third() -> None:
    """With a payment open, at most two of them get through."""
    assert heard("four", "2", "four", "2", "uh 4", strict=True) == ["four", "2", MARK, MARK, f"uh {MARK}"]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("turns", "left"),
    [
        (["4242 4242", "4242 4242"], ["4242 4242", MARK]),
        (["it's 4242 4242 42", "let me see", "then 42 4242"], ["it's 4242 4242 42", "let me see", f"then {MARK}"]),
        (["4242 4242", "it\u2019s 4242 4242"], ["4242 4242", f"it's {MARK}"]),
        (["123456789", "123456", "4242 4242", "4242 4242"], ["123456789", "123456", "4242 4242", MARK]),
        (["4242 4242", "4242 4242 12 27 123"], ["4242 4242", MARK]),
        (["4242 4242 4243", "no sorry 4242 4242"], ["4242 4242 4243", f"no sorry {MARK}"]),
        (["my card number is 4242", "4242", "4242 4242"], ["my card number is 4242", "4242", MARK]),
        (["the card is 42424", "24", "the rest is 242"], [f"the card is {MARK}", MARK, f"the rest is {MARK}"]),
        ([VISA, "12 27", "and the code is 123"], [MARK, MARK, f"and the code is {MARK}"]),
    ],
)
def test_a_number_split_over_turns_is_noticed_when_it_is_whole(turns: list[str], left: list[str]) -> None:
    """What came before cannot be called back; what completes it, and what follows, goes."""
    assert heard(*turns) == left


@pytest.mark.parametrize(
    "between",
    [
        ["my account is 555"],
        ["one", "two"],
        ["it costs", "how much", "is it"],
        ["600 dollars"],
    ],
)
def test_pieces_are_forgotten_when_something_else_was_said(between: list[str]) -> None:
    """Another number, or three turns without one, and the beginning no longer counts."""
    assert heard("4242 4242", *between, "4242 4242")[-1] == "4242 4242"


def test_the_watch_after_a_card_number_ends() -> None:
    """Two turns later digits said alone get through again, and those with words around them at once."""
    assert heard(VISA, "ok", "and", "4839201")[-1] == "4839201"
    assert heard(VISA, "ok", "4839201")[-1] == MARK
    assert heard(VISA, "my account is 4839201")[-1] == "my account is 4839201"


def test_an_amount_is_no_beginning_of_a_card_number() -> None:
    """What is a whole card number only with an amount before it gets through."""
    assert heard("pay $4242.42", "4242424242")[-1] == "4242424242"


def test_a_number_that_was_cut_is_forgotten() -> None:
    """The scanner does not hold on to it: three digits that would lengthen it to another number get through."""
    three = next(f"{n:03d}" for n in range(1000) if card_length(f"4242424242424242{n:03d}") == 19)

    assert heard(VISA, "ok", "so", three)[-1] == three


def test_calls_do_not_mix() -> None:
    """Each call has its own scanner: pieces of two calls make no number."""
    assert heard("4242 4242") == ["4242 4242"]
    assert heard("4242 4242") == ["4242 4242"]


@pytest.mark.parametrize(
    "turn",
    [
        "Ada Payer, June 20, 1931, 787 555 0136",
        "el tres de marzo de mil novecientos setenta y cuatro, 602-555-0169",
        "veintisiete del seis del mil novecientos sesenta y cinco, seis cero dos cinco cinco cinco cero uno cero ocho",
        "oh eight one six nineteen sixty four, seven eight seven five five five oh one seven six",
        "12-21-54, 305 555 0136",
        "05 01 1990, 415 555 0132",
    ],
)
def test_a_phone_number_behind_a_date_of_birth_gets_through(turn: str) -> None:
    """Together they have as many digits as a card number."""
    assert heard(turn) == [turn]


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "turn",
    [
        "4242, let me see, 4242, hold on, 4242, next is 4242",
        "4242 1313, oops, scratch that, 4242 4242 4242",
        "for two for two 4242 4242 4242",
        "triple oh, no wait, 4000, o five six six, 5566 5556",
        "05 01 1990 and it is 4242 4242 4242 4242",
        "4012 three three four four, oh sorry, eighty eight eighty eight, then eighty eight eighty eight, 1881",
    ],
)
def test_hesitation_and_slips_hide_no_card_number(turn: str) -> None:
    """A few words between its parts, a part taken back, a digit heard as a word."""
    scanner = CardScanner()
    cut = scanner.cut(turn, strict=False)

    assert cut.found
    assert digits_left(cut.words.replace(MARK, "")) <= LEFT_OF_A_CARD


# The second corpus (see `spoken_cards`). Before its failures had been looked at, the scanner of the first corpus missed
# 3.3 % of its card numbers and cut in 4.7 % of the calls without one; on both corpora it was then mended.


@pytest.mark.promise(4)
@pytest.mark.no_cover
def test_no_card_number_of_the_second_corpus_gets_through(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 10 000 callers of another author fewer than 0.3 % get more than four digits of a card through."""
    cases = positives(10_000)

    missed = []
    for case in cases:
        scanner = CardScanner()
        left = [scanner.cut(turn, strict=case.open).words.replace(MARK, "") for turn in case.turns]
        if sum(map(digits_left, left)) > LEFT_OF_A_CARD:
            missed.append(case.kind)
    with capsys.disabled():
        print(f"\nsecond corpus, card numbers missed: {len(missed)} of {len(cases)}, {Counter(missed)}")  # noqa: T201
    assert len(missed) < 30, Counter(missed)


@pytest.mark.no_cover
def test_other_numbers_of_the_second_corpus_get_through(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 10 000 calls with dates, amounts, phone and account numbers fewer than 0.3 % lose anything."""
    cases = negatives(10_000)

    alarms = [case.kind for case in cases if heard(*case.turns) != list(case.turns)]

    with capsys.disabled():
        print(f"\nsecond corpus, false alarms: {len(alarms)} of {len(cases)}")  # noqa: T201
    assert len(alarms) < 30, Counter(alarms)


@pytest.mark.promise(4)
def test_every_brands_numbers_are_known_with_what_may_follow() -> None:
    """A number of any brand is one alone and with expiry and code behind it, and none with a digit changed."""
    rng = Random(7)
    for _ in range(500):
        number = card_number(rng)
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)

        assert card_length(number) == len(number)
        assert card_length(number + "1227" + "123") == len(number)
        assert card_length(wrong) == 0


@pytest.mark.parametrize("piece", ["1 a ", "42 ", "double ", "twenty y ", "4 no ", "card is ", "5 uh ", "4242-", "- "])
def test_long_input_is_read_in_steps_that_grow_with_its_length(piece: str) -> None:
    """Four times the words take about four times the steps (function calls, not time), however they are chosen."""

    def steps(text: str) -> int:
        count = 0

        def counting(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(counting)
        try:
            CardScanner().cut(text, strict=False)
        finally:
            sys.setprofile(None)
        return count

    assert steps(piece * 400) < 5 * steps(piece * 100)
