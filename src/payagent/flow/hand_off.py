"""The hand-off card: what a person who takes the call has to know, read off the call and nothing else."""

from __future__ import annotations

from payagent.flow.call import Call
from payagent.flow.facts import Facts
from payagent.flow.states import Outcome, State

NO_RECORD = "the record cannot be written"
"""The reason of a hand-off that no step could order."""

_NEXT: dict[Outcome, str] = {
    Outcome.PAID: "The payment went through. Do not charge again.",
    Outcome.UNKNOWN: "Find the charge at the processor before anything else. Do not charge again until it is resolved.",
    Outcome.DECLINED: "Nothing was charged. Another card or another way to pay may be offered.",
}


def card(call: Call, left: State) -> dict[str, object]:
    """The card as JSON values, under the names the contract gives them; `left` is the state the call was handed off in.

    No card data but the last four digits, no date of birth, no words of the caller.
    """
    facts = call.facts
    amount = facts.payment.amount
    return {
        "callSid": call.call_sid,
        "reason": facts.reason,
        "state": str(left),
        "verified": facts.account is not None,
        "amount": f"{amount.amount:.2f}" if amount else None,
        "currency": amount.currency if amount else None,
        "lastFour": facts.last_four or None,
        "attempts": facts.payment.no,
        "lastError": facts.last_error or None,
        "payment": _payment(_outcome(facts)),
        "nextSafeAction": _next(call),
    }


def _outcome(facts: Facts) -> Outcome:
    """A charge that was asked for and not answered is unknown to whoever takes the call now."""
    return Outcome.UNKNOWN if facts.completing and facts.outcome is Outcome.NONE else facts.outcome


def _payment(outcome: Outcome) -> str:
    match outcome:
        case Outcome.PAID:
            return "paid"
        case Outcome.UNKNOWN:
            return "unknown"
        case _:
            return "not_paid"


def _next(call: Call) -> str:
    if (outcome := _outcome(call.facts)) in _NEXT:
        return _NEXT[outcome]
    if call.facts.account is None:
        return "Verify the caller's identity. Nothing was charged."
    return "Nothing was charged. The payment can be started anew."
