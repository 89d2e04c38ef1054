"""Every state of every table, and a call that has come there by the usual way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stories import DECLINED, chosen

from payagent.flow import events as ev
from payagent.flow.rows import Flow
from payagent.flow.states import FIELDS, Pace, Profile, State
from payagent.flow.table import build
from payagent.testing import PracticeCall

S = State
TABLES = [build(pace, Profile.CARD_POSTAL_CODE) for pace in Pace]
"""Both paces, with all fields: but for what follows a field, the other profile's rows are among these."""

PLACES = [(flow, state) for flow in TABLES for state in flow.states]
SILENT = (S.PROCESSING_PAYMENT, S.CANCELLING_PAYMENT, S.PAYMENT_OUTCOME_UNKNOWN, S.HANDING_OFF, S.ENDED)
"""No model turn runs there."""

UNPAID = (S.VERIFYING_IDENTITY, S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT)
"""A first payment is not begun yet."""

DUE = tuple(field.due for field in FIELDS.values())
ENTRY = tuple(field.entry for field in FIELDS.values())


def places(*states: State, but: tuple[State, ...] = ()) -> pytest.MarkDecorator:
    """Runs a test in these states (without any: in all) of both tables, `but` not in those."""
    some = [(f, s) for f, s in PLACES if (not states or s in states) and s not in but]
    return pytest.mark.parametrize(("flow", "state"), some, ids=[f"{f.pace}-{s}" for f, s in some])


def at(flow: Flow, state: State, *, again: bool = False) -> PracticeCall:
    """A call that has come to this state by the usual way; `again`: in a second payment, the first was declined."""
    call = _begun(flow, state, again=again)
    if call.state is not state:
        _WAYS.get(state, _to_field)(call, state)
    assert call.state is state
    return call


def _begun(flow: Flow, state: State, *, again: bool) -> PracticeCall:
    if not again and state in (S.VERIFYING_IDENTITY, S.CONFIRMING_BALANCE):
        return PracticeCall(flow) if state is S.VERIFYING_IDENTITY else PracticeCall(flow).verify()
    call = chosen(flow)
    # Where no later payment would be under way, the declined one is still the call's own: one more makes it earlier.
    for _ in range(2 if state in _WITHOUT_A_NEW_ONE else 1) if again else ():
        _charge(call, state)
        call.report(ev.PaymentFailed, **DECLINED)
    return call


_WITHOUT_A_NEW_ONE = (S.CONFIRMING_BALANCE, S.CHOOSING_AMOUNT, S.PAYMENT_DECLINED, S.HANDING_OFF, S.ENDED)


def _to_field(call: PracticeCall, state: State) -> None:
    """The fields before it are in; where its keypad is open, Twilio listens."""
    call.start().open()
    for field in call.fields:
        if state is field.due:
            return
        if state is field.entry:
            call.listen(field.name)
            return
        call.key_in(field.name)


def _charge(call: PracticeCall, _: State) -> None:
    call.start().open().key_in_card().go_ahead()


def _reported(kind: type[ev.PayReport], **values: object) -> Callable[[PracticeCall, State], None]:
    def way(call: PracticeCall, state: State) -> None:
        _charge(call, state)
        call.report(kind, **values)

    return way


def _cancel(call: PracticeCall, state: State) -> None:
    call.start().open().listen("card_number")
    does(call, "cancel_payment_processing")
    if state is S.PAYMENT_CANCELLED:
        call.answer(ev.CancelAccepted)


def does(call: PracticeCall, tool: str, **arguments: object) -> None:
    """The model answers the caller's next words with this tool."""
    call.say("please")
    call.tool(tool, **arguments)


def _choose(call: PracticeCall, _: State) -> None:
    """From a declined payment back to the amount."""
    does(call, "cancel_payment_processing")
    does(call, "check_payment_options")


def _ask(call: PracticeCall, state: State) -> None:
    _choose(call, state)
    does(call, "check_pending_bill")


_WAYS: dict[State, Callable[[PracticeCall, State], None]] = {
    S.CONFIRMING_BALANCE: _ask,
    S.CHOOSING_AMOUNT: _choose,
    S.STARTING_PAYMENT: lambda call, _: call.start() and None,
    S.READY_TO_COMPLETE: lambda call, _: call.start().open().key_in_card() and None,
    S.PROCESSING_PAYMENT: _charge,
    S.PAYMENT_COMPLETED: _reported(ev.PaymentSucceeded, confirmation="ch_1"),
    S.PAYMENT_DECLINED: _reported(ev.PaymentFailed, **DECLINED),
    S.CANCELLING_PAYMENT: _cancel,
    S.PAYMENT_CANCELLED: _cancel,
    S.PAYMENT_OUTCOME_UNKNOWN: _reported(ev.PaymentFailed, result="internal-error"),
    S.HANDING_OFF: lambda call, _: does(call, "human_agent_handoff", reason="asked"),
    S.ENDED: lambda call, _: call.post(ev.CallerHungUp()) and None,
}
