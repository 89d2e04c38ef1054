"""What the model may not say of the money: every claim that the record does not bear out, however it is put."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from payagent.flow.claim_watch import ClaimWatch
from payagent.flow.claims import OnRecord
from payagent.flow.facts import Facts, Payment
from payagent.flow.money import Money
from payagent.flow.states import Outcome

LISTS = Path(__file__).parent / "claims"
VARIANTS = 6
FILL = {
    "en": {
        "amount": ["$600", "$600.00", "600 dollars", "six hundred dollars", "$1,250.50"],
        "code": ["123", "ABC123", "ch 4 5 6", "one two three four", "A-7-7-1"],
        "card": ["your card", "your Visa", "the card ending in 4242"],
        "bill": ["clinic visit", "lab work"],
    },
    "es": {
        "amount": ["$600", "600 dólares", "seiscientos dólares", "$1,250.50"],
        "code": ["123", "ABC123", "A 4 5 6", "uno dos tres cuatro"],
        "card": ["su tarjeta", "su Visa", "la tarjeta que termina en 4242"],
        "bill": ["la visita", "el laboratorio"],
    },
}
BEFORE = {
    "en": ["", "", "Okay, ", "Great news! ", "Thanks for waiting, Ada. ", "Would you like to know more? "],
    "es": ["", "", "Muy bien, ", "¡Buenas noticias! ", "Gracias por esperar, Ada. ", "¿Desea saber más? "],
}
BEHIND = {
    "en": ["", "", " Is there anything else?", " Please stay on the line."],
    "es": ["", "", " ¿Algo más?", " No cuelgue, por favor."],
}


def spoken(text: str, record: OnRecord, chance: random.Random) -> tuple[str, str]:
    """What passes of a text that streams in pieces of one to seven letters, and what is stopped."""
    watch, passed, at = ClaimWatch(record), "", 0
    while at < len(text):
        size = chance.randint(1, 7)
        passed += watch.feed(text[at : at + size])
        at += size
    return passed + watch.end(), watch.stopped


def said(text: str, record: OnRecord | None = None) -> str:
    """What the caller hears of it."""
    passed, stopped = spoken(text, record or OnRecord(), random.Random(1))
    return f"{passed}|" if stopped else passed


def lines(language: str, kind: str) -> list[str]:
    return [line for path in sorted(LISTS.glob(f"{language}_{kind}_*.txt")) for line in path.read_text().splitlines()]


def utterances(language: str, kind: str, chance: random.Random) -> Iterator[str]:
    for line in lines(language, kind):
        for _ in range(VARIANTS):
            text = re.sub(r"\{(\w+)\}", lambda slot: chance.choice(FILL[language][slot[1]]), line)
            before = chance.choice(BEFORE[language])
            text = text if before.endswith(", ") else text[0].upper() + text[1:]
            yield before + text + chance.choice(BEHIND[language])


def measured(language: str, kind: str) -> tuple[int, int, list[str]]:
    """How many sentences of a kind there are, how many of them were judged wrongly, and the first few of those."""
    chance = random.Random(f"{language} {kind}")
    wrong, n = [], 0
    for text in utterances(language, kind, chance):
        n += 1
        passed, stopped = spoken(text, OnRecord(), chance)
        if bool(stopped) != (kind == "claims"):
            wrong.append(text)
        elif not stopped:
            assert passed == text  # not a letter of harmless words is lost
        else:
            assert text.startswith(passed)
    return n, len(wrong), wrong[:10]


@pytest.mark.promise(3)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", ["claims", "harmless"])
def test_the_rates_are_those_published(language: str, kind: str) -> None:
    """On thousands of sentences, streamed in pieces; `claims/README.md` tells how they came about."""
    n, wrong, examples = measured(language, kind)

    row = f"| {language} | {kind} | {n} | {wrong} |"
    assert row in (LISTS / "README.md").read_text(), (row, examples)
    assert wrong <= n / 100, examples


@pytest.mark.parametrize("line", ["Sure, no hurry.", "I will help you with your bill, in full or in part.", "Claro."])
def test_words_that_claim_nothing_leave_at_once(line: str) -> None:
    """Token by token: what does not speak of money moved is never held back."""
    watch = ClaimWatch(OnRecord())

    for token in re.findall(r"\s?\S+", line):
        assert watch.feed(token) == token


def test_words_are_held_only_until_the_clause_ends() -> None:
    """From the word that might be a claim; a harmless clause then goes on as it was."""
    watch = ClaimWatch(OnRecord())
    tokens = ["It", " has", " not", " been", " paid", " yet", ",", " I", " see"]

    assert [watch.feed(token) for token in tokens] == [
        "It",
        " has",
        " not",
        " been",
        " ",
        "",
        "paid yet,",
        " I",
        " see",
    ]


def test_a_question_is_not_held_back() -> None:
    """How it begins tells that it asks."""
    watch = ClaimWatch(OnRecord())
    tokens = ["Has", " it", " been", " paid", " already", "?"]

    assert [watch.feed(token) for token in tokens] == tokens


@pytest.mark.promise(3)
def test_nothing_passes_once_a_claim_was_found() -> None:
    """What follows a lie is not spoken either."""
    watch = ClaimWatch(OnRecord())

    assert [watch.feed(piece) for piece in ("Your payment", " went through", ". And now")] == ["Your payment", " ", ""]
    assert watch.stopped == "went through. And now"
    assert (watch.feed(" goodbye."), watch.end()) == ("", "")


@pytest.mark.promise(3)
def test_a_claim_at_the_very_end_is_found_when_the_turn_ends() -> None:
    """Without a full stop nobody knows before."""
    watch = ClaimWatch(OnRecord())
    passed = watch.feed("You are all paid")

    assert (passed, watch.stopped) == ("You are all ", "")
    assert watch.end() == ""
    assert watch.stopped == "paid"


PAID = OnRecord(Outcome.PAID, Decimal("600.00"), "ch_1A2b")


@pytest.mark.parametrize(
    "text",
    [
        "Your payment went through.",
        "Your payment of $600.00 went through.",
        "You paid 600 dollars.",
        "Your confirmation code is c h 1 A 2 b.",
        "Your confirmation code is ch_1A2b.",
        "Su pago de $600 fue aprobado.",
    ],
)
def test_after_a_success_the_truth_may_be_told_again(text: str) -> None:
    """With the amount and the code on record."""
    assert said(text, PAID) == text


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "text",
    [
        "Your confirmation code is X99.",
        "Your payment of $60.00 went through.",
        "You paid 700 dollars.",
        "Nothing was charged.",
        "Your card has not been charged.",
        "No se cobró nada.",
        "Su pago de 700 dólares fue aprobado.",
        "Your money has been refunded.",
        "I've cancelled your payment.",
    ],
)
def test_after_a_success_another_tale_is_stopped(text: str) -> None:
    """Another code, another amount, or that nothing was charged."""
    assert said(text, PAID).endswith("|")


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "text",
    [
        "I have refunded your payment.",
        "Your refund has been processed.",
        "Le hemos reembolsado el dinero.",
        "I've cancelled the payment.",
        "The payment was cancelled.",
        "El pago fue cancelado.",
    ],
)
def test_no_refund_and_no_cancel_is_made_up(text: str) -> None:
    """This program refunds nothing; and nothing is cancelled while the payment is open."""
    assert said(text).endswith("|")


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.DECLINED])
def test_a_cancel_on_record_may_be_told(outcome: Outcome) -> None:
    """A declined card's payment is as dead as a cancelled one."""
    record = OnRecord(outcome, Decimal("600.00"))

    assert (
        said("The payment was cancelled. Nothing was charged.", record)
        == "The payment was cancelled. Nothing was charged."
    )
    assert said("I did not refund anything. Would you like to pay?", record).endswith("?")


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    "text",
    [
        "You're all **paid**.",
        "YOUR PAYMENT WENT THROUGH",
        "Your pay\u200bment went thr\u200bough.",
        "Your payment\nwent through.",
        "Is that all? Your payment went through.",
        "If you like, your payment went through.",
        "You can relax and your payment went through.",
        "I cannot see your card, but your payment went through.",
        "No, your payment went through.",
        "Your payment went through, is there anything else?",
        "Your payment went through, right?",
        "Don\u2019t worry, you\u2019re paid.",
    ],
)
def test_a_claim_in_disguise_is_found(text: str) -> None:
    """Markup, capitals, invisible letters; beside a question, a condition or a no that belong to another clause."""
    assert said(text).endswith("|")


def waits(language: str) -> list[int]:
    """For each harmless sentence, as a model streams it (a word a token): how many tokens its first word waits."""
    chance = random.Random(language)
    found = []
    for line in lines(language, "harmless"):
        text = re.sub(r"\{(\w+)\}", lambda slot: chance.choice(FILL[language][slot[1]]), line)
        watch = ClaimWatch(OnRecord())
        for n, token in enumerate(re.findall(r"\s?[^\s.,?!]+|[.,?!]", text)):  # noqa: B007  read after the loop
            if watch.feed(token):
                break
        found.append(n)
    return found


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.no_cover
def test_the_first_word_seldom_waits(language: str) -> None:
    """What the judgement costs the caller's ear, as published beside the rates."""
    found = waits(language)
    late = [n for n in found if n]

    row = f"| {language} | {len(found)} | {len(late)} | {sum(late) / len(found):.2f} |"
    assert row in (LISTS / "README.md").read_text(), row
    assert len(late) < len(found) / 10


def test_nobody_speaks_for_ever_without_a_pause() -> None:
    """A clause of hundreds of letters is judged as it stands, so that no text makes the judgement slow."""
    harmless, lie = ClaimWatch(OnRecord()), ClaimWatch(OnRecord())
    passed = harmless.feed("We can help with " + "very " * 100)
    again = harmless.feed("good things")
    held = lie.feed("It has been paid " + "very " * 100)

    assert (passed + again, harmless.stopped) == ("We can help with " + "very " * 100 + "good things", "")
    assert held == ""
    assert lie.stopped.startswith("It has been paid")


@pytest.mark.promise(3)
def test_a_code_is_not_told_in_two_pieces() -> None:
    """Letters that may go on as a code wait for what they become."""
    watch = ClaimWatch(OnRecord())

    assert [watch.feed(piece) for piece in ("Your reference is", " ABC", "123.")] == ["Your reference ", "is ", ""]
    assert watch.end() == ""
    assert watch.stopped


@pytest.mark.promise(3)
def test_a_code_may_follow_its_name_in_a_clause_of_its_own() -> None:
    """“Your code, A 7 7 1”; once the clause is judged nothing is left of it at the end."""
    assert said("Here comes the confirmation number, it's 7 7 1.").endswith("|")
    assert said("Take your time, I will wait.") == "Take your time, I will wait."


@pytest.mark.promise(3)
def test_a_code_in_words_is_stopped_before_it_is_whole() -> None:
    """Behind its name, in a clause of its own, no word of it tells by itself what it is part of."""
    watch = ClaimWatch(OnRecord())
    passed = [watch.feed(piece) for piece in ("Your confirmation code is,", " seven", " four", " two", ".")]

    assert "two" not in "".join(passed)
    assert watch.stopped == "two."


def test_what_is_on_record_is_read_off_the_facts() -> None:
    """Before a payment was chosen there is no amount."""
    chosen = Payment(1, "B-1", Money(Decimal("600.00"), "USD"))
    paid = Facts(payment=chosen, outcome=Outcome.PAID, confirmation="ch_1")

    assert OnRecord.of(Facts()) == OnRecord(Outcome.NONE, None, "")
    assert OnRecord.of(paid) == OnRecord(Outcome.PAID, Decimal("600.00"), "ch_1")


def test_si_without_its_accent_is_a_yes() -> None:
    """Where it stands alone; elsewhere it is a condition."""
    assert said("Si, ya se cobró.").endswith("|")
    assert said("Si se cobró, lo oirá.") == "Si se cobró, lo oirá."
