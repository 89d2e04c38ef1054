"""What makes two situations of a call the same for the walk: nothing that can still be asked differs.

* Labels (SIDs, keys, ids, times, the language) are left out: the flow compares them, it never reads them. Where two of
  them are compared, the situation holds whether they agree.
* Amounts are left out for the same reason: the situation holds whether the amount fits the bill, and whether the
  ghost's account of it agrees with the facts'.
* Counters and earlier payments are left out: the walk tries the fresh and the worn-out count, and an earlier payment
  credited, not credited and absent, at every event that can ask about them (see `walk`).
* A fact is left out in states where nothing reads it before it is set anew. `_parts` says, group by group, where it is
  still read; the ghost's side of a group is left out with it.
"""

from __future__ import annotations

from collections.abc import Hashable

from payagent.flow.call import Call
from payagent.flow.facts import Facts, Pay
from payagent.flow.states import FIELDS, Outcome, State
from payagent.review.ghost import CARD_BOUND, Ghost

S = State
_ENTRY = frozenset(f.entry for f in FIELDS.values())
_KEYING = _ENTRY | frozenset(f.due for f in FIELDS.values()) | {S.READY_TO_COMPLETE}
_PAYING = _KEYING | {S.STARTING_PAYMENT, S.PROCESSING_PAYMENT}
_OVER = frozenset({S.PAYMENT_OUTCOME_UNKNOWN, S.HANDING_OFF, S.ENDED})

Situation = tuple[Hashable, ...]
"""A state, then what can still be asked in it."""


def situation(call: Call, ghost: Ghost) -> Situation:
    """The call's situation; equal for two calls that no event from here on can tell apart."""
    return (call.state, *_parts(call.state, call.facts, ghost))


def _parts(state: State, facts: Facts, ghost: Ghost) -> tuple[Hashable, ...]:
    return (
        _money(facts, ghost),
        # Nothing in the last state asks who is there; the model's turn is over wherever no turn is allowed.
        (facts.line, bool(facts.relay), bool(facts.turn), _awaited(facts)) if state is not S.ENDED else None,
        # The answer owed to the caller is given when the result is in; in the last two states it never is.
        facts.unanswered if state not in (S.HANDING_OFF, S.ENDED) else None,
        # What was told and agreed is read until the charge is made, and again for the next payment.
        _balance(facts, ghost) if state not in _OVER else None,
        # Words count where a payment can be started, and from where such a state is reached without a new question.
        (facts.heard, ghost.words) if state in _WORDS_COUNT else None,
        # The amount, until the charge is made: `start_payment` sets it anew.
        _amount(facts, ghost) if state in _PAYING else None,
        # Whether a charge was asked for, until its result: `start_payment` sets it anew.
        facts.completing if state in _KEYING | {S.PROCESSING_PAYMENT} else None,
        # The fields, while they are taken: a charge refused for a missing field takes all of them again.
        _fields(facts, ghost) if state in _KEYING else None,
        # The keypad: every `Capture` starts it anew, and only the entry states ask.
        (bool(facts.prompt), bool(facts.key_at), bool(facts.key_lost_at)) if state in _ENTRY else None,
        (facts.leaving, len(facts.routes_tried)) if state is S.HANDING_OFF else None,
    )


_WORDS_COUNT = frozenset(
    {S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED, S.STARTING_PAYMENT}
)


def _money(facts: Facts, ghost: Ghost) -> Hashable:
    """What became of the money matters everywhere, and to the end."""
    return (
        Pay.CLOSED if facts.pay is Pay.NONE else facts.pay,  # no guard tells the two apart
        facts.held,
        facts.outcome is Outcome.UNKNOWN,
        bool(facts.payment.session),
        facts.payment.session == ghost.session,
        facts.payment.credited,
        ghost.hold,
        ghost.creating,
        ghost.session_open,
        ghost.charging,
        ghost.unknown,
        ghost.success,
        ghost.credited,
    )


def _awaited(facts: Facts) -> Hashable:
    return frozenset(kind for kind, _ in facts.awaiting)


def _balance(facts: Facts, ghost: Ghost) -> Hashable:
    agrees = ghost.told == (facts.bill.owed.amount if facts.bill else None)
    known = (facts.account is not None, ghost.identified)
    return (*known, facts.bill is not None, agrees, facts.told, facts.confirmed, ghost.confirmed)


def _amount(facts: Facts, ghost: Ghost) -> Hashable:
    amount = facts.payment.amount.amount if facts.payment.amount else None
    fits = amount is not None and facts.bill is not None and 0 < amount <= facts.bill.owed.amount
    agreed = ghost.agreed
    fits_ghost = agreed is not None and ghost.told is not None and 0 < agreed <= ghost.told
    opened = (ghost.opened is not None, ghost.opened == agreed)
    return (fits, fits_ghost, agreed == amount, opened, facts.payment.bill == ghost.bill)


def _fields(facts: Facts, ghost: Ghost) -> Hashable:
    """Which card it is matters only while a field is in that another card would make void."""
    bound = bool(facts.captured & CARD_BOUND)
    return (
        facts.capturing,
        facts.captured,
        ghost.captured,
        ghost.capturing == facts.capturing,
        bound and bool(facts.last_four),
        ghost.card == facts.last_four,
    )
