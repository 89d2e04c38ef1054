"""Collects the rows of one pace and profile, and knows the groups of states that rows are written for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from payagent.flow import orders as o
from payagent.flow.rows import Effect, Guard, Row
from payagent.flow.states import Field, Pace, Party, Profile, State

S = State
States = State | Iterable[State]
STAY = None
"""The destination of a row that moves nowhere."""

PARTING = (S.HANDING_OFF, S.ENDED)
_QUIET = (S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN, *PARTING)


class Builder:
    """The rows so far, and the groups of states of one pace and profile.

    `settled`: the caller is known, and no money is open; `closed`: or not yet known. `keying`: a session is open, its
    charge not yet asked for. `talking`: waiting for words. `conversing`: the model may speak.
    """

    def __init__(self, pace: Pace, profile: Profile) -> None:
        self.automatic = pace is Pace.AUTOMATIC
        self.fields = profile.fields
        ready = () if self.automatic else (S.READY_TO_COMPLETE,)
        self.due = () if self.automatic else tuple(f.due for f in self.fields)
        self.entry = tuple(f.entry for f in self.fields)
        self.keying = (*self.due, *self.entry, *ready)
        after = (S.PAYMENT_COMPLETED, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED)
        self.settled = (S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT, *after)
        self.closed = (S.VERIFYING_IDENTITY, *self.settled)
        self.talking = (*self.closed, *ready)
        self.conversing = (*self.closed, S.STARTING_PAYMENT, *self.keying)
        self.states = tuple(s for s in State if s in {*self.conversing, *_QUIET})
        self.rows: list[Row] = []

    def add(
        self,
        trigger: str,
        at: States,
        to: State | None,
        party: Party,
        *,
        why: str,
        when: Sequence[Guard] = (),
        do: Sequence[Effect] = (),
    ) -> None:
        """A row for each state of `at`."""
        for source in [at] if isinstance(at, State) else at:
            dest = STAY if to is source else to
            self.rows.append(Row(trigger, source, dest, party, tuple(when), tuple(do), why))

    def person(
        self,
        trigger: str,
        at: States,
        party: Party,
        sentence: str,
        *,
        why: str,
        when: Sequence[Guard] = (),
        first: Sequence[Effect] = (),
    ) -> None:
        """A row for each state of `at` that says `sentence`, does `first`, and passes the call to a person."""
        self.add(trigger, at, S.HANDING_OFF, party, when=when, do=[o.say(sentence), *first, o.close_or_leave], why=why)

    def next_is(self, field: Field) -> tuple[State, list[Effect]]:
        """Where a row leads that makes `field` the next one, and what it orders: here the two paces part."""
        return (field.entry, [o.capture(field)]) if self.automatic else (field.due, [o.think])


def numbered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows with those of one state and trigger counted, so that each has an id of its own."""
    count: dict[tuple[State, str], int] = {}
    done = []
    for row in rows:
        key = (row.source, row.trigger)
        done.append(replace(row, n=count.get(key, 0)))
        count[key] = count.get(key, 0) + 1
    return tuple(done)
