"""The table's effects: from the facts to the orders, each with the words a reviewer reads."""

from __future__ import annotations

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.facts import Facts, Pay, Payment
from payagent.flow.guards import PART_FROM, keys_quiet
from payagent.flow.money import Money
from payagent.flow.rows import Effect, View, effect
from payagent.flow.sentences import SENTENCES
from payagent.flow.states import FIELDS, Field, Outcome, State
from payagent.flow.tools import SwitchLanguage, VerifyUser

Orders = tuple[do.Order, ...]


# Speech


def _say(name: str, **values: do.Value) -> do.Say:
    return do.Say(name, tuple(values.items()), SENTENCES[name].interruptible)


def say(name: str) -> Effect:
    """An effect: speak a fixed sentence that takes no values."""
    return Effect(f"say “{name}”", lambda v: (_say(name),), (name,))


@effect("ask the model for its next words or tool")
def think(v: View) -> Orders:
    """One model turn."""
    return (do.Think(),)


@effect("answer what the caller said meanwhile, if anything")
def answer_waiting(v: View) -> Orders:
    """Words spoken while no turn was allowed are answered now."""
    return (do.Think(),) if v.now.unanswered else ()


@effect("answer what the caller said meanwhile, or ask whether there is anything else", "anything_else")
def answer_or_ask(v: View) -> Orders:
    """After a success."""
    return (do.Think(),) if v.now.unanswered else (_say("anything_else"),)


@effect(
    "tell the balance of the bill asked for, naming the others",
    "no_such_bill",
    "several_bills",
    "other_bill",
    "balance",
)
def tell_balance(v: View) -> Orders:
    """How many bills, the others, and last the one that is to be agreed to."""
    bill, bills = v.now.bill, v.now.bills
    assert bill is not None  # guard something_owed
    wanted = v.now.wanted_bill.strip().casefold()
    missed = wanted and wanted != bill.id.casefold() and wanted not in bill.description.casefold()
    others = [_say("other_bill", amount=b.owed, description=b.description) for b in bills if b.id != bill.id]
    return (
        *([_say("no_such_bill")] if missed else []),
        *([_say("several_bills", count=len(bills)), *others] if others else []),
        _say("balance", amount=bill.owed, description=bill.description),
    )


@effect("tell the ways to pay", "options", "options_hsa")
def tell_options(v: View) -> Orders:
    """All of it or a part; an HSA card where the account has one."""
    assert v.now.bill is not None  # the state is entered with a bill
    hsa = v.now.account is not None and v.now.account.has_hsa
    owed = v.now.bill.owed
    least = Money(min(PART_FROM, owed.amount), owed.currency)
    return (_say("options_hsa" if hsa else "options", amount=owed, least=least),)


@effect("ask for the go-ahead to charge the agreed amount", "ready", "ready_without_digits")
def ask_go_ahead(v: View) -> Orders:
    """Amount and last four digits."""
    assert v.now.payment.amount is not None  # set since start_payment
    if not v.now.last_four:
        return (_say("ready_without_digits", amount=v.now.payment.amount),)
    return (_say("ready", amount=v.now.payment.amount, last_four=v.now.last_four),)


@effect("say what was paid, with the confirmation code", "paid", "paid_without_code")
def tell_paid(v: View) -> Orders:
    """Only on rows of `payment_succeeded`, and where that is on record."""
    return _paid(v.now)


def _paid(facts: Facts) -> Orders:
    amount = facts.payment.amount
    assert amount is not None  # set since start_payment
    if facts.confirmation:
        return (_say("paid", amount=amount, code=facts.confirmation),)
    return (_say("paid_without_code", amount=amount),)


_REJECTIONS = {
    "invalid-card-type": "rejected_card_type",
    "invalid-card-number": "rejected_card_number",
    "invalid-date": "rejected_expiration_date",
    "invalid-security-code": "rejected_security_code",
    "invalid-postal-code": "rejected_postal_code",
}


@effect("say why what was keyed in cannot be used", *_REJECTIONS.values(), "rejected_other")
def say_rejection(v: View) -> Orders:
    """By Twilio's `ErrorType`; an unknown one has a sentence too."""
    error = v.event.error if isinstance(v.event, ev.FieldRejected) else ""
    return (_say(_REJECTIONS.get(error, "rejected_other")),)


@effect("say where the call stands")
def say_where_we_are(v: View) -> Orders:
    """The state's own sentence again, in the language spoken now."""
    facts = v.now
    match v.state:
        case State.CONFIRMING_BALANCE if facts.told and facts.bill:
            return (_say("balance", amount=facts.bill.owed, description=facts.bill.description),)
        case State.CONFIRMING_BALANCE if facts.told:
            return (_say("nothing_owed"),)
        case State.CHOOSING_AMOUNT:
            return tell_options.orders(v)
        case State.READY_TO_COMPLETE:
            return ask_go_ahead.orders(v)
        case State.PAYMENT_COMPLETED:
            return (*_paid(facts), _say("anything_else"))
    if v.state in _ENTRY:
        return (_say(f"ask_{facts.capturing}"),) if keys_quiet.holds(v) else ()
    return (_say(_REMINDERS[v.state]),) if v.state in _REMINDERS else ()


_ENTRY = frozenset(f.entry for f in FIELDS.values())
_REMINDERS = {
    State.VERIFYING_IDENTITY: "identity_prompt",
    State.CONFIRMING_BALANCE: "one_moment",
    State.STARTING_PAYMENT: "one_moment",
    State.PROCESSING_PAYMENT: "still_working",
    State.PAYMENT_DECLINED: "declined",
    State.CANCELLING_PAYMENT: "one_moment",
    State.PAYMENT_CANCELLED: "cancelled",
    State.PAYMENT_OUTCOME_UNKNOWN: "unknown_outcome",
    State.HANDING_OFF: "hand_off",
}


@effect("say where the call stands, in place of a false claim", "one_moment")
def say_the_truth(v: View) -> Orders:
    """While keys are moving nobody talks over them."""
    return say_where_we_are.orders(v) or (() if v.state in _ENTRY else (_say("one_moment"),))


@effect("switch speech and listening to that language", "language_changed")
def switch_language(v: View) -> Orders:
    """Sentences follow the call's language from here on."""
    match v.arguments, v.event:
        case SwitchLanguage(language=language), _:
            return (do.SwitchLanguage(language), _say("language_changed"))
        case _, ev.LanguageKeyPressed(language=language):
            return (do.SwitchLanguage(language), _say("language_changed"))
    return ()


# Identity and bills


@effect("look the person up")
def look_up(v: View) -> Orders:
    """The two values travel beside the order, in memory only."""
    assert isinstance(v.arguments, VerifyUser)
    return (do.LookUpIdentity(v.arguments.full_name, v.arguments.date_of_birth),)


@effect("read what the account owes")
def read_bills(v: View) -> Orders:
    """Always anew: another call may have paid meanwhile."""
    assert v.now.account is not None  # no way past `verifying_identity` without one
    return (do.ReadBills(v.now.account.id),)


@effect("hold the bill for this payment")
def hold_bill(v: View) -> Orders:
    """One conditional write: a second call on the same bill finds it taken."""
    assert v.now.account is not None  # guard identified
    return (do.HoldBill(v.now.payment.bill, _payment_id(v, v.now.payment), v.now.account.id),)


@effect("free the bill")
def release_bill(v: View) -> Orders:
    """Nothing was charged."""
    return (do.ReleaseBill(v.now.payment.bill, _payment_id(v, v.now.payment)),)


@effect("free the bill and count a declined card")
def release_declined(v: View) -> Orders:
    """So that nobody tries cards here."""
    return (do.ReleaseBill(v.now.payment.bill, _payment_id(v, v.now.payment), declined=True),)


@effect("credit the bill, once")
def credit_bill(v: View) -> Orders:
    """Unique per payment in the book."""
    return _credit(v, v.now.payment, v.now.confirmation)


@effect("credit the earlier payment's bill, once")
def credit_earlier(v: View) -> Orders:
    """A success counts wherever it comes from."""
    assert isinstance(v.event, ev.PaymentSucceeded)
    session = v.event.session
    payment = next(p for p in v.now.earlier if p.session == session)  # guard earlier_not_credited
    return _credit(v, payment, v.event.confirmation)


def _credit(v: View, payment: Payment, confirmation: str) -> Orders:
    assert payment.amount is not None  # set since start_payment
    return (do.CreditBill(payment.bill, _payment_id(v, payment), payment.amount, confirmation),)


def _payment_id(v: View, payment: Payment) -> str:
    """Unique across calls."""
    return f"{v.call_sid}:{payment.no}"


# The payment session


@effect("say the amount about to be paid and open a payment session for it", "about_to_pay")
def open_pay(v: View) -> Orders:
    """Keying in the card after hearing the amount is the caller's own act."""
    amount, bill = v.now.payment.amount, v.now.bill
    assert amount is not None  # set by start_payment
    assert bill is not None  # guard amount_fits
    return (
        _say("about_to_pay", amount=amount, description=bill.description),
        do.OpenPay(_payment_id(v, v.now.payment), amount, bill.description),
    )


def capture(field: Field) -> Effect:
    """An effect: have Twilio listen for `field`, then ask for it."""
    return Effect(
        f"listen to the keypad for the {field.name.replace('_', ' ')}, then ask for it",
        lambda v: (do.Capture(v.now.payment.session, field.name, f"ask_{field.name}"),),
        (f"ask_{field.name}",),
    )


def recapture(prompt: str, words: str) -> Effect:
    """An effect: listen anew for the field under way; `prompt` is the sentence that follows, "" for none."""
    return Effect(
        f"listen to the keypad anew{words}",
        lambda v: (do.Capture(v.now.payment.session, v.now.capturing, prompt),),
        (prompt,) if prompt else (),
    )


@effect("ask for the field, now that Twilio listens")
def say_prompt(v: View) -> Orders:
    """After the 202, so that no early digit is lost."""
    return (_say(v.was.prompt),)


@effect("charge the card")
def complete(v: View) -> Orders:
    """The only effect that leads to a charge."""
    return (do.CompletePay(v.now.payment.session),)


@effect("cancel the payment session, if it is known")
def cancel(v: View) -> Orders:
    """One whose SID is not known yet is cancelled when it is."""
    return (do.CancelPay(v.now.payment.session),) if v.now.pay is Pay.OPEN else ()


@effect("cancel that stray session")
def cancel_stray(v: View) -> Orders:
    """Nobody waits for it."""
    assert isinstance(v.event, ev.PaymentSessionStarted | ev.PayOpened)
    return (do.CancelPay(v.event.session),)


# Parting


@effect("cancel the payment session if one is open, else end the relay")
def close_or_leave(v: View) -> Orders:
    """A hand-off with an open session waits for its cancel: the person could not start another (64021)."""
    if v.now.pay is Pay.OPEN:
        return (do.CancelPay(v.now.payment.session),)
    return () if v.now.pay in (Pay.HOLDING, Pay.OPENING, Pay.CLOSING) else (do.EndRelay(),)


@effect("end the relay")
def leave(v: View) -> Orders:
    """Queued speech is heard to its end; Twilio then asks what next."""
    return (do.EndRelay(),)


@effect("free the bill if it is or may be held")
def release_if_held(v: View) -> Orders:
    """A hold that comes late finds its payment released in the book. An unknown outcome keeps its hold."""
    held = v.now.held or v.now.pay is Pay.HOLDING
    return release_bill.orders(v) if held and v.now.outcome is not Outcome.UNKNOWN else ()


@effect("connect the call to a new relay")
def reconnect(v: View) -> Orders:
    """Twilio does not re-connect by itself."""
    return (do.ConnectRelay(),)


def route(sentence: str) -> Effect:
    """An effect: say `sentence` ("" for none) and pass the call on by the next route, each of which is tried once."""
    said = f"say “{sentence}” and " if sentence else ""
    return Effect(
        f"{said}pass the call on by the next route",
        lambda v: tuple(do.RouteCall(r, sentence) for r in v.routes if r not in v.was.routes_tried)[:1],
        (sentence,) if sentence else (),
    )


@effect("hang up")
def hang_up(v: View) -> Orders:
    """The relay is over and nothing is left to say."""
    return (do.HangUp(),)


@effect("apologise and hang up", "hand_off_failed")
def apologise(v: View) -> Orders:
    """Nobody could take the call."""
    return (do.HangUp("hand_off_failed"),)
