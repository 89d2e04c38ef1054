"""The gate: floods are turned away by counts that cost nothing, and nobody else is."""

from __future__ import annotations

import pytest

from payagent.web import gate as gates
from payagent.web.gate import Full, Gate, Limits


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def let_in(gate: Gate, caller: str, calls: int, live: int = 0) -> int:
    """How many of so many calls of a caller are let in."""
    admitted = 0
    for _ in range(calls):
        try:
            gate.admit(caller, live)
            admitted += 1
        except Full:
            pass
    return admitted


def test_a_caller_makes_so_many_calls_a_minute() -> None:
    """Others are not touched by it, and a minute later there is room again; those turned away are not counted."""
    clock = Clock()
    gate = Gate(Limits(calls_per_minute=3), clock)
    first = let_in(gate, "flood", 100), let_in(gate, "other", 2)
    clock.now += 59.9
    still = let_in(gate, "flood", 100)
    clock.now += 0.1

    assert (first, still) == ((3, 2), 0)
    assert let_in(gate, "flood", 100) == 3


def test_a_withheld_number_is_nobody_in_particular() -> None:
    """Strangers do not lock each other out."""
    assert let_in(Gate(Limits(calls_per_minute=1), Clock()), "", 50) == 50


def test_so_many_calls_at_once() -> None:
    """Whoever they are of; one that ends makes room."""
    gate = Gate(Limits(calls=2), Clock())

    assert [let_in(gate, "", 1, live) for live in (0, 1, 2, 3, 1)] == [1, 1, 0, 0, 1]


def test_zero_is_no_limit() -> None:
    """For each count."""
    gate = Gate(Limits(calls_per_minute=0, calls=0, waiting_sockets=0), Clock())

    assert let_in(gate, "flood", 500, live=10**6) == 500
    with gate.waiting(), gate.waiting():
        pass


def test_so_many_sockets_wait() -> None:
    """One that is set up, or breaks, makes room."""
    gate = Gate(Limits(waiting_sockets=2), Clock())
    with gate.waiting(), gate.waiting(), pytest.raises(Full), gate.waiting():
        pass
    with pytest.raises(ZeroDivisionError), gate.waiting():
        raise ZeroDivisionError

    with gate.waiting(), gate.waiting():
        pass


def test_the_memory_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood under many numbers forgets the one longest not heard of, and never the flood."""
    monkeypatch.setattr(gates, "CALLERS_KEPT", 3)
    gate = Gate(Limits(calls_per_minute=1), Clock())
    for caller in ("a", "b", "c", "a", "d"):
        let_in(gate, caller, 1)

    assert [let_in(gate, caller, 1) for caller in ("a", "c", "d", "b")] == [0, 0, 0, 1]


def test_callers_of_the_minute_before_are_forgotten() -> None:
    """So that a worker does not grow with the callers it has ever had; those of this minute still count."""
    clock = Clock()
    gate = Gate(Limits(calls_per_minute=1), clock)
    for n in range(100):
        let_in(gate, f"caller {n}", 1)
    clock.now += 30
    let_in(gate, "flood", 1)
    clock.now += 30
    let_in(gate, "now", 1)

    assert list(gate._rang) == ["flood", "now"]
    assert let_in(gate, "flood", 1) == 0
