"""The faults a tab can switch on, and what each does to the stand-in Twilio, the model or the line."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from payagent.lab.faults import Faults

LATE_SECONDS = 3.0
_OPERATIONS = ("create", "capture", "complete", "cancel")


@dataclass(frozen=True, slots=True)
class Switches:
    """Which faults are on. The last three hit once and then switch themselves off.

    Attributes:
        duplicate: every callback comes twice.
        reordered: a key's callback is overtaken by the next one.
        late: every callback is late by `LATE_SECONDS`.
        lost_callbacks: Twilio's word that a field is captured never comes.
        lost_result: the processor's result never comes.
        rest_error: the next payment request is answered 503.
        model_error: the model's next answer is a 500.
        lost_socket: the relay's socket is cut at the call's next move.
    """

    duplicate: bool = False
    reordered: bool = False
    late: bool = False
    lost_callbacks: bool = False
    lost_result: bool = False
    rest_error: bool = False
    model_error: bool = False
    lost_socket: bool = False

    def faults(self, also: Faults) -> Faults:
        """What the stand-in does wrong: what is switched on here, and what the scenario itself asks for."""
        return replace(
            also,
            duplicate_callbacks=also.duplicate_callbacks or self.duplicate,
            reorder_callbacks=also.reorder_callbacks or self.reordered,
            delay_callbacks=max(also.delay_callbacks, LATE_SECONDS * self.late),
            lose_callbacks=(*also.lose_callbacks, *(("done",) if self.lost_callbacks else ())),
            lose_final=also.lose_final or self.lost_result,
            rest_error=(*also.rest_error, *(f"{each}:503" for each in _OPERATIONS if self.rest_error)),
        )

    def data(self) -> dict[str, bool]:
        """As JSON."""
        return asdict(self)
