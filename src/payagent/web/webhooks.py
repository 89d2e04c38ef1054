"""Twilio's webhooks: the phone rings, a payment has news, a verb of ours is over."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response

from payagent.errors import JournalFailed
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.flow.call import Call
from payagent.flow.hand_off import NO_RECORD, card
from payagent.flow.states import FINAL
from payagent.flow.step import Step
from payagent.phone import callbacks, twiml, webhooks
from payagent.session import Session
from payagent.web.desk import FrontDesk, signed_form
from payagent.web.gate import Full

_log = structlog.get_logger("payagent.web")


async def incoming_call(request: Request) -> Response:
    """`POST /api/incoming-call`: connect the caller to the relay. Told again of a call, it answers the same way.

    A call too many is rejected as busy: that is not answered and not paid for, and a flood costs nothing else here.
    """
    desk: FrontDesk = request.app.state.desk
    call = webhooks.incoming(await signed_form(request))
    caller_id = desk.caller_id(call.caller)
    try:
        if not desk.switchboard.at_hand(call.call_sid):
            desk.gate.admit(caller_id, desk.switchboard.live)
        session = await desk.switchboard.start(call.call_sid, webhooks.mask_caller(call.caller), caller_id)
    except Full as full:
        _log.warning("a call was turned away", call_sid=call.call_sid, reason=str(full))
        return _xml(twiml.reject())
    except JournalFailed:
        _log.critical("a call could not be put on record; the caller is passed on", call_sid=call.call_sid)
        return _xml(_pass_on(desk, call.call_sid))
    return _xml(twiml.empty() if session.call.state in FINAL else _connect(desk, call.call_sid, desk.greeting))


async def status_callback(request: Request) -> Response:
    """`POST /api/status-callback`: answered only when it is on the record, or a result at least on the disk."""
    desk: FrontDesk = request.app.state.desk
    form = await signed_form(request)
    call_sid, report = callbacks.decode(form, request.headers.get("i-twilio-idempotency-token", ""))
    await desk.switchboard.report(call_sid, report)
    return Response(status_code=204)


async def action(request: Request) -> Response:
    """`POST /api/action`: what the call does next, now that the relay, a dial or a queue is over."""
    desk: FrontDesk = request.app.state.desk
    call_sid, event = webhooks.action(await signed_form(request))
    try:
        session = await desk.switchboard.get(call_sid)
        step = await session.post(event)
    except JournalFailed:
        _log.critical("what a call does next could not be put on record", call_sid=call_sid)
        return _xml(_answer_unrecorded(desk, call_sid, event))
    return _xml(_answer(desk, session, step))


def _answer(desk: FrontDesk, session: Session, step: Step | None) -> str:
    """The TwiML that the step orders; none ordered means that nothing is left to do."""
    language = session.call.facts.language
    for order in step.orders if step else ():
        match order:
            case do.ConnectRelay():
                return _connect(desk, session.call.call_sid, None)
            case do.RouteCall(route="queue", sentence=sentence) if desk.workflow_sid:
                first = _spoken(desk, sentence, language)
                return twiml.enqueue(desk.workflow_sid, desk.action_url, session.hand_off_card(), first)
            case do.RouteCall(route="dial", sentence=sentence) if desk.transfer_number:
                return _dial(desk, _spoken(desk, sentence, language))
            case do.HangUp(sentence=sentence):
                text = desk.sentences.render(sentence, {}, language) if sentence else None
                return twiml.say_and_hang_up(text, desk.locales[language])
    return twiml.empty()


def _spoken(desk: FrontDesk, sentence: str, language: str) -> twiml.Spoken | None:
    """A fixed sentence to be said by TwiML; None for none."""
    if not sentence:
        return None
    return twiml.Spoken(desk.sentences.render(sentence, {}, language), desk.locales[language])


def _connect(desk: FrontDesk, call_sid: str, greeting: str | None) -> str:
    return twiml.connect(
        desk.relay, url=desk.relay_url, action=desk.action_url, token=desk.token(call_sid), greeting=greeting
    )


def _answer_unrecorded(desk: FrontDesk, call_sid: str, event: webhooks.ActionReport) -> str:
    """What can be said without a record: a caller who is still there is passed on; none hears Twilio's own error."""
    session = desk.switchboard.at_hand(call_sid)
    language = session.call.facts.language if session else next(iter(desk.locales))
    over = session is not None and session.call.state in FINAL
    match event:
        case ev.CallerHungUp():
            return twiml.empty()
        case ev.HandOffUnanswered(route="queue") if desk.transfer_number:
            return _dial(desk, _spoken(desk, "hand_off_other_route", language))
        case ev.HandOffUnanswered():
            return twiml.say_and_hang_up(desk.sentences.render("hand_off_failed", {}, language), desk.locales[language])
        case ev.RelayFailed() | ev.RelayEnded() if not over:
            return _pass_on(desk, call_sid, session)
    return twiml.say_and_hang_up(None, desk.locales[language])


def _pass_on(desk: FrontDesk, call_sid: str, session: Session | None = None) -> str:
    """To a person, without the help of a record, and with the truth about the money as far as it is known here."""
    call = session.call if session else Call(desk.switchboard.flow, call_sid)
    sentence = "unknown_outcome" if session and session.charge_open else "model_person"
    first = _spoken(desk, sentence, call.facts.language)
    if desk.workflow_sid:
        known = card(call, call.state) | {"reason": NO_RECORD}
        return twiml.enqueue(desk.workflow_sid, desk.action_url, known, first)
    return _dial(desk, first)


def _dial(desk: FrontDesk, first: twiml.Spoken | None) -> str:
    assert desk.transfer_number is not None  # the settings require a workflow or a number
    return twiml.dial(desk.transfer_number, desk.action_url, None, desk.dial_seconds, first)


def _xml(document: str) -> Response:
    return Response(document, media_type="text/xml")
