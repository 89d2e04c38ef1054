"""Walks every reachable situation of a table × every event of the alphabet, and checks the promises on each step.

A *situation* is a state with the facts that can still matter in it; labels (SIDs, keys, times) are left out, and so
are facts that nothing reads before they are set anew. Counters are not part of it either: wherever a counter is asked
about, both answers are followed, which covers every count there can be. Beside the call runs a `Ghost`: an account of its own, kept from
events and orders alone, of what was told, agreed, held, opened, captured and charged. The promises are checked against
the ghost, never against the facts that the guards themselves read.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import get_args

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.facts import Facts
from payagent.flow.limits import Limits
from payagent.flow.money import Money
from payagent.flow.rows import Guard, View
from payagent.flow.states import FINAL, State
from payagent.flow.step import Step
from payagent.flow.table import Flow
from payagent.review.alphabet import STRAY, alphabet

WALK_LIMITS = Limits(
    identity_tries=2,
    field_tries=2,
    declined_cards=2,
    reconnects=1,
    model_failures=2,
    silences=1,
    start_failures=2,
    refused_tools=2,
)
"""Small counts, so that the walk stays finite and quick; a guard only ever asks whether one more is left."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """What happened to the money, kept apart from the call's own facts."""

    identified: bool = False
    told: Decimal | None = None
    words: bool = False
    confirmed: bool = False
    agreed: Decimal | None = None
    held: bool = False
    opened: Decimal | None = None
    session: str = ""
    captured: frozenset[str] = frozenset()
    charging: bool = False
    session_open: bool = False
    success: bool = False
    card: str = ""
    capturing: str = ""
    credited: bool = False


@dataclass
class Walked:
    """What a walk found: counts, and for each broken promise the shortest story that leads to it."""

    situations: int = 0
    events: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[Step]] = field(default_factory=dict)
    guard_outcomes: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    stuck: list[str] = field(default_factory=list)


def walk(flow: Flow, limit: int = 2_000_000) -> Walked:
    """Walk `flow` whole. Its counts are replaced by `WALK_LIMITS`; every row and guard stays as it is."""
    found = Walked()
    flow = replace(_instrumented(flow, found), limits=WALK_LIMITS)
    start = Call(flow, "CA")
    seen: dict[Hashable, tuple[Hashable, Step | None]] = {situation(start, Ghost()): (None, None)}
    leads_to: dict[Hashable, set[Hashable]] = {}
    todo = deque([(start, Ghost())])
    while todo:
        call, ghost = todo.popleft()
        here = situation(call, ghost)
        leads_to[here] = set()
        found.situations += 1
        for call, event, at in ((c, event, at) for event, at in alphabet(call) for c in _variants(call, event)):
            found.events += 1
            step = call.decide(event, at)
            if step is None:
                continue
            after = _copy(call)
            after.apply(step)
            then = follow(ghost, step)
            for promise in PROMISES:
                if promise.applies(call, step):
                    found.checks[promise.words] += 1
                    if not promise.kept(call, ghost, step, after, then) and promise.words not in found.broken:
                        found.broken[promise.words] = [*_story(seen, here), step]
            if step.row:
                found.rows[step.row] += 1
            there = situation(after, then)
            leads_to[here].add(there)
            if there not in seen:
                if len(seen) >= limit:
                    raise RuntimeError(f"more than {limit} situations: the facts are not bounded")
                seen[there] = (here, step)
                todo.append((_fresh(after), then))
    found.stuck = [str(s[0]) for s in _cannot_end(leads_to)]
    return found


def _copy(call: Call) -> Call:
    twin = Call(call.flow, call.call_sid, call.engine)
    twin.state, twin.facts, twin.timers, twin.seq = call.state, call.facts, call.timers, call.seq
    return twin


def _story(seen: dict[Hashable, tuple[Hashable, Step | None]], here: Hashable) -> list[Step]:
    """The steps of the shortest way to a situation."""
    steps: list[Step] = []
    before, step = seen[here]
    while step is not None:
        steps.append(step)
        before, step = seen[before]
    return steps[::-1]


def _cannot_end(leads_to: dict[Hashable, set[Hashable]]) -> list[tuple[State]]:
    """The situations from which no way leads to a final state."""
    comes_from: dict[Hashable, list[Hashable]] = {}
    for here, nexts in leads_to.items():
        for there in nexts:
            comes_from.setdefault(there, []).append(here)
    ends = [s for s in leads_to if s[0] in FINAL]  # type: ignore[index]
    reached = set(ends)
    while ends:
        for before in comes_from.get(ends.pop(), ()):
            if before not in reached:
                reached.add(before)
                ends.append(before)
    return [s for s in leads_to if s not in reached]  # type: ignore[misc]


def _instrumented(flow: Flow, found: Walked) -> Flow:
    """The same table, with every guard noting how it answered."""

    def noting(row_id: str, guard: Guard) -> Guard:
        def holds(view: View) -> bool:
            answer = guard.holds(view)
            found.guard_outcomes[row_id, guard.words, answer] += 1
            return answer

        return replace(guard, holds=holds)

    rows = tuple(replace(row, guards=tuple(noting(row.id, guard) for guard in row.guards)) for row in flow.rows)
    return replace(flow, rows=rows)


# What makes two situations the same


_MONEY_STATES = frozenset(State) - {
    State.VERIFYING_IDENTITY,
    State.CONFIRMING_BALANCE,
    State.CHOOSING_AMOUNT,
    State.PAYMENT_COMPLETED,
    State.PAYMENT_DECLINED,
    State.PAYMENT_CANCELLED,
}


def situation(call: Call, ghost: Ghost) -> Hashable:
    """A state with the facts that can still matter in it, and the ghost's account of the money."""
    timers = frozenset(t.name for t in call.timers)
    return (call.state, _live(call.state, call.facts), timers, _live_ghost(call.state, ghost))


_OVER = (State.HANDING_OFF, State.ENDED, State.PAYMENT_OUTCOME_UNKNOWN)


def _live(state: State, facts: Facts) -> Hashable:
    """The facts without labels and counters, and without those that nothing reads here before they are set anew."""
    paying = state in _MONEY_STATES and state not in _OVER
    line = (facts.line, bool(facts.relay)) if state not in FINAL else None
    talk = (facts.bill and facts.bill.id, facts.told, facts.heard, facts.confirmed, facts.payment.amount)
    keypad = (
        facts.capturing,
        facts.captured,
        bool(facts.prompt),
        bool(facts.key_at),
        bool(facts.key_lost_at),
        facts.last_four,
    )
    return (
        line,
        bool(facts.turn),
        facts.unanswered and state in (State.PROCESSING_PAYMENT, State.CANCELLING_PAYMENT),
        frozenset(kind for kind, _ in facts.awaiting if state not in FINAL),
        talk if state not in _OVER else None,
        bool(facts.payment.session),
        facts.payment.credited,
        bool(facts.earlier) and facts.earlier[-1].credited,
        facts.pay,
        facts.held,
        keypad if paying else None,
        facts.completing,
        facts.outcome,
        (facts.leaving, len(facts.routes_tried)) if state is State.HANDING_OFF else None,
    )


def _live_ghost(state: State, ghost: Ghost) -> Ghost:
    """The ghost without what no promise asks any more: where no payment can be started, only the money's fate."""
    if state not in _OVER:
        return ghost
    return Ghost(
        session=ghost.session and "PK",
        charging=ghost.charging,
        session_open=ghost.session_open,
        success=ghost.success,
        credited=ghost.credited,
    )


_COUNTERS = (
    ("identity_tries", "identity_tries"),
    ("look_up_failures", "identity_tries"),
    ("field_tries", "field_tries"),
    ("capture_refusals", "field_tries"),
    ("declines", "declined_cards"),
    ("model_failures", "model_failures"),
    ("start_failures", "start_failures"),
    ("refusals", "refused_tools"),
)
_BOUNDS = (("reconnects", "reconnects"), ("silences", "silences"))
_COUNTED = frozenset(
    """silence model_failed relay_failed relay_ended identity_not_matched identity_look_up_failed pay_not_opened
    session_refused capture_refused field_rejected capture_out_of_sequence entry_timed_out complete_refused
    payment_failed""".split()
)


def _variants(call: Call, event: ev.Event) -> tuple[Call, ...]:
    """The call with its counters fresh, and where they are asked about also with every count used up but the last."""
    if not isinstance(event, ev.ToolCalled) and ev.trigger_of(event) not in _COUNTED:
        return (call,)
    limits = call.flow.limits
    last = {name: getattr(limits, bound) - 1 for name, bound in _COUNTERS}
    used = {name: getattr(limits, bound) for name, bound in _BOUNDS}
    worn = _copy(call)
    worn.facts = replace(call.facts, **last, **used)
    return call, worn


def _fresh(call: Call) -> Call:
    """The call with its counters at zero: how far they have come is explored at every event instead."""
    call.facts = replace(call.facts, **{name: 0 for name, _ in (*_COUNTERS, *_BOUNDS)})
    return call


# The ghost


def follow(ghost: Ghost, step: Step) -> Ghost:
    """The ghost after a step. It reads events and orders only."""
    ghost = heard(ghost, step)
    for order in step.orders:
        ghost = _ordered(ghost, order)
    return ghost


def heard(ghost: Ghost, step: Step) -> Ghost:
    """The ghost after the event of a step, before its orders."""
    event = step.event
    match event:
        case ev.IdentityMatched():
            return replace(ghost, identified=True)
        case ev.CallerSpoke():
            return replace(ghost, words=True)
        case ev.ToolCalled() if step.row:
            return _agreed(ghost, event)
        case ev.BillHeld():
            return replace(ghost, held=True)
        case ev.PayOpened(session=session):
            return _opened(ghost, session)
        case ev.CompleteRefused(code=code) if code != 64002:
            return replace(ghost, charging=False)
        case ev.CancelAccepted() | ev.CancelUnanswered() | ev.CallerHungUp():
            return replace(ghost, session_open=False)
    return _reported(ghost, event)


def _agreed(ghost: Ghost, event: ev.ToolCalled) -> Ghost:
    arguments = json.loads(event.arguments)
    match event.name:
        case "confirm_balance":
            return replace(ghost, confirmed=arguments["agreed"] is True)
        case "check_pending_bill":
            return replace(ghost, told=None, confirmed=False)
        case "start_payment":
            agreed = Decimal(arguments["amount"])
            return Ghost(ghost.identified, ghost.told, False, ghost.confirmed, agreed)
    return ghost


def _opened(ghost: Ghost, session: str) -> Ghost:
    if ghost.opened is None or ghost.session or session == STRAY:
        return ghost
    return replace(ghost, session=session, session_open=True)


def _reported(ghost: Ghost, event: ev.Event) -> Ghost:
    session = getattr(event, "session", "")
    if not isinstance(event, get_args(ev.PayReport)):
        return ghost
    ghost = _opened(ghost, session)
    if session != ghost.session:
        return ghost
    match event:
        case ev.FieldCaptured(field=name, required=required, last_four=last_four) if name == ghost.capturing:
            captured = ghost.captured | {name}
            if name == "card_number":
                captured = (
                    captured if ghost.card in ("", last_four) else captured - {"expiration_date", "security_code"}
                )
                ghost = replace(ghost, card=last_four)
            return replace(ghost, captured=captured - set(required or ()))
        case ev.CaptureOutOfSequence():
            return replace(ghost, captured=ghost.captured - {"expiration_date", "security_code"})
        case ev.PaymentSucceeded():
            return replace(ghost, success=True, charging=False, session_open=False)
        case ev.PaymentFailed(result=result, code=code):
            declined = result in _DECLINES and code != 64002
            return replace(ghost, session_open=False, charging=ghost.charging and not declined)
        case ev.SessionRefused():
            return replace(ghost, session_open=False)
    return ghost


_DECLINES = ("payment-connector-error", "validation-error", "too-many-failed-attempts")


def _ordered(ghost: Ghost, order: do.Order) -> Ghost:
    match order:
        case do.Say(sentence="balance", values=values):
            return replace(ghost, told=_amount(values), words=False, confirmed=False)
        case do.Say(sentence="declined" | "cancelled" | "session_lost" | "star_pressed"):
            return replace(ghost, words=False)
        case do.OpenPay(amount=amount):
            return replace(ghost, opened=amount.amount)
        case do.Capture(field=name):
            return replace(ghost, captured=ghost.captured - {name}, capturing=name)
        case do.CompletePay():
            return replace(ghost, charging=True)
        case do.CancelPay(session=session) if session == ghost.session:
            return replace(ghost, session_open=False)
        case do.CreditBill() if ghost.success or ghost.charging:
            return replace(ghost, credited=True, held=False)
        case do.ReleaseBill():
            return replace(ghost, held=False)
    return ghost


def _amount(values: tuple[tuple[str, do.Value], ...]) -> Decimal:
    amount = dict(values)["amount"]
    assert isinstance(amount, Money)
    return amount.amount


# The promises


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: which steps it is about, and whether a step keeps it."""

    number: int
    words: str
    applies: Callable[[Call, Step], bool]
    kept: Callable[[Call, Ghost, Step, Call, Ghost], bool]


def _orders(kind: type[do.Order]) -> Callable[[Call, Step], bool]:
    return lambda _, step: any(isinstance(order, kind) for order in step.orders)


def _says(*names: str) -> Callable[[Call, Step], bool]:
    return lambda _, step: any(isinstance(order, do.Say) and order.sentence in names for order in step.orders)


def _only_what_is_open(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    assert isinstance(step.event, ev.ToolCalled)
    if step.row:
        name, turn = step.event.name, step.event.turn
        return bool(turn) and turn == call.facts.turn and name in call.flow.tools[call.state]
    return after.state is call.state and all(isinstance(order, do.Think | do.Say) for order in step.orders)


def _charge_is_due(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    now = heard(ghost, step)
    fields = {field.name for field in call.flow.profile.fields}
    return (
        now.identified
        and now.confirmed
        and now.held
        and now.told is not None
        and now.agreed is not None
        and now.agreed == now.opened
        and 0 < now.agreed <= now.told
        and fields <= now.captured
        and bool(now.session)
    )


def _opens_what_was_agreed(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    now = heard(ghost, step)
    opened = [order.amount.amount for order in step.orders if isinstance(order, do.OpenPay)]
    return opened == [now.agreed] and now.held and not now.session_open and now.opened is None


def _credited_for_a_reason(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    if isinstance(step.event, ev.PaymentSucceeded) and step.event.session != ghost.session and ghost.session:
        return any(p.session == step.event.session and not p.credited for p in call.facts.earlier)
    found = isinstance(step.event, ev.OutcomeResolved) and step.event.outcome == "paid"
    return not ghost.credited and (heard(ghost, step).success or found)


def _nothing_left_open(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    return not then.session_open or then.charging


def _is_parting(call: Call, step: Step) -> bool:
    return step.after in FINAL or any(isinstance(order, do.EndRelay) for order in step.orders)


def _keeps_the_hold(call: Call, ghost: Ghost, step: Step, after: Call, then: Ghost) -> bool:
    resolved = isinstance(step.event, ev.OutcomeResolved) and step.event.outcome == "not_paid"
    return resolved or not heard(ghost, step).charging


QUIET = (
    State.PROCESSING_PAYMENT,
    State.CANCELLING_PAYMENT,
    State.PAYMENT_OUTCOME_UNKNOWN,
    State.HANDING_OFF,
    State.ENDED,
)

PROMISES: tuple[Promise, ...] = (
    Promise(
        1,
        "the model does only what the state opens, in the current turn",
        lambda _, step: isinstance(step.event, ev.ToolCalled),
        _only_what_is_open,
    ),
    Promise(
        1,
        "no model turn and no tool while a charge, a cancel, a hand-off or nothing is under way",
        lambda _, step: step.after in QUIET,
        lambda _call, _g, step, after, _then: (
            not after.flow.tools[after.state]
            and not any(isinstance(order, do.Think) for order in step.orders)
            and not after.facts.turn
        ),
    ),
    Promise(
        2,
        "no charge without identity, balance, agreed amount within bounds, every field, and the bill held",
        _orders(do.CompletePay),
        _charge_is_due,
    ),
    Promise(
        2,
        "at most one charge is asked for in a payment that Twilio may have accepted",
        _orders(do.CompletePay),
        lambda _call, ghost, step, _after, _then: not ghost.charging and not ghost.success,
    ),
    Promise(
        2,
        "the session is opened for the amount agreed, on a held bill, with no other session open",
        _orders(do.OpenPay),
        _opens_what_was_agreed,
    ),
    Promise(
        2,
        "a payment is started only after words of the caller since the balance, the last decline or cancel",
        lambda _, step: isinstance(step.event, ev.ToolCalled) and step.event.name == "start_payment" and bool(step.row),
        lambda _call, ghost, _step, _after, _then: ghost.words,
    ),
    Promise(
        3,
        "“paid” is said only after the processor's success",
        _says("paid", "paid_without_code"),
        lambda _call, ghost, step, _after, _then: heard(ghost, step).success,
    ),
    Promise(
        3,
        "a bill is credited once, and only for a success or a person's word",
        _orders(do.CreditBill),
        _credited_for_a_reason,
    ),
    Promise(
        3,
        "a bill whose charge is unknown stays held until a person resolves it",
        _orders(do.ReleaseBill),
        _keeps_the_hold,
    ),
    Promise(
        6,
        "every state but the last has a longest wait",
        lambda _, step: step.after not in FINAL,
        lambda _call, _g, step, _after, _then: bool(step.timers),
    ),
    Promise(
        7,
        "no payment session is left open when the call ends or is passed on",
        _is_parting,
        _nothing_left_open,
    ),
    Promise(
        7,
        "a payment whose charge Twilio may have accepted is never cancelled",
        _orders(do.CancelPay),
        lambda _call, ghost, step, _after, _then: (
            not (
                heard(ghost, step).charging
                and any(isinstance(order, do.CancelPay) and order.session == ghost.session for order in step.orders)
            )
        ),
    ),
    Promise(
        8,
        "a final state is never left",
        lambda call, _: call.state in FINAL,
        lambda call, _g, step, _after, _then: step.after is call.state,
    ),
)
