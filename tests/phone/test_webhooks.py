"""The voice webhooks: which ending is which, and that unknown ones are read the safe way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payagent.errors import BadCallback
from payagent.flow.events import CallerHungUp, HandOffAnswered, HandOffUnanswered, RelayEnded, RelayFailed
from payagent.phone import webhooks

CALL = "CA" + "0" * 31 + "2"
ACCOUNT = "AC" + "0" * 31 + "1"
HERE = {"CallSid": CALL, "CallStatus": "in-progress"}
GONE = {"CallSid": CALL, "CallStatus": "completed"}


def test_reads_an_incoming_call() -> None:
    """The four facts of a ringing phone come through, unmasked but not shown in a log line."""
    call = webhooks.incoming({"CallSid": CALL, "AccountSid": ACCOUNT, "From": "+15550100", "To": "+15550199", "X": ""})

    assert webhooks.IncomingCall(CALL, ACCOUNT, "+15550100", "+15550199") == call
    assert "0100" not in repr(call)


def test_an_incoming_call_needs_its_sid_only() -> None:
    """What Twilio leaves out is empty."""
    assert webhooks.IncomingCall(CALL, "", "", "") == webhooks.incoming({"CallSid": CALL})


ENDINGS = [
    ({"SessionStatus": "ended", "SessionId": "VX9", "HandoffData": '{"reason":"human"}'}, RelayEnded()),
    ({"SessionStatus": "failed", "ErrorCode": "39001"}, RelayFailed()),
    ({"SessionStatus": "completed"}, CallerHungUp()),
    ({"SessionStatus": "melted"}, RelayFailed()),
    ({"SessionStatus": ""}, RelayFailed()),
    ({}, RelayFailed()),
    ({"DialCallStatus": "completed"}, HandOffAnswered("dial", "completed")),
    ({"DialCallStatus": "answered"}, HandOffAnswered("dial", "answered")),
    ({"DialCallStatus": "busy"}, HandOffUnanswered("dial", "busy")),
    ({"DialCallStatus": "no-answer"}, HandOffUnanswered("dial", "no-answer")),
    ({"DialCallStatus": "failed"}, HandOffUnanswered("dial", "failed")),
    ({"DialCallStatus": "canceled"}, HandOffUnanswered("dial", "canceled")),
    ({"DialCallStatus": "melted<b>"}, HandOffUnanswered("dial", "meltedb")),
    ({"QueueResult": "bridged"}, HandOffAnswered("queue", "bridged")),
    ({"QueueResult": "bridging-in-process"}, HandOffAnswered("queue", "bridging-in-process")),
    ({"QueueResult": "redirected-from-bridged"}, HandOffAnswered("queue", "redirected-from-bridged")),
    ({"QueueResult": "hangup"}, CallerHungUp()),
    ({"QueueResult": "leave"}, HandOffUnanswered("queue", "leave")),
    ({"QueueResult": "redirected"}, HandOffUnanswered("queue", "redirected")),
    ({"QueueResult": "queue-full"}, HandOffUnanswered("queue", "queue-full")),
    ({"QueueResult": "system-error"}, HandOffUnanswered("queue", "system-error")),
    ({"QueueResult": "error"}, HandOffUnanswered("queue", "error")),
    ({"QueueResult": "melted"}, HandOffUnanswered("queue", "melted")),
    ({"DialCallStatus": "busy", "SessionStatus": "ended"}, HandOffUnanswered("dial", "busy")),
]


@pytest.mark.parametrize(("fields", "expected"), ENDINGS)
def test_reads_an_action(fields: dict[str, str], expected: webhooks.ActionReport) -> None:
    """Every documented ending has its event, and an unknown one is never taken for success."""
    assert (CALL, expected) == webhooks.action(HERE | fields)
    assert (CALL, expected) == webhooks.action({"CallSid": CALL} | fields)


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
@pytest.mark.parametrize(("fields", "expected"), ENDINGS)
def test_a_call_that_is_over_is_over(fields: dict[str, str], expected: webhooks.ActionReport, status: str) -> None:
    """Once the call has ended nothing but an answered hand-off is worth more than that."""
    over = expected if isinstance(expected, HandOffAnswered) else CallerHungUp()

    assert (CALL, over) == webhooks.action(GONE | fields | {"CallStatus": status})


@pytest.mark.parametrize("read", [webhooks.incoming, webhooks.action])
@pytest.mark.parametrize("form", [{}, {"CallSid": ""}, {"CallSid": "CA2"}, {"CallSid": ACCOUNT}])
def test_a_call_sid_is_required(read: object, form: dict[str, str]) -> None:
    """A webhook that names no call cannot be read."""
    with pytest.raises(BadCallback):
        read(form)  # type: ignore[operator]


@given(st.dictionaries(st.sampled_from(["CallStatus", "SessionStatus", "DialCallStatus", "QueueResult"]), st.text()))
def test_no_value_breaks_the_reading(fields: dict[str, str]) -> None:
    """Values Twilio may add one day are read, too."""
    assert webhooks.action({"CallSid": CALL} | fields)[0] == CALL


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+15550100", "***0100"),
        ("15550100", "***0100"),
        ("+4930123456789", "***6789"),
        ("911", "unknown"),
        ("client:alice", "client"),
        ("sip:+15550100@example.test", "sip"),
        ("whatsapp:+15550100", "whatsapp"),
        ("Anonymous", "anonymous"),
        ("Restricted", "restricted"),
        ("", "unknown"),
        ("Alice Johnson +15550100", "unknown"),
    ],
)
def test_masks_the_caller(number: str, masked: str) -> None:
    """A number keeps its last four digits; whoever is not a number keeps the kind of caller only."""
    assert masked == webhooks.mask_caller(number)
