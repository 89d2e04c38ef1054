"""The table: every way a call may move, row by row.

Theory of operation
-------------------

A call is in one state. An event has a trigger; the rows of that state and trigger are tried from top to bottom, and
the first whose guards all hold fires. Its effects become orders. Nothing else moves a call. Rule one: a tool of the
model is open in a state exactly if a row says so here. Rule two: what Twilio, the line, the clock and the program's
own look-ups report is never refused: where no row fires it is taken into the facts and recorded in place.

How to read a row: its trigger, the states it is for, where it leads (STAY: nowhere), who causes it; *when*: what has
to hold; *do*: what is ordered, in this order; *why*. `person` is a row that says a sentence and passes the call on.
Rows that share a trigger and a state stand in the order they are tried, so the last is the one for “otherwise”.

Money is touched by four orders. `HoldBill` stands only behind `start_payment`, `OpenPay` only behind the hold's
answer, `CompletePay` only in `ready_to_complete` (in automatic pace: behind the last field), `CreditBill` only behind
a success or a person's word. `CancelPay` follows no charge that Twilio may have accepted. The rows in front of a
charge say all its conditions, also those that the way to them implies: a second lock, and the whole of it in one place.

A session's SID becomes known by the REST answer or by a callback, whichever is first. Until one of them comes nobody
can tell whether a session is open, so no second one is opened in the call: the caller gets a person, and the session is
cancelled when it becomes known, be it after the end.

Whether the caller is there is a fact, not a state. Where money is open a call goes on without its caller until it is
settled: that is why rows of `pay` and `clock` ask whether the caller is gone.

Two paces come from one builder. In *model* pace a field is first due (`…_due`), where the model's tool or, after a
silence, the clock asks for it. In *automatic* pace those states are absent: rows that would lead to `…_due` lead to
`…_entry` and order the capture themselves, and the last field's row orders the charge, since the caller agreed to the
amount and keyed in the card after hearing it.

Two states per field, because a second capture while the caller is typing would lose digits: a tool that is dangerous
*now* has to be impossible now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from payagent.errors import TableError
from payagent.flow import guards as g
from payagent.flow import orders as o
from payagent.flow.builder import PARTING, STAY, Builder, numbered
from payagent.flow.check import check
from payagent.flow.limits import Limits
from payagent.flow.rows import Effect, Flow
from payagent.flow.states import Field, Pace, Party, Profile, State

__all__ = ["Flow", "build"]

S = State
MODEL, PAY, LINE, CLOCK, PROGRAM, OPERATOR = Party


def build(
    pace: Pace = Pace.MODEL,
    profile: Profile = Profile.CARD,
    limits: Limits | None = None,
    routes: Sequence[str] = ("queue", "dial"),
    languages: Sequence[str] = ("en", "es"),
) -> Flow:
    """The table for one pace and profile. `routes` to a person are tried in the order given.

    Raises:
        TableError: the table is not well formed.
    """
    table = Builder(pace, profile)
    for part in _PARTS:
        part(table)
    flow = Flow(
        rows=numbered(table.rows),
        states=table.states,
        pace=pace,
        profile=profile,
        limits=limits or Limits(),
        routes=tuple(routes),
        languages=tuple(languages),
    )
    if problems := check(flow):
        raise TableError("\n".join(problems))
    return flow


# fmt: off

# Who is calling


def _identity(t: Builder) -> None:
    add, person, here = t.add, t.person, S.VERIFYING_IDENTITY
    add("verify_user", here, STAY, MODEL, when=[g.not_looking_up], do=[o.look_up],
        why="Both values are looked up together; they are never recorded.")
    add("identity_matched", here, S.CONFIRMING_BALANCE, PROGRAM, do=[o.read_bills],
        why="Exactly one account matches.")
    add("identity_not_matched", here, STAY, PROGRAM, when=[g.identity_tries_left], do=[o.say("identity_not_matched")],
        why="No hint which part was wrong; a locked account sounds the same.")
    person("identity_not_matched", here, PROGRAM, "identity_failed", why="Too often: a person takes over.")
    add("identity_look_up_failed", here, STAY, PROGRAM, when=[g.look_ups_left], do=[o.say("identity_unreadable")],
        why="A look-up that could not be made is not a failed try.")
    person("identity_look_up_failed", here, PROGRAM, "identity_failed", why="Too often: a person takes over.")


# What is owed


def _balance(t: Builder) -> None:
    add, person, here = t.add, t.person, S.CONFIRMING_BALANCE
    add("bills_read", here, STAY, PROGRAM, when=[g.something_owed], do=[o.tell_balance],
        why="The balance is told.")
    add("bills_read", here, STAY, PROGRAM, do=[o.say("nothing_owed")], why="There is nothing to pay.")
    person("bills_unavailable", here, PROGRAM, "bills_unavailable", why="Without the book nothing can be paid.")
    add("check_pending_bill", (here, S.CHOOSING_AMOUNT, S.PAYMENT_COMPLETED), here, MODEL, do=[o.read_bills],
        why="The bill named is the one confirmed and paid, so its balance is told and agreed to anew.")
    # The model's word alone is no agreement: the balance was told, and the caller has said something since.
    agreed = [g.balance_told, g.heard_since]
    add("confirm_balance", here, S.CHOOSING_AMOUNT, MODEL, when=[*agreed, g.agrees], do=[o.think],
        why="The model goes on at once: the same words may have named the amount.")
    person("confirm_balance", here, MODEL, "balance_disputed", when=agreed,
           why="A disputed balance is a person's business.")


# How much


def _amount(t: Builder) -> None:
    add = t.add
    add("check_payment_options", (S.CHOOSING_AMOUNT, S.PAYMENT_CANCELLED), S.CHOOSING_AMOUNT, MODEL,
        do=[o.tell_options], why="The ways to pay are a fixed sentence.")
    # The row that leads to a payment says all its conditions itself, also those that the way here implies.
    confirmed = [g.identified, g.balance_told, g.balance_confirmed]
    add("start_payment", (S.CHOOSING_AMOUNT, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED), S.STARTING_PAYMENT, MODEL,
        when=[*confirmed, g.heard_since, g.no_session_open, g.amount_fits], do=[o.hold_bill],
        why="The caller chose an amount since the balance was told and since the last decline or cancel.")
    add("end_call", (S.CHOOSING_AMOUNT, S.PAYMENT_COMPLETED, S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED), S.ENDED, MODEL,
        do=[o.say("goodbye"), o.leave], why="No money is open here.")
    add("end_call", S.CONFIRMING_BALANCE, S.ENDED, MODEL, when=[g.nothing_owed], do=[o.say("goodbye"), o.leave],
        why="Nothing is owed.")


# The payment session


def _starting(t: Builder) -> None:
    add, person, here = t.add, t.person, S.STARTING_PAYMENT
    add("bill_held", here, STAY, PROGRAM, do=[o.open_pay], why="Held by one conditional write.")
    person("bill_not_held", here, PROGRAM, "bill_busy", why="Another payment on this bill is open or unresolved.")
    # Callbacks may come before the REST answer, so either makes the session's SID known (fact sheet 10, no. 14).
    card, ask = t.next_is(t.fields[0])
    for trigger in ("pay_opened", "payment_session_started"):
        add(trigger, here, card, PAY, when=[g.session_adopted], do=ask,
            why="The REST 201 or any callback, whichever is first.")
    for trigger in ("pay_not_opened", "session_refused"):
        may_pass = [g.refusal_may_pass] if trigger == "pay_not_opened" else []
        add(trigger, here, S.CHOOSING_AMOUNT, PAY, when=[*may_pass, g.start_tries_left],
            do=[o.say("start_failed"), o.release_bill], why="Surely no session is open: it may be tried again.")
        person(trigger, here, PAY, "start_failed_person", first=[o.release_bill],
               why="Refused too often, or the line is set up wrongly.")
    # Without an answer nobody knows whether a session is open. A second one could be mistaken for the first.
    person("start_overdue", here, CLOCK, "start_failed_person", when=[g.caller_there],
           why="A session may be open whose SID is unknown: no second one is opened in this call.")
    add("start_overdue", here, S.CANCELLING_PAYMENT, CLOCK, why="The line is not up: close what may be open.")
    add("cancel_payment_processing", here, S.CANCELLING_PAYMENT, MODEL, do=[o.say("one_moment")],
        why="A session whose SID is not known yet is cancelled when it is.")


# Asking for a field (model pace)


def _asking(t: Builder) -> None:
    add = t.add
    for field in () if t.automatic else t.fields:
        add(field.tool, field.due, field.entry, MODEL, do=[o.capture(field)],
            why="The step that orders the capture moves on: asking twice would lose digits.")
        add("due_overdue", field.due, field.entry, CLOCK, do=[o.capture(field)],
            why="A model that talks or fails instead of asking does not stop the payment.")
        add(field.tool, S.READY_TO_COMPLETE, field.entry, MODEL, do=[o.capture(field)],
            why="A field may be keyed in anew before the charge.")


# Keying in a field


def _entry(t: Builder) -> None:
    for field in t.fields:
        _keying(t, field)
        _captured(t, field)
        _rejected(t, field)
        _entry_waits(t, field)
    t.add("cancel_payment_processing", t.keying, S.CANCELLING_PAYMENT, MODEL, do=[o.say("one_moment"), o.cancel],
          why="Nothing was charged; the session is closed.")
    _dead_session(t)


def _keying(t: Builder, field: Field) -> None:
    add, person, here = t.add, t.person, field.entry
    # The prompt comes after Twilio listens, or early digits would be lost (fact sheet 6, safe configuration).
    add("capture_accepted", here, STAY, PAY, when=[g.prompt_pending], do=[o.say_prompt],
        why="Twilio listens before the caller is asked.")
    add("capture_began", here, STAY, PAY, when=[g.about_this_field, g.prompt_pending], do=[o.say_prompt],
        why="Twilio listens before the caller is asked.")
    add(field.tool, here, STAY, MODEL, when=[g.keys_quiet], do=[o.capture(field)],
        why="“Ask me again”: only while no keys are moving.")
    add("capture_refused", here, S.PAYMENT_CANCELLED, PAY, when=[g.session_gone],
        do=[o.say("session_lost"), o.release_bill], why="The session is gone, nothing was charged.")
    again, ask = t.next_is(field)
    add("capture_refused", here, again, PAY, when=[g.capture_tries_left], do=[o.say("capture_failed"), *ask],
        why="Not the caller's fault, so counted apart.")
    person("capture_refused", here, PAY, "field_person", why="Twilio refuses to listen.")


def _captured(t: Builder, field: Field) -> None:
    """The next missing field is asked for; another card makes expiration date and code due again."""
    add, complete = t.add, g.all_captured(t.fields)
    for following in (f for f in t.fields if f is not field):
        to, ask = t.next_is(following)
        add("field_captured", field.entry, to, PAY, when=[g.about_this_field, g.next_missing(following, t.fields)],
            do=ask, why="The field is in; the next one missing follows.")
    if t.automatic:
        add("field_captured", field.entry, S.PROCESSING_PAYMENT, PAY,
            when=[g.about_this_field, complete, g.amount_agreed, g.bill_held, g.not_completing],
            do=[o.say("processing"), o.complete], why="The agreement is the one to the amount.")
    else:
        add("field_captured", field.entry, S.READY_TO_COMPLETE, PAY, when=[g.about_this_field, complete],
            do=[o.ask_go_ahead], why="Everything is in; the caller is asked for the go-ahead.")


def _rejected(t: Builder, field: Field) -> None:
    add, person, here = t.add, t.person, field.entry
    this, again = g.about_this_field, "The last try failed."
    to, ask = t.next_is(field)
    add("field_rejected", here, to, PAY, when=[this, g.field_tries_left], do=[o.say_rejection, *ask],
        why="Nothing is asked again by Twilio itself.")
    person("field_rejected", here, PAY, "field_person", when=[this], why=again)
    # Twilio checks the code's length against the card (fact sheet 4.2): what belongs to the card is taken anew.
    to, ask = t.next_is(t.fields[1])
    add("capture_out_of_sequence", here, to, PAY, when=[this, g.field_tries_left], do=[o.say("out_of_sequence"), *ask],
        why="The code does not fit the card: expiration date and code are due again.")
    person("capture_out_of_sequence", here, PAY, "field_person", when=[this], why=again)
    add("entry_timed_out", here, STAY, PAY, when=[this, g.digits_keyed, g.field_tries_left],
        why="A short quiet first: the rest of the digits may still be coming (see `recapture`).")
    person("entry_timed_out", here, PAY, "field_person", when=[this, g.digits_keyed], why=again)
    add("entry_timed_out", here, STAY, PAY, when=[this], do=[o.recapture("", ", silently")],
        why="No key was pressed: not a failed try. The keypad stays open, silently.")


def _entry_waits(t: Builder, field: Field) -> None:
    add, person, here = t.add, t.person, field.entry
    add("recapture", here, STAY, CLOCK, do=[o.recapture("entry_timed_out", ", then “from the first digit”")],
        why="The keys are quiet after a time-out: from the first digit.")
    add("entry_waiting", here, STAY, CLOCK, when=[g.caller_there, g.prompt_pending],
        do=[o.say("capture_failed"), o.capture(field)],
        why="Twilio never said that it listens, so the caller was not asked yet: said so, and tried again.")
    add("entry_waiting", here, STAY, CLOCK, when=[g.caller_there],
        do=[o.recapture("entry_waiting", ", then say that there is time")],
        why="Twilio may not time out before the first digit, so this program does.")
    person("entry_person", here, CLOCK, "field_person", when=[g.caller_there],
           why="So long without a key: a person helps.")
    person("entry_total", here, CLOCK, "field_person", when=[g.caller_there],
           why="The field has taken its longest total.")


def _dead_session(t: Builder) -> None:
    """Before the charge is asked for, any result means the session is dead (fact sheet 5.4)."""
    add, alive = t.add, (S.STARTING_PAYMENT, *t.keying)
    lost = [o.say("session_lost"), o.release_bill]  # no words wait: before the charge each get a turn at once
    add("payment_failed", alive, S.ENDED, PAY, when=[g.caller_gone], do=[o.release_bill],
        why="The caller hung up: Twilio closed the session.")
    add("payment_failed", alive, S.PAYMENT_CANCELLED, PAY, when=[g.star_pressed],
        do=[o.say("star_pressed"), o.release_bill], why="Star ends a session.")
    add("payment_failed", alive, S.PAYMENT_CANCELLED, PAY, do=lost, why="The session broke; nothing was charged.")
    add("payment_failed", t.settled, S.ENDED, PAY, when=[g.caller_gone], why="The caller hung up.")
    add("session_refused", t.keying, S.PAYMENT_CANCELLED, PAY, do=lost,
        why="The session broke; nothing was charged.")


# The go-ahead (model pace)


def _ready(t: Builder) -> None:
    if t.automatic:
        return
    # Here too every condition of a charge is said once more, whatever the way here implies.
    t.add("complete_payment_processing", S.READY_TO_COMPLETE, S.PROCESSING_PAYMENT, MODEL,
          when=[g.identified, g.balance_confirmed, g.all_captured(t.fields), g.amount_agreed, g.bill_held,
                g.not_completing],
          do=[o.say("processing"), o.complete], why="The only tool that leads to a charge.")


# The processor has it


def _processing(t: Builder) -> None:
    add, here = t.add, S.PROCESSING_PAYMENT
    _complete_refused(t, here)
    _decline(t, "payment_failed", here)
    add("payment_failed", here, S.PAYMENT_OUTCOME_UNKNOWN, PAY, do=[o.say("unknown_outcome")],
        why="Any other result leaves it open whether the card was charged.")
    add("result_overdue", here, S.PAYMENT_OUTCOME_UNKNOWN, CLOCK, do=[o.say("unknown_outcome")],
        why="Twilio has no way to ask; a result that never comes is unknown.")
    add("still_working", here, STAY, CLOCK, when=[g.caller_there], do=[o.say("still_working")],
        why="The caller is not left in silence.")


def _complete_refused(t: Builder, here: State) -> None:
    """Twilio refused to charge; but for 64002 that is sure."""
    add, person, trigger = t.add, t.person, "complete_refused"
    _decline(t, trigger, here)
    card, ask = t.next_is(t.fields[0])
    waiting = [o.answer_waiting] if t.automatic else []  # in model pace the turn that asks answers, too
    add(trigger, here, card, PAY, when=[g.field_missing, g.caller_there, g.start_tries_left],
        do=[o.say("field_missing"), *ask, *waiting], why="Twilio names no field, so all are taken again.")
    add(trigger, here, STAY, PAY, when=[g.refusal_ambiguous], why="The result or the deadline decides.")
    add(trigger, here, S.PAYMENT_CANCELLED, PAY, when=[g.session_gone, g.caller_there],
        do=[o.say("session_lost"), o.answer_waiting, o.release_bill], why="The session is gone, nothing was charged.")
    person(trigger, here, PAY, "start_failed_person", when=[g.caller_there],
           why="Surely nothing was charged; a person goes on.")
    add(trigger, here, S.CANCELLING_PAYMENT, PAY, do=[o.cancel],
        why="Surely nothing was charged, and nobody is there: the session is closed.")


def _decline(t: Builder, trigger: str, here: State) -> None:
    add = t.add
    add(trigger, here, S.ENDED, PAY, when=[g.is_decline, g.caller_gone], do=[o.release_declined],
        why="Declined, and the caller is gone.")
    add(trigger, here, S.PAYMENT_DECLINED, PAY, when=[g.is_decline, g.declines_left],
        do=[o.say("declined"), o.answer_waiting, o.release_declined], why="Told as such; another card may be tried.")
    add(trigger, here, S.HANDING_OFF, PAY, when=[g.is_decline],
        do=[o.say("declined_person"), o.leave, o.release_declined], why="No machine to try cards on.")


# After the result


def _after(t: Builder) -> None:
    add = t.add
    add("cancel_payment_processing", S.PAYMENT_DECLINED, S.PAYMENT_CANCELLED, MODEL, do=[o.say("cancelled")],
        why="A declined session is dead already.")
    add("hand_over", S.PAYMENT_OUTCOME_UNKNOWN, S.HANDING_OFF, CLOCK, when=[g.caller_not_gone],
        do=[o.say("hand_off"), o.leave], why="The caller was told; a person takes over. The bill stays held.")
    add("hand_over", S.PAYMENT_OUTCOME_UNKNOWN, S.ENDED, CLOCK,
        why="Nobody is there; the unknown outcome stays on the board.")


# Cancelling

_CLOSED_BY = (  # what tells that a session being opened or closed is open no more
    ("bill_held", PROGRAM), ("bill_not_held", PROGRAM), ("pay_not_opened", PAY), ("session_refused", PAY),
    ("cancel_accepted", PAY), ("cancel_unanswered", PAY), ("payment_failed", PAY), ("cancel_overdue", CLOCK),
)


def _cancelling(t: Builder) -> None:
    add, here = t.add, S.CANCELLING_PAYMENT
    for trigger in ("pay_opened", "payment_session_started"):
        add(trigger, here, STAY, PAY, when=[g.session_adopted], do=[o.cancel], why="Its SID is known at last.")
    add("cancel_overdue", here, S.HANDING_OFF, CLOCK, when=[g.opening, g.caller_not_gone],
        do=[o.say("start_failed_person"), o.leave, o.release_bill],
        why="A session may be open whose SID is unknown: no second one is opened in this call.")
    for trigger, party in _CLOSED_BY:
        add(trigger, here, S.ENDED, party, when=[g.caller_gone], do=[o.release_bill],
            why="Closed, and the caller is gone.")
        add(trigger, here, S.PAYMENT_CANCELLED, party, do=[o.say("cancelled"), o.answer_waiting, o.release_bill],
            why="Closed, or as good as: nothing was charged.")


# A person


def _hand_off(t: Builder) -> None:
    add, here = t.add, S.HANDING_OFF
    t.person("human_agent_handoff", t.conversing, MODEL, "hand_off", why="Whoever asks for a person gets one.")
    # The person could not open a session of their own while this one is (Twilio's 64021): it is closed first.
    for trigger in ("pay_opened", "payment_session_started"):
        add(trigger, here, STAY, PAY, when=[g.session_adopted], do=[o.cancel], why="Its SID is known at last.")
    for trigger, party in _CLOSED_BY:
        add(trigger, here, S.ENDED, party, when=[g.caller_gone], do=[o.release_if_held],
            why="Closed, and the caller is gone.")
        add(trigger, here, STAY, party, when=[g.not_leaving], do=[o.leave, o.release_if_held],
            why="Closed: now the call can be passed on.")
    for trigger in ("relay_ended", "relay_failed"):
        add(trigger, here, STAY, LINE, when=[g.route_left], do=[o.route("")], why="Twilio asks what next.")
        add(trigger, here, S.ENDED, LINE, do=[o.apologise, o.release_if_held], why="No way to a person is left.")
    add("hand_off_answered", here, S.ENDED, LINE, do=[o.hang_up, o.release_if_held], why="A person took the call.")
    add("hand_off_unanswered", here, STAY, LINE, when=[g.route_left], do=[o.route("hand_off_other_route")],
        why="The other route is tried.")
    add("hand_off_unanswered", here, S.ENDED, LINE, do=[o.apologise, o.release_if_held],
        why="Nobody can take the call.")
    for trigger in ("leave_overdue", "hand_off_overdue"):
        add(trigger, here, S.ENDED, CLOCK, do=[o.release_if_held], why="Nothing more is heard of the call.")


# The talk


def _talk(t: Builder) -> None:
    add, person = t.add, t.person
    add("caller_spoke", (*t.conversing, S.PROCESSING_PAYMENT), STAY, LINE, when=[g.card_cut],
        do=[o.say("use_keypad")], why="A card number is keyed in, never said; the model did not get it.")
    add("caller_spoke", t.conversing, STAY, LINE, do=[o.think], why="The model answers.")
    add("caller_spoke", S.PROCESSING_PAYMENT, STAY, LINE, do=[o.say("still_working")],
        why="No model turn while the charge is open; what was said is answered after the outcome.")
    add("model_failed", (*t.talking, S.STARTING_PAYMENT, *t.entry), STAY, PROGRAM, when=[g.model_failures_left],
        do=[o.say("say_again")], why="The caller hears something sensible.")
    add("model_failed", t.due, STAY, PROGRAM, when=[g.model_failures_left], why="The clock asks for the field.")
    helped = t.talking if t.automatic else t.conversing
    person("model_failed", helped, PROGRAM, "model_person", why="Too often in a row.")
    if t.automatic:
        add("model_failed", (S.STARTING_PAYMENT, *t.entry), STAY, PROGRAM, do=[o.say("one_moment")],
            why="In automatic pace a payment under way finishes even with the model gone.")
    # What the model says of the money is judged before it is spoken (see `claims`).
    add("claim_stopped", t.conversing, STAY, PROGRAM, when=[g.claims_left], do=[o.say_the_truth],
        why="A claim that the record does not bear out is not spoken; a fixed sentence says how things are.")
    person("claim_stopped", helped, PROGRAM, "model_person", why="A model that goes on claiming is taken off the call.")
    if t.automatic:
        add("claim_stopped", (S.STARTING_PAYMENT, *t.entry), STAY, PROGRAM, do=[o.say_the_truth],
            why="In automatic pace a payment under way finishes even with a model that lies.")


def _language(t: Builder) -> None:
    for trigger, party in (("switch_language", MODEL), ("language_key_pressed", LINE)):
        t.add(trigger, t.conversing, STAY, party, when=[g.language_known],
              do=[o.switch_language, o.say_where_we_are],
              why="The sentence of the moment again, in that language; an open capture stays open.")


def _silence(t: Builder) -> None:
    add = t.add
    add("silence", t.closed, STAY, CLOCK, when=[g.silences_left], do=[o.say("are_you_there")],
        why="Nobody is left in silence.")
    add("silence", t.closed, S.ENDED, CLOCK, do=[o.say("goodbye_silence"), o.leave], why="Nobody answers.")
    if not t.automatic:
        add("silence", S.READY_TO_COMPLETE, STAY, CLOCK, when=[g.silences_left], do=[o.ask_go_ahead],
            why="The clock never orders a charge: it repeats the question.")
        add("silence", S.READY_TO_COMPLETE, S.CANCELLING_PAYMENT, CLOCK, do=[o.cancel], why="No go-ahead, no charge.")


# The line


def _line(t: Builder) -> None:
    add = t.add
    add("relay_connected", [s for s in t.states if s not in PARTING], STAY, LINE, when=[g.connected_before],
        do=[o.say("line_back"), o.say_where_we_are], why="A new relay on the same call: say where we are.")
    add("relay_connected", PARTING, STAY, LINE, do=[o.leave], why="Nothing is left to talk about.")
    # Twilio does not re-connect by itself: it asks `/api/action`, and what it is told there decides.
    alive = [s for s in t.states if s not in (*PARTING, S.PROCESSING_PAYMENT)]
    for trigger in ("relay_failed", "relay_ended"):
        add(trigger, S.PROCESSING_PAYMENT, STAY, LINE, do=[o.reconnect],
            why="A charge under way is never left; its deadline bounds the re-connects.")
        add(trigger, alive, STAY, LINE, when=[g.reconnects_left], do=[o.reconnect], why="The caller is still there.")
        add(trigger, alive, S.HANDING_OFF, LINE, do=[o.route("hand_off"), o.cancel, o.release_if_held],
            why="Re-connects are bounded; a person takes over.")
        add(trigger, S.ENDED, STAY, LINE, do=[o.hang_up], why="Goodbye was said.")
    _gone(t, "caller_hung_up", LINE, S.ENDED, [o.release_bill], "A hang-up has closed the session already.")
    _gone(t, "line_overdue", CLOCK, S.CANCELLING_PAYMENT, [o.cancel], "The session does not outlive its caller.")


def _gone(t: Builder, trigger: str, party: Party, keying_to: State, do: list[Effect], why: str) -> None:
    """The caller is gone, or taken to be. A charge under way is waited for (no row): its result or its deadline."""
    add = t.add
    add(trigger, (*t.closed, S.PAYMENT_OUTCOME_UNKNOWN), S.ENDED, party, why="No session is open.")
    add(trigger, S.STARTING_PAYMENT, S.CANCELLING_PAYMENT, party,
        why="A session may be opening: it is cancelled when its SID is known.")
    add(trigger, t.keying, keying_to, party, do=do, why=why)
    add(trigger, S.HANDING_OFF, STAY, party, when=[g.closing_pending],
        why="The session being opened or closed is waited for.")
    add(trigger, S.HANDING_OFF, S.ENDED, party, do=[o.release_if_held], why="Nobody is left to pass on.")


# Results that come late


def _late_results(t: Builder) -> None:
    add = t.add
    alone = (S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN)  # waits without a caller
    told = [s for s in t.states if s not in (*PARTING, S.PAYMENT_COMPLETED, S.VERIFYING_IDENTITY)]
    add("payment_succeeded", alone, S.ENDED, PAY, when=[g.not_credited, g.caller_gone], do=[o.credit_bill],
        why="Recorded and credited; the caller is gone.")
    add("payment_succeeded", told, S.PAYMENT_COMPLETED, PAY, when=[g.not_credited],
        do=[o.tell_paid, o.answer_or_ask, o.credit_bill], why="Only now “paid” is said.")
    add("payment_succeeded", PARTING, STAY, PAY, when=[g.not_credited], do=[o.credit_bill],
        why="Recorded and credited in place.")
    begun = [s for s in t.states if s is not S.VERIFYING_IDENTITY]  # where there may be an earlier payment
    add("earlier_payment_succeeded", begun, STAY, PAY, when=[g.earlier_not_credited], do=[o.credit_earlier],
        why="A success counts wherever it comes from.")
    add("payment_session_started", S.ENDED, STAY, PAY, when=[g.session_adopted], do=[o.cancel],
        why="Its SID is known at last.")
    for trigger in ("payment_session_started", "pay_opened"):
        add(trigger, t.states, STAY, PAY, when=[g.stray_session], do=[o.cancel_stray],
            why="No session is left open that nobody waits for.")
    unknown = (S.PAYMENT_OUTCOME_UNKNOWN, *PARTING)
    add("outcome_resolved", unknown, STAY, OPERATOR, when=[g.outcome_unknown, g.resolved_paid], do=[o.credit_bill],
        why="A person found the charge at the processor.")
    add("outcome_resolved", unknown, STAY, OPERATOR, when=[g.outcome_unknown], do=[o.release_bill],
        why="A person found that nothing was charged.")


_PARTS: tuple[Callable[[Builder], None], ...] = (
    _identity, _balance, _amount, _starting, _asking, _entry, _ready, _processing, _after, _cancelling, _hand_off,
    _talk, _language, _silence, _line, _late_results,
)
# fmt: on
