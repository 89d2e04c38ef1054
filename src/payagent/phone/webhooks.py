"""Reads the two voice webhooks: the incoming call, and what `/api/action` says when a verb of ours is over.

Rules:

* Only `CallSid` is required.
* A value this program does not know is read the safe way: a relay that ended in an unknown way *failed* (the caller
  is connected again, a bounded number of times), and an unknown dial or queue result means that *nobody answered*.
* A call that is over is over, whatever else the body says: TwiML would reach nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from payagent.flow.events import CallerHungUp, HandOffAnswered, HandOffUnanswered, RelayEnded, RelayFailed
from payagent.phone.callbacks import sid, word

ActionReport = RelayFailed | RelayEnded | CallerHungUp | HandOffAnswered | HandOffUnanswered
"""What `/api/action` can report."""

CALL_OVER = {"completed", "busy", "no-answer", "failed", "canceled"}
"""The values of `CallStatus` after which there is no caller."""

DIAL_ANSWERED = {"completed", "answered"}
QUEUE_ANSWERED = {"bridged", "bridging-in-process", "redirected-from-bridged"}
QUEUE_HUNG_UP = "hangup"

NAMELESS = {"anonymous", "restricted", "unavailable", "private", "blocked"}


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A phone that rings: `caller` and `called` are numbers (or `client:`, `sip:`, `anonymous` …), unmasked."""

    call_sid: str
    account_sid: str
    caller: str = field(repr=False)
    called: str = field(repr=False)


def incoming(form: Mapping[str, str]) -> IncomingCall:
    """Read `POST /api/incoming-call`; `account_sid`, `caller` and `called` are "" when not given.

    Raises:
        BadCallback: `CallSid` is missing or is no SID.
    """
    return IncomingCall(
        sid(form, "CallSid", "CA"), form.get("AccountSid", ""), form.get("From", ""), form.get("To", "")
    )


def action(form: Mapping[str, str]) -> tuple[str, ActionReport]:
    """Read `POST /api/action` (of `<Connect>`, `<Dial>` or `<Enqueue>`) into its call's SID and its event.

    What comes back in `HandoffData` is not read: the hand-off card is built from the journal.

    Raises:
        BadCallback: `CallSid` is missing or is no SID.
    """
    call_sid = sid(form, "CallSid", "CA")
    if form.get("DialCallStatus"):
        return call_sid, _dialled(form["DialCallStatus"], form)
    if form.get("QueueResult"):
        return call_sid, _queued(form["QueueResult"], form)
    return call_sid, _relayed(form.get("SessionStatus", ""), form)


def mask_caller(number: str) -> str:
    """`***0100` for a phone number; for anything else the kind of caller only (`client`, `sip`, `anonymous` …)."""
    if re.fullmatch(r"\+?[0-9]{7,15}", number):
        return f"***{number[-4:]}"
    if kind := re.match(r"(client|sip|whatsapp):", number):
        return kind[1]
    return number.lower() if number.lower() in NAMELESS else "unknown"


def _dialled(status: str, form: Mapping[str, str]) -> ActionReport:
    if status in DIAL_ANSWERED:
        return HandOffAnswered("dial", status)
    return CallerHungUp() if _is_over(form) else HandOffUnanswered("dial", word(status))


def _queued(result: str, form: Mapping[str, str]) -> ActionReport:
    """`leave` and `redirected` took the caller out of the queue before anybody was bridged: nobody answered."""
    if result in QUEUE_ANSWERED:
        return HandOffAnswered("queue", result)
    if result == QUEUE_HUNG_UP or _is_over(form):
        return CallerHungUp()
    return HandOffUnanswered("queue", word(result))


def _relayed(status: str, form: Mapping[str, str]) -> ActionReport:
    """Told apart by `SessionStatus`; the `ErrorCode` beside it differs between sources (fact sheet 2.3)."""
    if status == "completed" or _is_over(form):
        return CallerHungUp()
    return RelayEnded() if status == "ended" else RelayFailed()


def _is_over(form: Mapping[str, str]) -> bool:
    return form.get("CallStatus", "") in CALL_OVER
