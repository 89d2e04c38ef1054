"""The table: every way a call may move, row by row.

Theory of operation
-------------------

A call is in one state. An event has a trigger; the rows of that state and trigger are tried from top to bottom, and
the first whose guards all hold fires. Its effects become orders. Nothing else moves a call. Rule one: a tool of the
model is open in a state exactly if a row says so here. Rule two: what Twilio, the line, the clock and the program's
own look-ups report is never refused: where no row fires it is taken into the facts and recorded in place.

Money is touched by four orders. `HoldBill` stands only behind `start_payment`, `OpenPay` only behind the hold's
answer, `CompletePay` only in `ready_to_complete` (in automatic pace: behind the last field), `CreditBill` only behind
a success or a person's word. `CancelPay` stands on no row that leaves `processing_payment` or a state after it.

Two paces come from one builder. In *model* pace a field is first due (`…_due`), where the model's tool or, after a
silence, the clock asks for it. In *automatic* pace those states are absent: rows that would lead to `…_due` lead to
`…_entry` and order the capture themselves, and the last field's row orders the charge, since the caller agreed to the
amount and keyed in the card after hearing it.

Two states per field, because a second capture while the caller is typing would lose digits: a tool that is dangerous
*now* has to be impossible now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from payagent.flow import guards as g
from payagent.flow import orders as o
from payagent.flow.events import SIMPLE_TRIGGERS
from payagent.flow.limits import Limits
from payagent.flow.rows import Effect, Guard, Row
from payagent.flow.states import FINAL, Field, Pace, Party, Profile, State
from payagent.flow.tools import TOOLS

S = State
MODEL, PAY, LINE, CLOCK, PROGRAM, OPERATOR = Party

CLOCK_TRIGGERS = frozenset(
    {
        "silence",
        "due_overdue",
        "start_overdue",
        "entry_waiting",
        "entry_person",
        "entry_total",
        "recapture",
        "still_working",
        "result_overdue",
        "cancel_overdue",
        "hand_over",
        "leave_overdue",
        "hand_off_overdue",
        "line_overdue",
    }
)


@dataclass(frozen=True)
class Flow:
    """A built table: rows in order, for one pace, one profile and one set of limits."""

    rows: tuple[Row, ...]
    states: tuple[State, ...]
    pace: Pace
    profile: Profile
    limits: Limits
    routes: tuple[str, ...]
    languages: tuple[str, ...]

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever what the table says changes."""
        lines = [
            f"{r.id} {r.dest} {r.party} {[x.words for x in r.guards]} {[x.words for x in r.effects]}" for r in self.rows
        ]
        return hashlib.sha256("\n".join([self.pace, self.profile, *lines]).encode()).hexdigest()[:12]

    @cached_property
    def by_trigger(self) -> dict[tuple[State, str], tuple[Row, ...]]:
        """The rows of a state and trigger, in the order they are tried."""
        found: dict[tuple[State, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.source, row.trigger), []).append(row)
        return {key: tuple(rows) for key, rows in found.items()}

    @cached_property
    def tools(self) -> dict[State, tuple[str, ...]]:
        """The tools open in each state, before guards on the facts."""
        return {s: tuple(t for t in TOOLS if (s, t) in self.by_trigger) for s in self.states}


def build(
    pace: Pace = Pace.MODEL,
    profile: Profile = Profile.CARD,
    limits: Limits | None = None,
    routes: Sequence[str] = ("queue", "dial"),
    languages: Sequence[str] = ("en", "es"),
) -> Flow:
    """The table for one pace and profile. `routes` to a person are tried in the order given."""
    builder = _Builder(pace, profile)
    return Flow(
        rows=builder.rows(),
        states=builder.states,
        pace=pace,
        profile=profile,
        limits=limits or Limits(),
        routes=tuple(routes),
        languages=tuple(languages),
    )


def _number(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Number the rows of one state and trigger, so that each has an id of its own."""
    count: dict[tuple[State, str], int] = {}
    numbered = []
    for row in rows:
        key = (row.source, row.trigger)
        numbered.append(replace(row, n=count.get(key, 0)))
        count[key] = count.get(key, 0) + 1
    return tuple(numbered)


class _Builder:
    """Collects the rows of one pace and profile; one method per part of the call."""

    def __init__(self, pace: Pace, profile: Profile) -> None:
        self.automatic = pace is Pace.AUTOMATIC
        self.fields = profile.fields
        self.due = () if self.automatic else tuple(f.due for f in self.fields)
        self.entry = tuple(f.entry for f in self.fields)
        ready = () if self.automatic else (S.READY_TO_COMPLETE,)
        foreign = {s for f in Profile.CARD_POSTAL_CODE.fields for s in (f.due, f.entry)} - {*self.due, *self.entry}
        if self.automatic:
            foreign.add(S.READY_TO_COMPLETE)
        self.states = tuple(s for s in State if s not in foreign)
        self.keying = (*self.due, *self.entry, *ready)
        self.closed = (
            S.VERIFYING_IDENTITY,
            S.CONFIRMING_BALANCE,
            S.CHOOSING_AMOUNT,
            S.PAYMENT_COMPLETED,
            S.PAYMENT_DECLINED,
            S.PAYMENT_CANCELLED,
        )
        self.talking = (*self.closed, *ready)
        self.conversing = (*self.closed, S.STARTING_PAYMENT, *self.keying)
        self._rows: list[Row] = []

    def rows(self) -> tuple[Row, ...]:
        """All rows, in the order they are tried."""
        for part in (
            self._identity,
            self._balance,
            self._amount,
            self._starting,
            self._asking,
            self._entry,
            self._ready,
            self._processing,
            self._after,
            self._cancelling,
            self._hand_off,
            self._talk,
            self._language,
            self._silence,
            self._line,
            self._late_results,
        ):
            part()
        return _number(self._rows)

    def _row(
        self,
        trigger: str,
        sources: State | Iterable[State],
        dest: State | None,
        party: Party,
        why: str,
        *,
        when: Sequence[Guard] = (),
        do: Sequence[Effect] = (),
    ) -> None:
        for source in [sources] if isinstance(sources, State) else sources:
            to = None if dest is source else dest
            self._rows.append(Row(trigger, source, to, party, tuple(when), tuple(do), why))

    # Who is calling

    def _identity(self) -> None:
        here = S.VERIFYING_IDENTITY
        self._row(
            "verify_user",
            here,
            None,
            MODEL,
            "Both values are looked up together; they are never recorded.",
            when=[g.not_looking_up],
            do=[o.look_up],
        )
        self._row(
            "identity_matched", here, S.CONFIRMING_BALANCE, PROGRAM, "Exactly one account matches.", do=[o.read_bills]
        )
        self._again_or_person(
            "identity_not_matched",
            here,
            PROGRAM,
            g.identity_tries_left,
            "identity_not_matched",
            "identity_failed",
            "No hint which part was wrong; a locked account sounds the same.",
        )
        self._again_or_person(
            "identity_look_up_failed",
            here,
            PROGRAM,
            g.look_ups_left,
            "identity_unreadable",
            "identity_failed",
            "A look-up that could not be made is not a failed try.",
        )

    def _again_or_person(
        self, trigger: str, source: State, party: Party, left: Guard, again: str, person: str, why: str
    ) -> None:
        self._row(trigger, source, None, party, why, when=[left], do=[o.say(again)])
        self._to_person(trigger, source, party, person, "Too often: a person takes over.")

    def _to_person(
        self,
        trigger: str,
        sources: State | Iterable[State],
        party: Party,
        sentence: str,
        why: str,
        *,
        when: Sequence[Guard] = (),
        first: Sequence[Effect] = (),
    ) -> None:
        do = [o.say(sentence), *first, o.close_or_leave]
        self._row(trigger, sources, S.HANDING_OFF, party, why, when=when, do=do)

    # What is owed

    def _balance(self) -> None:
        here = S.CONFIRMING_BALANCE
        self._row(
            "bills_read", here, None, PROGRAM, "The balance is told.", when=[g.something_owed], do=[o.tell_balance]
        )
        self._row("bills_read", here, None, PROGRAM, "There is nothing to pay.", do=[o.say("nothing_owed")])
        self._to_person(
            "bills_unavailable", here, PROGRAM, "bills_unavailable", "Without the book nothing can be paid."
        )
        self._row(
            "check_pending_bill",
            (here, S.CHOOSING_AMOUNT, S.PAYMENT_COMPLETED),
            here,
            MODEL,
            "The bill named is the one confirmed and paid, so its balance is told and agreed to anew.",
            when=[g.identified],
            do=[o.read_bills],
        )
        agreed = [g.identified, g.balance_told, g.heard_since]
        self._row(
            "confirm_balance",
            here,
            S.CHOOSING_AMOUNT,
            MODEL,
            "The model goes on at once: the same words may have named the amount.",
            when=[*agreed, g.agrees],
            do=[o.think],
        )
        self._to_person(
            "confirm_balance",
            here,
            MODEL,
            "balance_disputed",
            "A disputed balance is a person's business.",
            when=agreed,
        )

    # How much

    def _amount(self) -> None:
        confirmed = [g.identified, g.balance_told, g.balance_confirmed]
        self._row(
            "check_payment_options",
            (S.CHOOSING_AMOUNT, S.PAYMENT_CANCELLED),
            S.CHOOSING_AMOUNT,
            MODEL,
            "The ways to pay are a fixed sentence.",
            when=confirmed,
            do=[o.tell_options],
        )
        self._row(
            "start_payment",
            (S.CHOOSING_AMOUNT, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED),
            S.STARTING_PAYMENT,
            MODEL,
            "The caller chose an amount since the balance was told and since the last decline or cancel.",
            when=[*confirmed, g.heard_since, g.no_session_open, g.amount_fits],
            do=[o.hold_bill],
        )
        self._row(
            "end_call",
            (S.CHOOSING_AMOUNT, S.PAYMENT_COMPLETED, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED),
            S.ENDED,
            MODEL,
            "No money is open here.",
            do=[o.say("goodbye"), o.leave],
        )
        self._row(
            "end_call",
            S.CONFIRMING_BALANCE,
            S.ENDED,
            MODEL,
            "Nothing is owed.",
            when=[g.nothing_owed],
            do=[o.say("goodbye"), o.leave],
        )

    # The payment session

    def _starting(self) -> None:
        here = S.STARTING_PAYMENT
        self._row("bill_held", here, None, PROGRAM, "Held by one conditional write.", when=[g.holding], do=[o.open_pay])
        self._to_person(
            "bill_not_held", here, PROGRAM, "bill_busy", "Another payment on this bill is open or unresolved."
        )
        dest, ask = self._to_field(self.fields[0])
        for trigger in ("pay_opened", "payment_session_started"):
            self._row(
                trigger,
                here,
                dest,
                PAY,
                "The REST 201 or any callback, whichever is first.",
                when=[g.session_adopted],
                do=ask,
            )
        for trigger in ("pay_not_opened", "session_refused"):
            self._row(
                trigger,
                here,
                S.CHOOSING_AMOUNT,
                PAY,
                "Surely no session is open: it may be tried again.",
                when=[g.start_tries_left],
                do=[o.say("start_failed"), o.release_bill],
            )
            self._to_person(trigger, here, PAY, "start_failed_person", "Refused too often.", first=[o.release_bill])
        self._to_person(
            "start_overdue",
            here,
            CLOCK,
            "start_failed_person",
            "A session may be open whose SID is unknown: no second one is opened in this call.",
            when=[g.caller_there],
        )
        self._row("start_overdue", here, S.CANCELLING_PAYMENT, CLOCK, "The line is not up: close what may be open.")
        self._row(
            "cancel_payment_processing",
            here,
            S.CANCELLING_PAYMENT,
            MODEL,
            "A session whose SID is not known yet is cancelled when it is.",
            do=[o.say("one_moment"), o.cancel],
        )

    # Asking for a field (model pace)

    def _to_field(self, field: Field) -> tuple[State, list[Effect]]:
        """Where a row leads that makes `field` the next one, and what it orders there."""
        if self.automatic:
            return field.entry, [o.capture(field)]
        return field.due, [o.think]

    def _asking(self) -> None:
        if self.automatic:
            return
        for field in self.fields:
            why = "The step that orders the capture moves on: asking twice would lose digits."
            self._row(field.tool, field.due, field.entry, MODEL, why, do=[o.capture(field)])
            self._row(
                "due_overdue",
                field.due,
                field.entry,
                CLOCK,
                "A model that talks or fails instead of asking does not stop the payment.",
                do=[o.capture(field)],
            )
            self._row(
                field.tool,
                S.READY_TO_COMPLETE,
                field.entry,
                MODEL,
                "A field may be keyed in anew before the charge.",
                do=[o.capture(field)],
            )

    # Keying in a field

    def _entry(self) -> None:
        for field in self.fields:
            self._keying(field)
            self._captured(field)
            self._rejected(field)
            self._entry_waits(field)
        self._row(
            "cancel_payment_processing",
            self.keying,
            S.CANCELLING_PAYMENT,
            MODEL,
            "Nothing was charged; the session is closed.",
            do=[o.say("one_moment"), o.cancel],
        )
        self._dead_session()

    def _keying(self, field: Field) -> None:
        here = field.entry
        for trigger in ("capture_accepted", "capture_began"):
            self._row(
                trigger,
                here,
                None,
                PAY,
                "Twilio listens before the caller is asked.",
                when=[g.about_this_field, g.prompt_pending],
                do=[o.say_prompt],
            )
        self._row(
            field.tool,
            here,
            None,
            MODEL,
            "“Ask me again”: only while no keys are moving.",
            when=[g.keys_quiet],
            do=[o.capture(field)],
        )
        self._row(
            "capture_refused",
            here,
            S.PAYMENT_CANCELLED,
            PAY,
            "The session is gone, nothing was charged.",
            when=[g.session_gone],
            do=[o.say("session_lost"), o.release_bill],
        )
        dest, ask = self._to_field(field)
        self._row(
            "capture_refused",
            here,
            dest,
            PAY,
            "Not the caller's fault, so counted apart.",
            when=[g.about_this_field, g.capture_tries_left],
            do=[o.say("capture_failed"), *ask],
        )
        self._to_person(
            "capture_refused", here, PAY, "field_person", "Twilio refuses to listen.", when=[g.about_this_field]
        )

    def _captured(self, field: Field) -> None:
        """The next missing field is asked for; another card makes expiration date and code due again."""
        for following in self.fields:
            dest, ask = self._to_field(following)
            self._row(
                "field_captured",
                field.entry,
                dest,
                PAY,
                "The field is in; the next one missing follows.",
                when=[g.about_this_field, g.next_missing(following, self.fields)],
                do=ask,
            )
        complete = g.all_captured(self.fields)
        if self.automatic:
            self._row(
                "field_captured",
                field.entry,
                S.PROCESSING_PAYMENT,
                PAY,
                "The agreement is the one to the amount.",
                when=[g.about_this_field, complete, g.amount_agreed, g.bill_held, g.not_completing],
                do=[o.say("processing"), o.complete],
            )
            return
        self._row(
            "field_captured",
            field.entry,
            S.READY_TO_COMPLETE,
            PAY,
            "Everything is in; the caller is asked for the go-ahead.",
            when=[g.about_this_field, complete],
            do=[o.ask_go_ahead],
        )

    def _rejected(self, field: Field) -> None:
        here = field.entry
        dest, ask = self._to_field(field)
        self._row(
            "field_rejected",
            here,
            dest,
            PAY,
            "Nothing is asked again by Twilio itself.",
            when=[g.about_this_field, g.field_tries_left],
            do=[o.say_rejection, *ask],
        )
        self._to_person("field_rejected", here, PAY, "field_person", "The last try failed.", when=[g.about_this_field])
        dest, ask = self._to_field(self._first_after_card())
        self._row(
            "capture_out_of_sequence",
            here,
            dest,
            PAY,
            "The code does not fit the card: expiration date and code are due again.",
            when=[g.about_this_field, g.field_tries_left],
            do=[o.say("out_of_sequence"), *ask],
        )
        self._to_person(
            "capture_out_of_sequence", here, PAY, "field_person", "The last try failed.", when=[g.about_this_field]
        )
        self._row(
            "entry_timed_out",
            here,
            None,
            PAY,
            "A short quiet first: the rest of the digits may still be coming (see `recapture`).",
            when=[g.about_this_field, g.digits_keyed, g.field_tries_left],
        )
        self._to_person(
            "entry_timed_out",
            here,
            PAY,
            "field_person",
            "The last try failed.",
            when=[g.about_this_field, g.digits_keyed],
        )
        self._row(
            "entry_timed_out",
            here,
            None,
            PAY,
            "No key was pressed: not a failed try. The keypad stays open, silently.",
            when=[g.about_this_field],
            do=[o.recapture("", ", silently")],
        )

    def _first_after_card(self) -> Field:
        return self.fields[1]

    def _entry_waits(self, field: Field) -> None:
        here = field.entry
        self._row(
            "recapture",
            here,
            None,
            CLOCK,
            "The keys are quiet after a time-out: from the first digit.",
            do=[o.recapture("entry_timed_out", ", then “from the first digit”")],
        )
        self._row(
            "entry_waiting",
            here,
            None,
            CLOCK,
            "Twilio may not time out before the first digit, so this program does.",
            when=[g.caller_there],
            do=[o.recapture("entry_waiting", ", then say that there is time")],
        )
        for trigger, why in (
            ("entry_person", "So long without a key: a person helps."),
            ("entry_total", "The field has taken its longest total."),
        ):
            self._to_person(trigger, here, CLOCK, "field_person", why, when=[g.caller_there])

    def _dead_session(self) -> None:
        """Before the charge is asked for, any result means the session is dead."""
        alive = (S.STARTING_PAYMENT, *self.keying)
        self._row(
            "payment_failed",
            alive,
            S.ENDED,
            PAY,
            "The caller hung up: Twilio closed the session.",
            when=[g.caller_gone],
            do=[o.release_bill],
        )
        self._row(
            "payment_failed",
            alive,
            S.PAYMENT_CANCELLED,
            PAY,
            "Star ends a session.",
            when=[g.star_pressed],
            do=[o.say("star_pressed"), o.answer_waiting, o.release_bill],
        )
        self._row(
            "payment_failed",
            alive,
            S.PAYMENT_CANCELLED,
            PAY,
            "The session broke; nothing was charged.",
            do=[o.say("session_lost"), o.answer_waiting, o.release_bill],
        )
        self._row(
            "session_refused",
            self.keying,
            S.PAYMENT_CANCELLED,
            PAY,
            "The session broke; nothing was charged.",
            do=[o.say("session_lost"), o.answer_waiting, o.release_bill],
        )

    # The go-ahead (model pace)

    def _ready(self) -> None:
        if self.automatic:
            return
        here = S.READY_TO_COMPLETE
        self._row(
            "complete_payment_processing",
            here,
            S.PROCESSING_PAYMENT,
            MODEL,
            "The only tool that leads to a charge.",
            when=[
                g.identified,
                g.balance_confirmed,
                g.all_captured(self.fields),
                g.amount_agreed,
                g.bill_held,
                g.not_completing,
            ],
            do=[o.say("processing"), o.complete],
        )

    # The processor has it

    def _processing(self) -> None:
        here = S.PROCESSING_PAYMENT
        self._complete_refused(here)
        self._decline("payment_failed", here)
        for trigger, party, why in (
            ("payment_failed", PAY, "Any other result leaves it open whether the card was charged."),
            ("result_overdue", CLOCK, "Twilio has no way to ask; a result that never comes is unknown."),
        ):
            self._row(trigger, here, S.PAYMENT_OUTCOME_UNKNOWN, party, why, do=[o.say("unknown_outcome")])
        self._row(
            "still_working",
            here,
            None,
            CLOCK,
            "The caller is not left in silence.",
            when=[g.caller_there],
            do=[o.say("still_working")],
        )

    def _complete_refused(self, here: State) -> None:
        self._decline("complete_refused", here)
        dest, ask = self._to_field(self.fields[0])
        self._row(
            "complete_refused",
            here,
            dest,
            PAY,
            "Twilio names no field, so all are taken again.",
            when=[g.field_missing, g.caller_there, g.field_tries_left],
            do=[o.say("field_missing"), *ask],
        )
        self._row(
            "complete_refused", here, None, PAY, "The result or the deadline decides.", when=[g.refusal_ambiguous]
        )
        self._row(
            "complete_refused",
            here,
            S.PAYMENT_CANCELLED,
            PAY,
            "The session is gone, nothing was charged.",
            when=[g.session_gone, g.caller_there],
            do=[o.say("session_lost"), o.release_bill],
        )
        self._to_person(
            "complete_refused",
            here,
            PAY,
            "start_failed_person",
            "Surely nothing was charged; a person goes on.",
            when=[g.caller_there],
        )
        self._row(
            "complete_refused",
            here,
            S.CANCELLING_PAYMENT,
            PAY,
            "Surely nothing was charged, and nobody is there: the session is closed.",
            do=[o.cancel],
        )

    def _decline(self, trigger: str, here: State) -> None:
        self._row(
            trigger,
            here,
            S.ENDED,
            PAY,
            "Declined, and the caller is gone.",
            when=[g.is_decline, g.caller_gone],
            do=[o.release_declined],
        )
        self._row(
            trigger,
            here,
            S.PAYMENT_DECLINED,
            PAY,
            "Told as such; another card may be tried.",
            when=[g.is_decline, g.declines_left],
            do=[o.say("declined"), o.answer_waiting, o.release_declined],
        )
        self._row(
            trigger,
            here,
            S.HANDING_OFF,
            PAY,
            "No machine to try cards on.",
            when=[g.is_decline],
            do=[o.say("declined_person"), o.leave, o.release_declined],
        )

    # After the result

    def _after(self) -> None:
        self._row(
            "cancel_payment_processing",
            S.PAYMENT_DECLINED,
            S.PAYMENT_CANCELLED,
            MODEL,
            "A declined session is dead already.",
            do=[o.say("cancelled")],
        )
        unknown = S.PAYMENT_OUTCOME_UNKNOWN
        self._row(
            "hand_over",
            unknown,
            S.HANDING_OFF,
            CLOCK,
            "The caller was told; a person takes over. The bill stays held.",
            when=[g.caller_there],
            do=[o.say("hand_off"), o.leave],
        )
        self._row("hand_over", unknown, S.ENDED, CLOCK, "Nobody is there; the unknown outcome stays on the board.")

    # Cancelling

    def _cancelling(self) -> None:
        here = S.CANCELLING_PAYMENT
        for trigger in ("pay_opened", "payment_session_started"):
            self._row(
                trigger,
                here,
                None,
                PAY,
                "Its SID is known at last.",
                when=[g.session_adopted],
                do=[o.cancel],
            )
        self._row(
            "cancel_overdue",
            here,
            S.HANDING_OFF,
            CLOCK,
            "A session may be open whose SID is unknown: no second one is opened in this call.",
            when=[g.opening, g.caller_there],
            do=[o.say("start_failed_person"), o.leave, o.release_bill],
        )
        for trigger, party in (
            ("bill_held", PROGRAM),
            ("bill_not_held", PROGRAM),
            ("pay_not_opened", PAY),
            ("session_refused", PAY),
            ("cancel_accepted", PAY),
            ("cancel_unanswered", PAY),
            ("payment_failed", PAY),
            ("cancel_overdue", CLOCK),
        ):
            self._row(
                trigger,
                here,
                S.ENDED,
                party,
                "Closed, and the caller is gone.",
                when=[g.caller_gone],
                do=[o.release_bill],
            )
            self._row(
                trigger,
                here,
                S.PAYMENT_CANCELLED,
                party,
                "Closed, or as good as: nothing was charged.",
                do=[o.say("cancelled"), o.answer_waiting, o.release_bill],
            )

    # A person

    def _hand_off(self) -> None:
        here = S.HANDING_OFF
        self._to_person(
            "human_agent_handoff", self.conversing, MODEL, "hand_off", "Whoever asks for a person gets one."
        )
        for trigger in ("pay_opened", "payment_session_started"):
            self._row(trigger, here, None, PAY, "Its SID is known at last.", when=[g.session_adopted], do=[o.cancel])
        for trigger, party in (
            ("bill_held", PROGRAM),
            ("bill_not_held", PROGRAM),
            ("pay_not_opened", PAY),
            ("session_refused", PAY),
            ("cancel_accepted", PAY),
            ("cancel_unanswered", PAY),
            ("payment_failed", PAY),
            ("cancel_overdue", CLOCK),
        ):
            self._row(
                trigger,
                here,
                S.ENDED,
                party,
                "Closed, and the caller is gone.",
                when=[g.caller_gone],
                do=[o.release_if_held],
            )
            self._row(
                trigger,
                here,
                None,
                party,
                "Closed: now the call can be passed on.",
                when=[g.not_leaving],
                do=[o.leave, o.release_if_held],
            )
        for trigger in ("relay_ended", "relay_failed"):
            self._row(trigger, here, None, LINE, "Twilio asks what next.", when=[g.route_left], do=[o.route])
            self._row(trigger, here, S.ENDED, LINE, "No way to a person is left.", do=[o.apologise])
        self._row("hand_off_answered", here, S.ENDED, LINE, "A person took the call.", do=[o.hang_up])
        self._row(
            "hand_off_unanswered", here, None, LINE, "The other route is tried.", when=[g.route_left], do=[o.route]
        )
        self._row("hand_off_unanswered", here, S.ENDED, LINE, "Nobody can take the call.", do=[o.apologise])
        for trigger in ("leave_overdue", "hand_off_overdue"):
            self._row(trigger, here, S.ENDED, CLOCK, "Nothing more is heard of the call.")

    # The talk

    def _talk(self) -> None:
        self._row(
            "caller_spoke",
            (*self.conversing, S.PROCESSING_PAYMENT),
            None,
            LINE,
            "A card number is keyed in, never said; the model did not get it.",
            when=[g.card_cut],
            do=[o.say("use_keypad")],
        )
        self._row("caller_spoke", self.conversing, None, LINE, "The model answers.", do=[o.think])
        self._row(
            "caller_spoke",
            S.PROCESSING_PAYMENT,
            None,
            LINE,
            "No model turn while the charge is open; what was said is answered after the outcome.",
            do=[o.say("still_working")],
        )
        asked = self.talking if not self.automatic else (*self.talking, S.STARTING_PAYMENT, *self.entry)
        self._row(
            "model_failed",
            (*self.talking, S.STARTING_PAYMENT, *self.entry),
            None,
            PROGRAM,
            "The caller hears something sensible.",
            when=[g.model_failures_left],
            do=[o.say("say_again")],
        )
        self._row(
            "model_failed",
            self.due,
            None,
            PROGRAM,
            "The clock asks for the field.",
            when=[g.model_failures_left],
        )
        person = [s for s in self.conversing if not self.automatic or s in self.talking]
        self._to_person("model_failed", person, PROGRAM, "model_person", "Too often in a row.")
        if self.automatic:
            self._row(
                "model_failed",
                [s for s in asked if s not in self.talking],
                None,
                PROGRAM,
                "In automatic pace a payment under way finishes even with the model gone.",
                do=[o.say("one_moment")],
            )

    def _language(self) -> None:
        do = [o.switch_language, o.say_where_we_are]
        why = "The sentence of the moment again, in that language; an open capture stays open."
        self._row("switch_language", self.conversing, None, MODEL, why, when=[g.language_known], do=do)
        self._row("language_key_pressed", self.conversing, None, LINE, why, when=[g.language_known], do=do)

    def _silence(self) -> None:
        self._row(
            "silence",
            self.closed,
            None,
            CLOCK,
            "Nobody is left in silence.",
            when=[g.silences_left],
            do=[o.say("are_you_there")],
        )
        self._row(
            "silence",
            self.closed,
            S.ENDED,
            CLOCK,
            "Nobody answers.",
            do=[o.say("goodbye_silence"), o.leave],
        )
        if not self.automatic:
            here = S.READY_TO_COMPLETE
            self._row(
                "silence",
                here,
                None,
                CLOCK,
                "The clock never orders a charge: it repeats the question.",
                when=[g.silences_left],
                do=[o.ask_go_ahead],
            )
            self._row(
                "silence",
                here,
                S.CANCELLING_PAYMENT,
                CLOCK,
                "No go-ahead, no charge.",
                do=[o.cancel],
            )

    # The line

    def _line(self) -> None:
        back = [s for s in self.states if s not in (S.ENDED, S.HANDING_OFF)]
        self._row(
            "relay_connected",
            back,
            None,
            LINE,
            "A new relay on the same call: say where we are.",
            when=[g.connected_before],
            do=[o.say("line_back"), o.say_where_we_are],
        )
        self._row(
            "relay_connected",
            (S.HANDING_OFF, S.ENDED),
            None,
            LINE,
            "Nothing is left to talk about.",
            do=[o.leave],
        )
        alive = [s for s in self.states if s not in (S.ENDED, S.HANDING_OFF, S.PROCESSING_PAYMENT)]
        for trigger in ("relay_failed", "relay_ended"):
            self._row(
                trigger,
                S.PROCESSING_PAYMENT,
                None,
                LINE,
                "A charge under way is never left; its deadline bounds the re-connects.",
                do=[o.reconnect],
            )
            self._row(
                trigger,
                alive,
                None,
                LINE,
                "The caller is still there.",
                when=[g.reconnects_left],
                do=[o.reconnect],
            )
            self._row(
                trigger,
                alive,
                S.HANDING_OFF,
                LINE,
                "Re-connects are bounded; a person takes over.",
                do=[o.route, o.cancel, o.release_if_held],
            )
            self._row(trigger, S.ENDED, None, LINE, "Goodbye was said.", do=[o.hang_up])
        self._gone("caller_hung_up", LINE, known=True)
        self._gone("line_overdue", CLOCK, known=False)

    def _gone(self, trigger: str, party: Party, *, known: bool) -> None:
        """The caller is gone: `known` by a hang-up, which has closed the session, or taken to be."""
        over = (*self.closed, S.PAYMENT_OUTCOME_UNKNOWN)
        self._row(trigger, over, S.ENDED, party, "No session is open.")
        self._row(
            trigger,
            S.STARTING_PAYMENT,
            S.CANCELLING_PAYMENT,
            party,
            "A session may be opening: it is cancelled when its SID is known.",
        )
        if known:
            why = "A hang-up has closed the session already."
            self._row(trigger, self.keying, S.ENDED, party, why, do=[o.release_bill])
        else:
            why = "The session does not outlive its caller."
            self._row(trigger, self.keying, S.CANCELLING_PAYMENT, party, why, do=[o.cancel])
        self._row(
            trigger,
            S.HANDING_OFF,
            None,
            party,
            "The session being opened or closed is waited for.",
            when=[g.closing_pending],
        )
        self._row(trigger, S.HANDING_OFF, S.ENDED, party, "Nobody is left to pass on.", do=[o.release_if_held])

    # Results that come late

    def _late_results(self) -> None:
        waiting = (S.HANDING_OFF, S.ENDED)
        on_line = [s for s in self.states if s not in (*waiting, S.PAYMENT_COMPLETED, S.VERIFYING_IDENTITY)]
        won = [o.tell_paid, o.answer_or_ask, o.credit_bill]
        self._row(
            "payment_succeeded",
            on_line,
            S.ENDED,
            PAY,
            "Recorded and credited; the caller is gone.",
            when=[g.not_credited, g.caller_gone],
            do=[o.credit_bill],
        )
        self._row(
            "payment_succeeded",
            on_line,
            S.PAYMENT_COMPLETED,
            PAY,
            "Only now “paid” is said.",
            when=[g.not_credited],
            do=won,
        )
        self._row(
            "payment_succeeded",
            waiting,
            None,
            PAY,
            "Recorded and credited in place.",
            when=[g.not_credited],
            do=[o.credit_bill],
        )
        self._row(
            "earlier_payment_succeeded",
            self.states,
            None,
            PAY,
            "A success counts wherever it comes from.",
            when=[g.earlier_not_credited],
            do=[o.credit_earlier],
        )
        for trigger in ("payment_session_started", "pay_opened"):
            self._row(
                trigger,
                self.states,
                None,
                PAY,
                "No session is left open that nobody waits for.",
                when=[g.stray_session],
                do=[o.cancel_stray],
            )
        unknown = (S.PAYMENT_OUTCOME_UNKNOWN, *waiting)
        self._row(
            "outcome_resolved",
            unknown,
            None,
            OPERATOR,
            "A person found the charge at the processor.",
            when=[g.outcome_unknown, g.resolved_paid],
            do=[o.credit_bill],
        )
        self._row(
            "outcome_resolved",
            unknown,
            None,
            OPERATOR,
            "A person found that nothing was charged.",
            when=[g.outcome_unknown],
            do=[o.release_bill],
        )


def check(flow: Flow) -> list[str]:
    """What is wrong with a table, in words; empty when it is well formed."""
    return [words for find in _CHECKS for words in find(flow)]


def _unknown_triggers(flow: Flow) -> list[str]:
    known = {*TOOLS, *SIMPLE_TRIGGERS, *CLOCK_TRIGGERS, "outcome_resolved"}
    return [f"{row.id}: nothing is called {row.trigger}" for row in flow.rows if row.trigger not in known]


def _wrong_party(flow: Flow) -> list[str]:
    def wrong(row: Row) -> bool:
        return ((row.trigger in TOOLS) != (row.party is MODEL)) or (
            (row.trigger in CLOCK_TRIGGERS) != (row.party is CLOCK)
        )

    return [f"{row.id}: {row.party} cannot cause it" for row in flow.rows if wrong(row)]


def _lost_states(flow: Flow) -> list[str]:
    places = {row.source for row in flow.rows} | {row.dest for row in flow.rows if row.dest}
    return [f"{place} is not a state of this table" for place in sorted(places - set(flow.states))]


def _final_left(flow: Flow) -> list[str]:
    return [f"{row.id}: a final state is never left" for row in flow.rows if row.source in FINAL and row.dest]


def _shadowed(flow: Flow) -> list[str]:
    """A row behind one without guards can never fire."""
    return [
        f"{rows[n + 1].id}: stands behind {row.id}, which always fires"
        for rows in flow.by_trigger.values()
        for n, row in enumerate(rows[:-1])
        if not row.guards
    ]


_CHECKS: tuple[Callable[[Flow], list[str]], ...] = (
    _unknown_triggers,
    _wrong_party,
    _lost_states,
    _final_left,
    _shadowed,
)
