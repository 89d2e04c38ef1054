"""Holds three books against each other: what Twilio charged, what the journal says, what the bills owe.

They agree when each charge is *paid* on the record and taken off its bill once, to the cent, or *unknown* on the
record with the bill held for a person; and when nothing is paid, taken off or held otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from payagent.flow.call import Call
from payagent.flow.states import Outcome


@dataclass(frozen=True, slots=True)
class Charged:
    """Twilio's book: a card was charged in this payment session."""

    session: str
    call_sid: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Recorded:
    """The journal: one payment of a call; `session` is "" when it never became known."""

    payment: str
    call_sid: str
    bill: str
    session: str
    amount: Decimal
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class BillLine:
    """The bills: what one owed at first and owes now, and whether a payment holds it."""

    bill: str
    owed_before: Decimal
    owed_now: Decimal
    held: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not agree, in words; `call_sid` is the call to look at, "" when none is to blame."""

    what: str
    call_sid: str = ""


def recorded(call: Call) -> Iterator[Recorded]:
    """The payments of a replayed call."""
    facts = call.facts
    for payment in (*facts.earlier, facts.payment):
        if payment.no and payment.amount is not None:
            now = facts.outcome if payment is facts.payment else Outcome.NONE
            outcome = Outcome.PAID if payment.credited else now
            name = f"{call.call_sid}:{payment.no}"
            yield Recorded(name, call.call_sid, payment.bill, payment.session, payment.amount.amount, outcome)


def differences(
    charges: Iterable[Charged], payments: Iterable[Recorded], bills: Iterable[BillLine]
) -> list[Difference]:
    """Every way in which the books do not agree."""
    charges, payments = list(charges), list(payments)
    return [*_twilio_and_journal(charges, payments), *_journal_and_bills(payments, list(bills))]


def _twilio_and_journal(charges: list[Charged], payments: list[Recorded]) -> Iterator[Difference]:
    known = {payment.session: payment for payment in payments if payment.session}
    taken = {charge.session: charge for charge in charges}
    if len(taken) != len(charges):
        yield Difference("a payment session was charged twice")
    for charge in charges:
        payment = known.get(charge.session)
        if payment is None:
            yield Difference(f"{charge.amount} was charged in a session that is not on record", charge.call_sid)
        elif payment.outcome not in (Outcome.PAID, Outcome.UNKNOWN):
            yield Difference(f"{charge.amount} was charged, and the record says {payment.outcome}", charge.call_sid)
        elif payment.amount != charge.amount:
            yield Difference(f"{charge.amount} was charged where {payment.amount} was agreed", charge.call_sid)
    for payment in payments:
        if payment.outcome is Outcome.PAID and payment.session not in taken:
            yield Difference(f"{payment.amount} is paid on record, and was not charged", payment.call_sid)


def _journal_and_bills(payments: list[Recorded], bills: list[BillLine]) -> Iterator[Difference]:
    of_bill: dict[str, list[Recorded]] = defaultdict(list)
    for payment in payments:
        of_bill[payment.bill].append(payment)
    for line in bills:
        yield from _bill(line, of_bill[line.bill])


def _bill(line: BillLine, payments: list[Recorded]) -> Iterator[Difference]:
    paid = [payment for payment in payments if payment.outcome is Outcome.PAID]
    unknown = [payment for payment in payments if payment.outcome is Outcome.UNKNOWN]
    blamed = payments[-1].call_sid if payments else ""
    total, off = sum((payment.amount for payment in paid), Decimal(0)), line.owed_before - line.owed_now
    if total > line.owed_before:
        yield Difference(f"bill {line.bill} owed {line.owed_before} and {total} was paid on it", blamed)
    elif total != off:
        yield Difference(f"bill {line.bill}: {total} is paid on record, {off} was taken off", blamed)
    if line.held != bool(unknown):
        found = "is held for nobody" if line.held else "is not held, though an outcome is unknown"
        yield Difference(f"bill {line.bill} {found}", unknown[0].call_sid if unknown else blamed)
