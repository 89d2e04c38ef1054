"""The server under test as a process: what it is told, and how long it is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from payagent.lab.serving import bind
from payagent.storm.server import LOG, Server, ServerFailed


def origin() -> str:
    listener = bind()
    listener.socket.close()
    return listener.origin


async def test_a_server_that_does_not_start_says_where_to_look(tmp_path: Path) -> None:
    """Its own words are in its log: here that it was given no settings."""
    server = Server(tmp_path, {}, origin())
    with pytest.raises(ServerFailed, match=f"the server ended with status 2; see {tmp_path / LOG}"):
        await server.start()

    assert "TWILIO_ACCOUNT_SID: is missing" in (tmp_path / LOG).read_text()
    assert not server.running
    await server.stop()


def test_the_time_away_between_two_moments(tmp_path: Path) -> None:
    """Only what lies between them counts."""
    server = Server(tmp_path, {}, "http://127.0.0.1:9")
    server.away = [(10.0, 12.0), (20.0, 21.0)]

    assert server.away_between(0, 30) == 3.0
    assert server.away_between(11, 20.5) == 1.5
    assert server.away_between(13, 14) == 0
