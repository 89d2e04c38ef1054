"""The conditions of the table, each with the words a reviewer reads."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from payagent.flow import events as ev
from payagent.flow.facts import Pay
from payagent.flow.rows import Guard, View, guard
from payagent.flow.states import Field, Line, Outcome
from payagent.flow.tools import ConfirmBalance, StartPayment, SwitchLanguage

PART_FROM = Decimal("1.00")
"""The smallest part payment; a bill that owes less can only be paid whole."""

KEY_RECORDED_EVERY = timedelta(seconds=2)
"""Key presses are recorded at most this often, so the last recorded one may be this much older than the last."""

DECLINE_RESULTS = frozenset({"payment-connector-error", "validation-error", "too-many-failed-attempts"})
DECLINE_CODES = frozenset({64008, 64012, 64022})
SESSION_GONE_CODES = frozenset({404, 20404, 20409, 21220})
PROVIDER_UNAVAILABLE = 64002
SET_UP_WRONGLY = frozenset(
    # connector's configuration, name, abilities, authorisation, currency, method, parameters, approval; credentials
    {64001, 64004, 64005, 64006, 64007, 64009, 64011, 64013, 64014, 64015, 64016, 64017, 64020, 64024, 20003, 401, 403}
)
FIELDS_MISSING = 64019


# Identity and the balance


@guard("no look-up is under way", "Still looking this person up; wait for the result.", offer=True)
def not_looking_up(v: View) -> bool:
    """One look-up at a time."""
    return not v.was.awaits("LookUpIdentity")


@guard("this was not the last identity try")
def identity_tries_left(v: View) -> bool:
    """`now` counts this try."""
    return v.now.identity_tries < v.limits.identity_tries


@guard("the look-up has not failed too often")
def look_ups_left(v: View) -> bool:
    """`now` counts this failure."""
    return v.now.look_up_failures < v.limits.identity_tries


@guard("something is owed")
def something_owed(v: View) -> bool:
    """Read after the bills have come in."""
    return v.now.bill is not None


@guard("nothing is owed", "There is a bill to pay or to talk about first.", offer=True)
def nothing_owed(v: View) -> bool:
    """The bills were told, and there are none."""
    return v.was.told and v.was.bill is None


@guard("the caller's identity is verified", offer=True)
def identified(v: View) -> bool:
    """Exactly one account matched."""
    return v.was.account is not None


@guard("a balance was told", "Tell the balance first.", offer=True)
def balance_told(v: View) -> bool:
    """A bill with something owed was told by a fixed sentence."""
    return v.was.told and v.was.bill is not None


@guard("the caller has spoken since", "Wait for what the caller says to that.", offer=True)
def heard_since(v: View) -> bool:
    """Since the balance was told, and since the last decline or cancel."""
    return v.was.heard


@guard("the caller agreed to the balance", "The caller has to agree to the balance first.", offer=True)
def balance_confirmed(v: View) -> bool:
    """By `confirm_balance`."""
    return v.was.confirmed


@guard("the caller agrees")
def agrees(v: View) -> bool:
    """`confirm_balance(agreed=true)`."""
    return isinstance(v.arguments, ConfirmBalance) and v.arguments.agreed


@guard(
    "the amount is at least 1.00 (or all of a smaller bill) and at most what the bill owes",
    "That amount cannot be paid: it must be at least 1.00 and at most what the bill owes. Ask again for the amount.",
)
def amount_fits(v: View) -> bool:
    """`0 < amount <= owed`, exact."""
    if v.was.bill is None or not isinstance(v.arguments, StartPayment):
        return False
    owed = v.was.bill.owed.amount
    return min(PART_FROM, owed) <= v.arguments.amount <= owed


@guard("no earlier payment session may still be open", "A person has to look at this first.", offer=True)
def no_session_open(v: View) -> bool:
    """At most one open session per call (Twilio's error 64021 says the same)."""
    return v.was.pay in (Pay.NONE, Pay.CLOSED)


# The payment session


@guard("a payment session is being opened")
def opening(v: View) -> bool:
    """The create went out, and neither its answer nor a callback has come."""
    return v.was.pay is Pay.OPENING


@guard("the payment session was just adopted")
def session_adopted(v: View) -> bool:
    """Its SID became known by this event."""
    return v.was.pay is Pay.OPENING and v.now.pay is Pay.OPEN


@guard("the session is none of this call's payments")
def stray_session(v: View) -> bool:
    """A session nobody waits for: it must not stay open."""
    session = v.event.session if isinstance(v.event, ev.PaymentSessionStarted | ev.PayOpened) else ""
    known = {v.now.payment.session, *(p.session for p in v.now.earlier)}
    return bool(session) and session not in known


@guard("starting has not failed too often")
def start_tries_left(v: View) -> bool:
    """`now` counts this failure."""
    return v.now.start_failures < v.limits.start_failures


@guard("the refusal may pass")
def refusal_may_pass(v: View) -> bool:
    """Not one that says the line is set up wrongly: trying again would only cost the caller's time."""
    return not (isinstance(v.event, ev.PayNotOpened) and v.event.code in SET_UP_WRONGLY)


@guard("a payment session is still being opened or closed")
def closing_pending(v: View) -> bool:
    """Closing it is still to be ordered or to be confirmed."""
    return v.was.pay in (Pay.HOLDING, Pay.OPENING, Pay.CLOSING)


# The card's fields


@guard("it is about the field being keyed in")
def about_this_field(v: View) -> bool:
    """A late callback of an earlier capture must not complete the current one."""
    return getattr(v.event, "field", "") == v.was.capturing


@guard("the prompt for this capture was not spoken yet")
def prompt_pending(v: View) -> bool:
    """The REST 202 and the first callback say the same; whichever comes first orders the prompt."""
    return bool(v.was.prompt)


@guard("no key was pressed just now", "The caller is keying in digits; do not ask again.")
def keys_quiet(v: View) -> bool:
    """Quiet for the set time; what is recorded may be `KEY_RECORDED_EVERY` old."""
    quiet = timedelta(seconds=v.limits.quiet_keys_seconds) + KEY_RECORDED_EVERY
    return v.was.key_at is None or v.at - v.was.key_at >= quiet


@guard("this was not the last try for the field")
def field_tries_left(v: View) -> bool:
    """`now` counts this try."""
    return v.now.field_tries < v.limits.field_tries


@guard("Twilio has not refused this capture too often")
def capture_tries_left(v: View) -> bool:
    """Counted apart from the caller's tries."""
    return v.now.capture_refusals < v.limits.field_tries


@guard("digits had been keyed in")
def digits_keyed(v: View) -> bool:
    """A time-out without digits is not a failed try."""
    return isinstance(v.event, ev.EntryTimedOut) and v.event.digits


@guard("the payment session no longer exists")
def session_gone(v: View) -> bool:
    """Twilio's 404 class: nothing can be captured or charged any more."""
    return isinstance(v.event, ev.CaptureRefused | ev.CompleteRefused) and v.event.code in SESSION_GONE_CODES


def next_missing(field: Field, fields: tuple[Field, ...]) -> Guard:
    """A guard: `field` is the first of `fields` that is still missing."""

    def first_missing(v: View) -> bool:
        return next((f for f in fields if f.name not in v.now.captured), None) == field

    first_missing.__name__ = f"next_is_{field.name}"
    return Guard(f"the next field missing is the {field.name.replace('_', ' ')}", first_missing)


def all_captured(fields: tuple[Field, ...]) -> Guard:
    """A guard: every field of the profile is in."""

    def every_field_captured(v: View) -> bool:
        return all(f.name in v.now.captured for f in fields)

    return Guard("every field is captured", every_field_captured, "A field of the card is still missing.")


# The charge


@guard("the bill is held for this payment")
def bill_held(v: View) -> bool:
    """By one conditional write, so that no two payments are open on a bill."""
    return v.was.held


@guard("no charge was asked for in this payment")
def not_completing(v: View) -> bool:
    """At most one complete that Twilio may have accepted."""
    return not v.was.completing


@guard("an amount within the bill is agreed")
def amount_agreed(v: View) -> bool:
    """What will be charged, once more against what is owed."""
    return (
        v.was.payment.amount is not None
        and v.was.bill is not None
        and 0 < v.was.payment.amount.amount <= v.was.bill.owed.amount
    )


@guard("the processor declined")
def is_decline(v: View) -> bool:
    """Documented results that surely charged nothing; 64002 (provider unavailable) leaves it open."""
    match v.event:
        case ev.PaymentFailed(result=result, code=code):
            return result in DECLINE_RESULTS and code != PROVIDER_UNAVAILABLE
        case ev.CompleteRefused(code=code):
            return code in DECLINE_CODES
    return False


@guard("Twilio says a field is missing")
def field_missing(v: View) -> bool:
    """Error 64019."""
    return isinstance(v.event, ev.CompleteRefused) and v.event.code == FIELDS_MISSING


@guard("the refusal leaves open whether the card was charged")
def refusal_ambiguous(v: View) -> bool:
    """Error 64002: the provider was unavailable somewhere on the way."""
    return isinstance(v.event, ev.CompleteRefused) and v.event.code == PROVIDER_UNAVAILABLE


@guard("another card may be tried")
def declines_left(v: View) -> bool:
    """`now` does not count the decline yet: the release of the bill does."""
    return v.was.declines + 1 < v.limits.declined_cards


@guard("the caller pressed star")
def star_pressed(v: View) -> bool:
    """Twilio ends the session on `*`."""
    return isinstance(v.event, ev.PaymentFailed) and v.event.result == "caller-interrupted-with-star"


@guard("the payment is not yet on the bill")
def not_credited(v: View) -> bool:
    """Once per payment."""
    return not v.was.payment.credited


@guard("the earlier payment is not yet on its bill")
def earlier_not_credited(v: View) -> bool:
    """Once per payment."""
    session = v.event.session if isinstance(v.event, ev.PaymentSucceeded) else ""
    return any(p.session == session and not p.credited for p in v.was.earlier)


@guard("the outcome is unknown")
def outcome_unknown(v: View) -> bool:
    """Only an unknown outcome is a person's to resolve."""
    return v.was.outcome is Outcome.UNKNOWN


@guard("the person found it was paid")
def resolved_paid(v: View) -> bool:
    """With the processor's reference."""
    return isinstance(v.event, ev.OutcomeResolved) and v.event.outcome == "paid"


# The line and the talk


@guard("the caller is gone")
def caller_gone(v: View) -> bool:
    """Hung up, or the line was lost for good."""
    return v.now.line is Line.GONE


@guard("the caller is not known to be gone")
def caller_not_gone(v: View) -> bool:
    """A lost relay may come back."""
    return v.now.line is not Line.GONE


@guard("the caller is on the line")
def caller_there(v: View) -> bool:
    """A relay is up."""
    return v.now.line is Line.UP


@guard("goodbye was not said yet")
def not_leaving(v: View) -> bool:
    """The relay was not told to end."""
    return not v.was.leaving


@guard("a re-connect is left")
def reconnects_left(v: View) -> bool:
    """Twilio asks again after each failure, so this is bounded."""
    return v.was.reconnects < v.limits.reconnects


@guard("a spoken card number was cut out")
def card_cut(v: View) -> bool:
    """The words reached nobody."""
    return isinstance(v.event, ev.CallerSpoke) and v.event.card_cut


@guard("silence has not lasted too often")
def silences_left(v: View) -> bool:
    """Counted since the caller's last words."""
    return v.was.silences < v.limits.silences


@guard("the model has not failed too often in a row")
def model_failures_left(v: View) -> bool:
    """`now` counts this failure."""
    return v.now.model_failures < v.limits.model_failures


@guard("the model was not stopped in a false claim too often")
def claims_left(v: View) -> bool:
    """`now` counts this one. Over the whole call: a good turn between two lies makes neither of them true."""
    return v.now.claims < v.limits.stopped_claims


@guard("that language is spoken here", "That language is not spoken here.")
def language_known(v: View) -> bool:
    """Sentences and voices are configured for it."""
    match v.arguments, v.event:
        case SwitchLanguage(language=language), _:
            return language in v.languages
        case _, ev.LanguageKeyPressed(language=language):
            return language in v.languages
    return False


@guard("the caller had been connected before")
def connected_before(v: View) -> bool:
    """Not the call's first relay."""
    return bool(v.was.relay)


@guard("another way to a person is left")
def route_left(v: View) -> bool:
    """Queue or dial, whichever was not tried."""
    return any(route not in v.was.routes_tried for route in v.routes)
