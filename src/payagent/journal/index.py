"""The index of calls: what one step changes in a call's line, so that boards and sweeps need not fold every call.

* All of it follows from the steps alone: `columns` is a pure function of one step, written in that step's transaction.
* Three kinds of columns: those every step sets, those a step sets only when it says something new (None: it does not),
  and those that count. A call's first step sets all.
* Amounts are whole hundredths, so that databases add them up exactly.
* What comes late (its row did not fire) changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.money import Money
from payagent.flow.states import FINAL, Outcome, State
from payagent.flow.step import Step
from payagent.journal.protocol import CallSummary, DayTotals, Search
from payagent.journal.words import unicode

SET = ("state", "updated_at", "steps", "ended", "next_due")
GIVEN = ("entered_at", "language", "account", "amount", "currency", "outcome", "last_four", "card_type", "reason")
COUNTED = ("tries", "reconnects", "declined", "cancelled")
COLUMNS = ("call_sid", "started_at", *SET, *GIVEN, *COUNTED)

Value = str | int | datetime | None
Columns = dict[str, Value]

_NO_PAYMENT: Columns = {"amount": 0, "currency": "", "outcome": str(Outcome.NONE), "last_four": "", "card_type": ""}
_FRESH: Columns = {"language": "en", "account": "", "reason": "", **_NO_PAYMENT}
_FAILED_TRIES = frozenset({"identity_not_matched", "field_rejected", "capture_out_of_sequence"})

UPSERT = ", ".join(
    [f"{name} = excluded.{name}" for name in SET]
    + [f"{name} = coalesce(excluded.{name}, calls.{name})" for name in GIVEN]
    + [f"{name} = calls.{name} + excluded.{name}" for name in COUNTED]
)
"""What an `INSERT INTO calls … ON CONFLICT (call_sid) DO UPDATE SET` does with the columns of a later step."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A payment that stands on a bill; `amount` in hundredths."""

    payment: str
    call_sid: str
    amount: int
    currency: str


def columns(step: Step) -> Columns:
    """What the step writes into its call's line."""
    given = _given(step)
    if step.seq == 1 or step.before is not step.after:
        given["entered_at"] = step.at
    line: Columns = {
        "call_sid": step.call_sid,
        "started_at": step.at,
        "state": str(step.after),
        "updated_at": step.at,
        "steps": step.seq,
        "ended": step.after in FINAL,
        "next_due": min((timer.due for timer in step.timers), default=None),
        **dict.fromkeys(GIVEN),
        **(_FRESH if step.seq == 1 else {}),
        **given,
        **_counted(step),
    }
    return {name: unicode(value) if isinstance(value, str) else value for name, value in line.items()}


def changes(step: Step) -> Columns:
    """Of `columns` those that the step changes in its call's line, `call_sid` first; of a first step all."""
    line = columns(step)
    if step.seq == 1:
        return line
    same = {"started_at"} | ({"state", "ended"} if step.before is step.after else set())
    same |= {name for name in GIVEN if line[name] is None} | {name for name in COUNTED if not line[name]}
    return {name: value for name, value in line.items() if name not in same}


def credits(step: Step) -> list[Credit]:
    """The payments that the step puts on a bill."""
    return [
        Credit(order.payment, step.call_sid, hundredths(order.amount), order.amount.currency)
        for order in step.orders
        if isinstance(order, do.CreditBill)
    ]


def merged(before: Columns | None, change: Columns) -> Columns:
    """The line after a step's `change`: in Python what `UPSERT` says in SQL."""
    if before is None:
        return change
    given = {name: before[name] if change[name] is None else change[name] for name in GIVEN}
    counted = {name: _count(before[name]) + _count(change[name]) for name in COUNTED}
    return {**change, "started_at": before["started_at"], **given, **counted}


def length(line: Columns | None) -> int:
    """How many steps the line says there are; none without a line."""
    return _count(line["steps"]) if line else 0


def problems(call_sid: str, steps: list[Step], line: Columns | None, credited: set[Credit]) -> list[str]:
    """What the index says of a call that its steps do not, in words."""
    told: Columns | None = None
    for step in steps:
        told = merged(told, columns(step))
    if told is None or line is None:
        return [] if told is line else [f"call {call_sid}: not in the index of calls"]
    found = [
        f"call {call_sid}: the index of calls says {name} {line[name]}, the steps say {told[name]}"
        for name in COLUMNS
        if line[name] != told[name]
    ]
    if credited != {credit for step in steps for credit in credits(step)}:
        found.append(f"call {call_sid}: the index of credits is not what the steps say")
    return found


def summary(line: Columns) -> CallSummary:
    """The line as its readers get it."""
    told = {name: line[name] for name in CallSummary.__dataclass_fields__}
    money = _money(_count(line["amount"]), str(line["currency"])) if line["currency"] else None
    state, outcome = State(str(line["state"])), Outcome(str(line["outcome"]))
    changed = {"state": state, "outcome": outcome, "amount": money, "ended": bool(line["ended"])}
    return CallSummary(**(told | changed))  # type: ignore[arg-type]  # a line is a row of SQL


def where(search: Search) -> tuple[str, list[Value]]:
    """The search as a condition in SQL, with `?` for each of the values."""
    asked: list[tuple[str, Value]] = [
        ("call_sid = ?", search.call_sid or None),
        ("account = ?", search.account or None),
        ("outcome = ?", search.outcome and str(search.outcome)),
        ("state = ?", search.state and str(search.state)),
        ("started_at >= ?", search.since),
        ("started_at < ?", search.until),
    ]
    given = [(condition, value) for condition, value in asked if value is not None]
    plain = ["NOT ended"] * search.live + ["(outcome = 'unknown' OR state = 'handing_off')"] * search.needs_person
    behind = ["(started_at, call_sid) < (?, ?)"] if search.before else []
    conditions = ["true", *plain, *(condition for condition, _ in given), *behind]
    place: list[Value] = [search.before, search.before_call] if search.before else []
    return " AND ".join(conditions), [*(value for _, value in given), *place]


def day_totals(
    calls: Iterable[tuple[date, int, int, int, int]], paid: Iterable[tuple[date, int, int, str]]
) -> list[DayTotals]:
    """From the days' counts (calls, declined, cancelled, unknown) and their credits (number, hundredths, currency)."""
    credits_of: dict[date, list[tuple[int, Money]]] = {}
    for day, number, amount, currency in sorted(paid, key=lambda each: each[3]):
        credits_of.setdefault(day, []).append((number, _money(amount, currency)))
    return [
        DayTotals(
            day,
            number,
            sum(each for each, _ in credits_of.get(day, ())),
            tuple(money for _, money in credits_of.get(day, ())),
            *others,
        )
        for day, number, *others in sorted(calls, reverse=True)
    ]


def hundredths(money: Money) -> int:
    """The amount (which has two decimals) in hundredths."""
    return int(money.amount.scaleb(2))


def _money(amount: int, currency: str) -> Money:
    return Money(Decimal(amount).scaleb(-2), currency)


def _given(step: Step) -> Columns:
    """What the step says anew, its event first, then where it leads, then its orders: the order facts are folded in."""
    given = _learned(step)
    if step.before is not step.after:
        if step.after is State.PAYMENT_OUTCOME_UNKNOWN:
            given["outcome"] = str(Outcome.UNKNOWN)
        elif step.after is State.HANDING_OFF:
            given["reason"] = ev.trigger_of(step.event)  # the model's own words can be erased; this stays
    for order in step.orders:
        given |= _ordered(order)
    return given


def _learned(step: Step) -> Columns:
    match step.event:
        case ev.IdentityMatched(account=account) if _fired(step):
            return {"account": account.id}
        case ev.ToolCalled(name="start_payment") if _fired(step):
            return dict(_NO_PAYMENT)
        case ev.FieldCaptured(field="card_number", last_four=last_four, card_type=card_type) if _fired(step):
            return {"last_four": last_four, "card_type": card_type}
        case ev.PaymentSucceeded() if _fired(step):
            return {"outcome": str(Outcome.PAID)}
        case ev.OutcomeResolved(outcome="paid") if _fired(step):
            return {"outcome": str(Outcome.PAID)}
    return {}


def _fired(step: Step) -> bool:
    """Whether a row of the event's own fired: it was neither refused nor late, nor about another payment."""
    return step.row.partition("@")[0] == ev.trigger_of(step.event)


def _ordered(order: do.Order) -> Columns:
    match order:
        case do.SwitchLanguage(language=language):
            return {"language": language}
        case do.OpenPay(amount=amount):
            return {"amount": hundredths(amount), "currency": amount.currency}
        case do.ReleaseBill(declined=declined):
            return {"outcome": str(Outcome.DECLINED if declined else Outcome.CANCELLED)}
    return {}


def _counted(step: Step) -> Columns:
    declined = sum(isinstance(order, do.ReleaseBill) and order.declined for order in step.orders)
    return {
        "tries": _failed_tries(step) + declined,
        "reconnects": sum(isinstance(order, do.ConnectRelay) for order in step.orders),
        "declined": declined,
        "cancelled": sum(isinstance(order, do.ReleaseBill) and not order.declined for order in step.orders),
    }


def _failed_tries(step: Step) -> int:
    trigger = ev.trigger_of(step.event)
    with_digits = isinstance(step.event, ev.EntryTimedOut) and step.event.digits
    return int(_fired(step) and (trigger in _FAILED_TRIES or with_digits))


def _count(value: Value) -> int:
    assert isinstance(value, int)  # by the schema
    return value
