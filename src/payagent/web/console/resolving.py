"""Reads the form by which a person says what became of an unknown payment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from payagent.flow import events as ev
from payagent.flow.step import Step
from payagent.phone.redaction import CardScanner

LONGEST_REFERENCE = 64
LONGEST_WHY = 500
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/#-]*", re.ASCII)


def read(form: Mapping[str, str], who: str) -> ev.OutcomeResolved | dict[str, str]:
    """What the form says, or what is wrong with it by field, in words for the person who filled it in."""
    outcome, reference = form.get("outcome", ""), " ".join(form.get("reference", "").split())
    why = " ".join("".join(c if c.isprintable() else " " for c in form.get("why", "")).split())
    wrong = dict(_problems(outcome, reference, why))
    if wrong:
        return wrong
    return ev.OutcomeResolved(outcome, reference if outcome == "paid" else "", who, why)


def _problems(outcome: str, reference: str, why: str) -> list[tuple[str, str]]:
    wrong = []
    if outcome not in ("paid", "not_paid"):
        wrong.append(("outcome", "Choose whether the card was charged."))
    if outcome == "paid" and not reference:
        wrong.append(("reference", "Enter the charge's reference at the processor."))
    if reference and (len(reference) > LONGEST_REFERENCE or not _REFERENCE.fullmatch(reference)):
        wrong.append(("reference", f"Use letters, digits and . : / # _ - only, {LONGEST_REFERENCE} at most."))
    if not why:
        wrong.append(("why", "Say where you looked and what you found: it stays on the record."))
    if len(why) > LONGEST_WHY:
        wrong.append(("why", f"Use {LONGEST_WHY} characters at most."))
    for name, words in (("reference", reference), ("why", why)):
        if CardScanner().cut(words, strict=False).found:
            wrong.append((name, "This looks like a card number. It must not be kept: leave it out."))
    return wrong


def was_said_before(event: ev.OutcomeResolved, steps: Sequence[Step]) -> bool:
    """Whether that is the very resolution on record: the form was sent twice."""
    return any(step.event == event and not step.refused for step in steps)
