"""What the stand-in Twilio does otherwise than in the plain case. Every switch is off by default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Each switch is something Twilio may do, by fact sheet sections 4.4, 5.5 and 10.

    Attributes:
        duplicate_callbacks: every status callback is delivered twice, bit for bit.
        reorder_callbacks: partial results are overtaken by the callback that follows them.
        delay_callbacks: seconds every status callback is late.
        lose_callbacks: kinds that never arrive: `start began partial done error final`.
        lose_final: the processor's result never arrives; what it did stays done.
        rest_error: answers to the next REST requests, each `operation:status`, or `operation:status:done`
            when the deed is done all the same; operations are `create capture complete cancel`.
        leak_dtmf: digits keyed into a capture reach the relay's socket too.
        no_begin_callback: a capture is not announced by a callback without digits.
        callback_first: a request's first callback arrives before its REST answer.
    """

    duplicate_callbacks: bool = False
    reorder_callbacks: bool = False
    delay_callbacks: float = 0.0
    lose_callbacks: tuple[str, ...] = ()
    lose_final: bool = False
    rest_error: tuple[str, ...] = ()
    leak_dtmf: bool = False
    no_begin_callback: bool = False
    callback_first: bool = False
