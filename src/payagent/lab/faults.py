"""What the stand-in Twilio does otherwise than in the plain case. Every switch is off by default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Each switch is something Twilio may do, by fact sheet sections 4.4, 5.5 and 10.

    Attributes:
        chance: how often a switch that is on bites where it could; 1 is always.
        duplicate_callbacks: every status callback is delivered twice, bit for bit.
        reorder_callbacks: partial results are overtaken by the callback that follows them.
        delay_callbacks: seconds every status callback is late, and those behind it with it.
        late_callbacks: seconds a status callback is late by itself: what comes after it overtakes it.
        lose_callbacks: kinds that never arrive: `start began partial done error final`.
        lose_final: the processor's result never arrives; what it did stays done.
        rest_error: what the next REST requests meet, each `operation:trouble`, or `operation:trouble:done` when the
            deed is done all the same. Operations are `create capture complete cancel`; a trouble is an HTTP status,
            a Twilio error number (answered with 400), `hang` (no answer for `HANG_SECONDS`) or `reset` (the connection
            is cut without one).
        leak_dtmf: digits keyed into a capture reach the relay's socket too.
        no_begin_callback: a capture is not announced by a callback without digits.
        callback_first: a request's first callback arrives before its REST answer.
    """

    chance: float = 1.0
    duplicate_callbacks: bool = False
    reorder_callbacks: bool = False
    delay_callbacks: float = 0.0
    late_callbacks: float = 0.0
    lose_callbacks: tuple[str, ...] = ()
    lose_final: bool = False
    rest_error: tuple[str, ...] = ()
    leak_dtmf: bool = False
    no_begin_callback: bool = False
    callback_first: bool = False


HANG_SECONDS = 60.0
"""How long a request that hangs is not answered, scaled; whoever asked gives up long before."""
