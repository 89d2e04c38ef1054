"""Tells a recorded call step by step: who caused each step, what it led to, and how long the call was in each state.

* It reads steps and asks no guard: the story is the record's, not today's table's.
* What was said or typed in free words is already redacted in the record; here runs of four digits and more are masked
  again, and nothing unprintable is passed on to the terminal.
* The values of an identity look-up are never shown, not even for a step that still carries them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import assert_never

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.states import Party, State
from payagent.flow.step import Step
from payagent.flow.table import build

_DIGITS = re.compile(r"\d(?:[ ,-]{0,2}\d){3,}")
_LABELS = frozenset({"order", "session", "digest", "turn", "source", "call_id", "caller_id", "armed", "timer"})
_FREE_WORDS = frozenset({"reason", "result", "error", "who", "why"})
TOOL_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One step as it is told. `refused` says why the event changed nothing, "" when it did."""

    seq: int
    at: datetime
    since_start: timedelta
    party: Party
    trigger: str
    what: str
    before: State
    after: State
    orders: tuple[str, ...]
    refused: str


def lines(steps: Sequence[Step]) -> list[TraceLine]:
    """The steps of one call, told in order."""
    return [
        TraceLine(
            step.seq,
            step.at,
            step.at - steps[0].at,
            party_of(step.event),
            masked(ev.trigger_of(step.event)[:TOOL_NAME_LENGTH]),
            _what(step.event),
            step.before,
            step.after,
            tuple(_order(order) for order in step.orders),
            masked(step.refused),
        )
        for step in steps
    ]


def report(steps: Sequence[Step]) -> list[str]:
    """The whole call for a terminal, without line ends; empty when there are no steps.

    Raises:
        IllegalMove: these are not all the steps of one call, from its first on.
    """
    if not steps:
        return []
    told = lines(steps)
    first = steps[0]
    head = f"Call {first.call_sid}, from {first.at:%Y-%m-%d %H:%M:%S} UTC, decided by table {first.flow}"
    return [head, "", *_told(told), "", *summary(steps)]


def summary(steps: Sequence[Step]) -> list[str]:
    """Where a call of at least one step stands now, what was charged, and how many steps it took; a line each.

    Raises:
        IllegalMove: these are not all the steps of one call, from its first on.
    """
    return list(_summary(steps, lines(steps)))


def time_in_states(told: Sequence[TraceLine]) -> dict[State, timedelta]:
    """How long the call was in each state altogether, in the order they were first entered."""
    spent = {told[0].before: timedelta()}
    for line, following in zip(told, [*told[1:], told[-1]], strict=True):
        spent[line.after] = spent.get(line.after, timedelta()) + (following.at - line.at)
    return spent


def masked(words: str) -> str:
    """Words with every run of four digits and more masked, and on one printable line."""
    printable = "".join(c if c.isprintable() else " " for c in words)
    return _DIGITS.sub(lambda found: re.sub(r"\d", "•", found.group()), printable)


def party_of(event: ev.Event) -> Party:
    """Who caused the event."""
    match event:
        case ev.ToolCalled():
            return Party.MODEL
        case ev.TimeUp():
            return Party.CLOCK
        case ev.OutcomeResolved():
            return Party.OPERATOR
        case _:
            return Party(ev.SIMPLE_TRIGGERS[ev.trigger_of(event)])


def _what(event: ev.Event) -> str:
    """What the event says, beside its name."""
    match event:
        case ev.CallerSpoke(words=words, card_cut=cut):
            return f"caller: “{masked(words)}”" + (" (a card number was cut out)" if cut else "")
        case ev.AgentSpoke(words=words):
            return f"agent: “{masked(words)}”"
        case ev.ClaimStopped(words=words):
            return f"stopped before it was spoken: “{masked(words)}”"
        case ev.CallerInterrupted(heard=heard):
            return f"heard until then: “{masked(heard)}”"
        case ev.ToolCalled(arguments=arguments):
            return masked(arguments) if event.name != "verify_user" else ""
        case ev.IdentityMatched(account=account):
            return f"account {account.id}"
        case ev.BillsRead(bills=bills):
            return ", ".join(f"{bill.id} owes {bill.owed}" for bill in bills) or "nothing owed"
        case _:
            return ", ".join(_said(event))


def _said(event: ev.Event) -> Iterator[str]:
    """The event's fields that hold anything, but for the ids that only machines need."""
    for name in (f.name for f in fields(event) if f.name not in _LABELS):
        value = getattr(event, name)
        if value not in ("", None, ()):
            text = " ".join(value) if isinstance(value, tuple) else str(value)
            yield f"{name} {masked(text) if name in _FREE_WORDS else text}"


def _order(order: do.Order) -> str:
    """An order in a few words, without session ids and keys."""
    name = type(order).__name__
    match order:
        case do.Say(sentence=sentence, values=values):
            return f"Say {sentence}" + (f" ({', '.join(str(value) for _, value in values)})" if values else "")
        case do.SwitchLanguage(language=detail) | do.RouteCall(route=detail) | do.HangUp(sentence=detail):
            return f"{name} {detail}".strip()
        case do.HoldBill(bill=bill):
            return f"HoldBill {bill}"
        case do.ReleaseBill(bill=bill, declined=declined):
            return f"ReleaseBill {bill}" + (" (declined)" if declined else "")
        case do.CreditBill(bill=bill, amount=amount, confirmation=confirmation):
            return f"CreditBill {bill}, {amount}, confirmation {confirmation or 'none'}"
        case do.OpenPay(amount=amount):
            return f"OpenPay {amount}"
        case do.Capture(field=field):
            return f"Capture {field}"
        case (
            do.Think()
            | do.EndRelay()
            | do.ConnectRelay()
            | do.LookUpIdentity()
            | do.ReadBills()
            | do.CompletePay()
            | do.CancelPay()
        ):
            return name
        case _:
            assert_never(order)


def _told(told: Sequence[TraceLine]) -> Iterator[str]:
    since = told[0].at
    yield f"[{told[0].before}]"
    for line in told:
        yield f"{line.seq:4}  {_clock(line.since_start):>8}  {line.party:8}  {line.trigger:28}  {line.what}".rstrip()
        if line.refused:
            yield f"{'':18}REFUSED: {line.refused}"
        if line.orders:
            yield f"{'':18}orders: {'; '.join(line.orders)}"
        if line.after is not line.before:
            yield f"[{line.after}]  after {_seconds(line.at - since)} in {line.before}"
            since = line.at


def _summary(steps: Sequence[Step], told: Sequence[TraceLine]) -> Iterator[str]:
    facts = Call(build(), steps[0].call_sid).replay(steps).facts
    yield f"Now in {told[-1].after}, {_clock(told[-1].since_start)} after the start. Last payment: {facts.outcome}."
    credits = [order for step in steps for order in step.orders if isinstance(order, do.CreditBill)]
    for credit in credits:
        yield f"Charged {credit.amount} for bill {credit.bill}, confirmation {credit.confirmation or 'none'}."
    if not credits:
        yield "Nothing is recorded as charged."
    by_party = Counter(line.party for line in told)
    yield f"{len(told)} steps: {', '.join(f'{by_party[party]} {party}' for party in Party if by_party[party])}."
    yield f"{sum(bool(line.refused) for line in told)} refused, {sum(len(line.orders) for line in told)} orders given."
    yield f"Time: {', '.join(f'{state} {_seconds(spent)}' for state, spent in time_in_states(told).items())}."


def _clock(since: timedelta) -> str:
    minutes, seconds = divmod(since.total_seconds(), 60)
    return f"{int(minutes)}:{seconds:05.2f}"


def _seconds(spent: timedelta) -> str:
    return f"{spent.total_seconds():.2f} s"
