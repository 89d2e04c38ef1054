"""What the caller hears: the promises of the design's section 6 on silence, for the walk.

A caller who is on the line (`Line.UP`) hears of whatever happens to the call. How long a wait may be is the timers'
part; that none is left without one, and that no move goes by without a word, is seen here on every step.
"""

from __future__ import annotations

from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.fold import ANSWERS
from payagent.flow.states import FIELDS, FINAL, Line, State
from payagent.review.moments import Kind, Moment, Promise, gives, orders

_SPOKEN = (do.Say, do.Think, do.Capture, do.RouteCall, do.HangUp)
"""What the caller hears by; a capture asks for its field, or listens on."""

_ASKED = (do.LookUpIdentity, do.ReadBills, do.HoldBill, do.OpenPay, do.CompletePay, do.CancelPay)
"""What has an answer, of which the caller hears."""

_OVER = frozenset({State.PAYMENT_COMPLETED, State.PAYMENT_DECLINED, State.PAYMENT_CANCELLED})


def _matters(step: Kind) -> bool:
    """It moves the call, or is a tool or an answer that was waited for; who is passed to a person was told so."""
    answers = bool(step.row) and (bool(step.tool) or step.event in ANSWERS)
    return step.before is not State.HANDING_OFF and (answers or step.after is not step.before)


def _is_heard_of(m: Moment) -> bool:
    return _nobody_there(m) or m.then.charging or gives(m, *_SPOKEN, *_ASKED)


def _nobody_there(m: Moment) -> bool:
    return m.after.facts.line is not Line.UP


_ENTRY = frozenset(f.entry for f in FIELDS.values())
_DUE = frozenset(f.due for f in FIELDS.values())


def _takes_a_field(step: Kind) -> bool:
    return step.after in _ENTRY | _DUE and step.before is not step.after


def _is_asked_for(m: Moment) -> bool:
    return gives(m, do.Capture if m.after.state in _ENTRY else do.Think)


def _hands_over(step: Kind) -> bool:
    return step.after is State.HANDING_OFF is not step.before


def _is_told(m: Moment) -> bool:
    return _nobody_there(m) or any(_says_something(order) for order in m.step.orders)


def _says_something(order: do.Order) -> bool:
    return isinstance(order, do.Say) or (isinstance(order, do.RouteCall) and bool(order.sentence))


def _says_goodbye(step: Kind) -> bool:
    """The model ends the call, or nobody answers."""
    return step.after in FINAL and step.before not in (State.HANDING_OFF, *FINAL) and step.event in _ENDING


_ENDING = (ev.ToolCalled, ev.TimeUp)


def _leaves(step: Kind) -> bool:
    """The call is handed over while its relay runs, or the model ends it."""
    enters = _hands_over(step) and step.event not in (ev.RelayEnded, ev.RelayFailed)
    return enters or (step.tool == "end_call" and bool(step.row))


def _ends_the_relay(m: Moment) -> bool:
    return m.now.session_open or m.now.creating or m.now.hold == "asked" or gives(m, do.EndRelay)


HEARD: tuple[Promise, ...] = (
    Promise(
        6,
        "every state but the last has a longest wait",
        lambda step: step.after not in FINAL,
        lambda m: bool(m.step.timers),
    ),
    Promise(
        6,
        "whoever is on the line hears of every move, tool and answer, or waits for one that was asked for",
        _matters,
        _is_heard_of,
    ),
    Promise(
        6,
        "a field that is the next one is asked for at once, by Twilio's keypad or by the model",
        _takes_a_field,
        _is_asked_for,
    ),
    Promise(6, "no card is charged without a word to the caller", orders(do.CompletePay), _is_told),
    Promise(6, "whoever is passed to a person is told so", _hands_over, _is_told),
    Promise(6, "whoever's call is ended by the model or the clock is told goodbye", _says_goodbye, _is_told),
    Promise(
        6,
        "what the caller said meanwhile is answered when a payment is over",
        lambda step: step.after in _OVER and step.before is not step.after,
        lambda m: not m.call.facts.unanswered or gives(m, do.Think),
    ),
    Promise(
        6,
        "a call that is handed over or ended ends its relay at once, unless its payment has to be closed first",
        _leaves,
        _ends_the_relay,
    ),
)
