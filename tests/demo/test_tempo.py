"""Time that can be slowed, hurried and stopped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from payagent.demo.tempo import PacedLoop, Tempo

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Real:
    """A real clock, moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_the_clock_goes_at_its_rate_and_never_back() -> None:
    """Half as fast, standing still, three times as fast; the time of day goes with it."""
    real = Real()
    tempo = Tempo(real, NOON)
    tempo.set(0.5)
    real.at += 10
    assert tempo.seconds() == 105

    tempo.set(0)
    real.at += 1000
    assert tempo.seconds() == 105

    tempo.set(3)
    real.at += 2
    assert tempo.seconds() == 111
    assert tempo.rate == 3
    assert tempo.now() == NOON + timedelta(seconds=11)


def test_a_wait_is_as_long_as_the_clock_says() -> None:
    """Twice as fast is half as long; standing still is until woken; no wait and an endless one stay what they are."""
    tempo = Tempo(Real(), NOON)
    tempo.set(2)
    assert (tempo.real_wait(10), tempo.real_wait(0), tempo.real_wait(None)) == (5, 0, None)

    tempo.set(0)
    assert (tempo.real_wait(10), tempo.real_wait(0), tempo.real_wait(None)) == (None, 0, None)


def test_no_timer_goes_off_while_time_stands_still() -> None:
    """What needs no time goes on; the timer goes off when time does, however long that took."""
    tempo = Tempo()
    loop = PacedLoop(tempo)

    async def script() -> list[str]:
        seen: list[str] = []
        loop.pace(0)
        timer = loop.call_later(0.001, seen.append, "timer")
        await asyncio.to_thread(seen.append, "thread")
        assert not timer.cancelled()
        loop.pace(1000)
        await asyncio.sleep(1)
        return seen

    try:
        assert loop.run_until_complete(script()) == ["thread", "timer"]
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
