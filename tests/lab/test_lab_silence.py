"""How long nothing is heard, on a clock of the test's own."""

from __future__ import annotations

import pytest

from payagent.lab.silence import SECONDS_A_CHARACTER, Silence

TEN = "x" * int(10 / SECONDS_A_CHARACTER)  # words that take ten seconds to say


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def longest(silence: Silence) -> float:
    return round(silence.longest.seconds)


def test_silence_begins_when_the_words_are_over(clock: Clock) -> None:
    """Ten seconds of speech, then five of nothing."""
    silence = Silence(clock, 1.0)
    silence.on("agent", words=TEN)
    clock.now += 15
    silence.on("agent", words="hm")

    assert longest(silence) == 5.0
    assert silence.longest.after == TEN


def test_words_heard_piece_by_piece_are_not_counted_twice(clock: Clock) -> None:
    """The whole that follows the pieces is the same speech."""
    silence = Silence(clock, 1.0)
    silence.on("token", words=TEN)
    clock.now += 12
    silence.on("agent", words=TEN)
    clock.now += 3
    silence.on("ended", how="hung_up_by_app")

    assert longest(silence) == 5.0


@pytest.mark.parametrize("kind", ["caller", "key", "interrupt"])
def test_who_speaks_or_keys_in_waits_anew(kind: str, clock: Clock) -> None:
    """Nothing is owed while the caller is busy."""
    silence = Silence(clock, 0.1)
    silence.on("agent", words=TEN)
    clock.now += 3
    silence.on(kind, words="yes", heard="")
    clock.now += 1.5
    silence.on("agent", words="hm")

    assert longest(silence) == 2.0


def test_keys_do_not_stop_the_agents_words(clock: Clock) -> None:
    """Silence begins when they are over, whoever presses a key meanwhile."""
    silence = Silence(clock, 1.0)
    silence.on("agent", words=TEN)
    clock.now += 4
    silence.on("key")
    clock.now += 11
    silence.on("ended", how="queue")

    assert longest(silence) == 5.0


@pytest.mark.parametrize("verb", ["enqueue", "dial", "hangup"])
def test_in_a_queue_there_is_music(verb: str, clock: Clock) -> None:
    """And after the end nothing is owed."""
    silence = Silence(clock, 1.0)
    silence.on("agent", words="")
    clock.now += 1
    silence.on("verb", name=verb)
    clock.now += 100
    silence.on("ended", how="queue")

    assert longest(silence) == 1.0


def test_other_verbs_and_kinds_are_not_heard(clock: Clock) -> None:
    """A re-connect is silent."""
    silence = Silence(clock, 1.0)
    silence.on("agent", words="")
    clock.now += 1
    silence.on("verb", name="relay")
    silence.on("rest", operation="create", status=201, code=0)
    clock.now += 1
    silence.on("ended", how="queue")

    assert longest(silence) == 2.0


def test_the_time_the_server_was_away_does_not_count(clock: Clock) -> None:
    """Nobody could have spoken."""
    silence = Silence(clock, 1.0, away=lambda start, end: 4.0)
    silence.on("agent", words="")
    clock.now += 6
    silence.on("agent", words="hm")

    assert longest(silence) == 2.0
