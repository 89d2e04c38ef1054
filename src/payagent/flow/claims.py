"""Whether words of the model claim that money moved: “you're all paid, code 123”, “tu pago fue aprobado”.

The outcome of a payment is told by fixed sentences alone. A model may lie about it, by mistake or because a caller
talked it into it; so what it says is judged, clause by clause, before it is spoken. A clause is a claim if it says that
a payment was made, a card charged, or that here is a confirmation code, and nothing takes that back: a question, a
condition, a negation, something yet to come, or another's words. The judgement is a pure function of a clause, what
stood before it in its sentence, and what is on record.

What is on record decides what is a lie. While the payment's outcome is not *paid*, every claim is. After a success the
model may repeat it, with the code and the amount on record and no others (an amount is compared where it is written in
digits); “nothing was charged” is the lie then. A refund is a lie always: this program makes none. “Cancelled” is one
unless the outcome is cancelled or declined. A balance is no claim, and neither is “I am processing your payment”.

How often it is wrong is measured on thousands of sentences: `tests/flow/claims/README.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from payagent.flow import claim_words as w
from payagent.flow.facts import Facts
from payagent.flow.states import Outcome


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What is known of the call's payment."""

    outcome: Outcome = Outcome.NONE
    amount: Decimal | None = None
    code: str = ""

    @classmethod
    def of(cls, facts: Facts) -> OnRecord:
        """What the facts say."""
        amount = facts.payment.amount
        return cls(facts.outcome, amount.amount if amount else None, facts.confirmation)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause and what stood before it in its sentence, both plain (see `plain`). `end` is the mark that ends it.

    `conditional`: it is, or goes on with, a condition (“if it is paid and approved”).
    """

    text: str
    end: str = "."
    before: str = ""
    conditional: bool = False


def plain(text: str) -> str:
    """Lower case, one kind of apostrophe and space, markup and invisible characters gone."""
    return " ".join(text.translate(_PLAIN).casefold().split())


def is_lie(clause: Clause, record: OnRecord) -> bool:
    """Whether the clause says of the money what the record does not."""
    if not hints(clause.text, clause.before):
        return False
    if _said(clause, _REFUNDED):
        return True
    if _said(clause, _CANCELLED):
        return record.outcome not in (Outcome.CANCELLED, Outcome.DECLINED)
    if record.outcome is Outcome.PAID:
        return _is_wrong(clause, record)
    return _claims(clause)


def hints(text: str, before: str) -> bool:
    """Whether this, behind what stood `before` it in its sentence, can be about money at all; both are plain."""
    return bool(_HINT.search(text) or _ENDS_IN_CODE_NAME.search(before))


def opens_condition(text: str) -> bool:
    """Whether a clause begins as a condition, which reaches over all of it. A lone “si” is a yes without its accent."""
    return bool(_CONDITION.match(text)) and text != "si"


def opens_question(text: str) -> bool:
    """Whether a clause begins as a question, which reaches over all of it."""
    return "¿" in text or bool(_QUESTION.match(text))


_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u00b4", "'")
    | dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad*_`~", None)
)
_HINT = re.compile(rf"\b(?:{'|'.join((*w.STEMS, *w.HINTS))})|\d")
"""Without one of these in it a clause says nothing of the kind: most have none, and are let through unread."""

_CONDITION = re.compile(rf"{w.FILLER}(?:only |sólo |solo )?{w.IF}\b")
_QUESTION = re.compile(w.FILLER + w.ASKS)
_TAG = re.compile(rf"^{w.TAG}$")

_MOVED = re.compile(rf"\b{w.MONEY_MOVED}\b")
_DONE = re.compile(rf"\b{w.COMPLETED}\b")
_PAYMENT = re.compile(rf"\b{w.PAYMENT}\b|\$\s?\d")
_BILL_SETTLED = re.compile(w.BILL_SETTLED)
_IT_SETTLED = re.compile(rf"\b{w.IT}(?:'s)? (?:just |all )?(?:{w.BE} )*{w.ADVERBS}{w.SETTLED}\b")
_SETTLED = re.compile(rf"{w.FILLER}(?:{w.BE} )*{w.ADVERBS}{w.SETTLED}\b")
_CODE = re.compile(rf"\b{w.CODE_NAME}\b[^?]*?{w.CODE}|{w.CODE} (?:is|es) (?:your|su|tu|the|el) {w.CODE_NAME}")
_BARE_CODE = re.compile(rf"^(?:it's|it is|es|is)?\s*(?:[a-z]{{1,3}}[\s.-]+)?{w.CODE}")
_ENDS_IN_CODE_NAME = re.compile(rf"\b{w.CODE_NAME}(?: (?:right|now|is|es|ahora|here|aquí))*$")
_OUTRIGHT = tuple(re.compile(pattern) for pattern in w.OUTRIGHT)
_REFUNDED, _CANCELLED, _NOT_CHARGED = map(re.compile, (w.REFUNDED, w.CANCELLED, w.NOT_CHARGED))

_HARMLESS_NOT = re.compile(w.HARMLESS_NOT)
_TAKES_BACK = re.compile(
    "|".join(
        (
            rf"\b{w.NOT}\b|n't\b",
            rf"{w.STILL_TO_COME}{w.ADVERBS}$",
            rf"\b{w.IF}\b",
            *(w.SAID_BY_CALLER, w.OTHERS, w.UNREAL, w.WHAT, w.GET_IT_DONE),
        )
    )
)
_ONLY_IF, _PAST, _ANY_ONE, _ADJECTIVE = map(re.compile, (w.ONLY_IF, w.PAST, w.ANY_ONE, w.ADJECTIVE))
_AMOUNT = re.compile(r"\$\s?(\d[\d,]*(?:\.\d{2})?)(?!\d)|(?<![\w.-])(\d[\d,]*(?:\.\d{2})?) (?:dollars|dólares|usd)")


def _claims(clause: Clause) -> bool:
    """Whether the clause says that a payment was made."""
    if any(_said(clause, pattern) for pattern in (*_OUTRIGHT, _CODE, _MOVED)):
        return True
    if _ENDS_IN_CODE_NAME.search(clause.before) and _said(clause, _BARE_CODE):
        return True
    return _is_about_payment(clause) and _said(clause, _DONE)


def _is_about_payment(clause: Clause) -> bool:
    """It names the payment, or says of the one named before, or of “it”, that it is settled."""
    text, before = clause.text, clause.before
    if any(pattern.search(text) for pattern in (_PAYMENT, _BILL_SETTLED, _IT_SETTLED)):
        return True
    alone = not before or " " not in text
    return bool(_SETTLED.match(text)) and (alone or bool(_PAYMENT.search(before)))


def _said(clause: Clause, pattern: re.Pattern[str]) -> bool:
    """Whether it is said, and not asked, made a condition, denied, still to come, or told as another's words."""
    text = clause.text
    found = [*pattern.finditer(text)]
    if not found or clause.conditional or opens_question(text) or _PAST.search(text):
        return False
    if clause.end == "?" and not _TAG.match(text):
        return False
    return not all(_is_taken_back(text[: one.start()], text[one.start() :]) for one in found)


def _is_taken_back(ahead: str, rest: str) -> bool:
    """Whether the words around a claim take it back."""
    if _TAKES_BACK.search(_HARMLESS_NOT.sub(" ", ahead)) or _ONLY_IF.search(rest):
        return True
    return bool(_ANY_ONE.search(ahead) and _ADJECTIVE.match(rest))


def _is_wrong(clause: Clause, record: OnRecord) -> bool:
    """After a success: a denial, or another code or amount than the one on record."""
    text = clause.text
    if _NOT_CHARGED.search(text):
        return not (clause.conditional or opens_question(text) or clause.end == "?")
    if not _claims(clause):
        return False
    if _CODE.search(text) and record.code and _squeezed(record.code) not in _squeezed(text):
        return True
    amounts = {Decimal((dollars or number).replace(",", "")) for dollars, number in _AMOUNT.findall(text)}
    return bool(amounts) and record.amount not in amounts


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
