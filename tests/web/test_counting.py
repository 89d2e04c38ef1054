"""`/metrics`: who may read it, and that requests are timed by door and answer."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from front import CALL, callback, opened

TOKEN = "a-token-for-metrics"


async def read(app: object, client: str = "127.0.0.1", host: str = "127.0.0.1:3000", **headers: str) -> httpx.Response:
    """Ask for the counters from that address, under that name."""
    transport = httpx.ASGITransport(app, client=(client, 4711))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
        named = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
        return await asking.get("/metrics", headers=named)


async def test_a_program_on_this_machine_may_read(tmp_path: Path) -> None:
    """Webhooks are timed by door and status, forged ones too, and no call is named."""
    async with opened(tmp_path) as front:
        await front.ring()
        await front.post("/api/status-callback", callback())
        await front.post("/api/status-callback", callback(), signature="")
        await front.client.get("/nowhere")
        answer = await read(front.app)

        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'payagent_http_seconds_count{path="/api/status-callback",status="204"} 1.0' in answer.text
        assert 'payagent_http_seconds_count{path="/api/status-callback",status="403"} 1.0' in answer.text
        assert 'payagent_http_seconds_count{path="other",status="404"} 1.0' in answer.text
        assert 'payagent_calls{state="verifying_identity"} 1.0' in answer.text
        assert CALL not in answer.text


@pytest.mark.parametrize(
    "asking",
    [
        {"client": "192.0.2.7"},
        {"host": "pay.example.test"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Authorization": "Bearer "},
    ],
)
async def test_without_a_token_the_world_is_told_to_bring_one(asking: dict[str, str], tmp_path: Path) -> None:
    """A proxy on this machine connects from loopback as well: what it passes on is not from here."""
    async with opened(tmp_path) as front:
        answer = await read(front.app, **asking)

        expected = 200 if "Authorization" in asking else 403
        assert expected == answer.status_code
        assert expected == 200 or "METRICS_TOKEN" in answer.text


async def test_with_a_token_only_it_counts(tmp_path: Path) -> None:
    """From anywhere, by any name; a program on this machine needs it too."""
    async with opened(tmp_path, METRICS_TOKEN=TOKEN) as front:
        afar = {"client": "192.0.2.7", "host": "pay.example.test"}
        right = await read(front.app, **afar, Authorization=f"Bearer {TOKEN}")
        wrong = [await read(front.app, Authorization=given) for given in ("", f"Bearer {TOKEN}x", f"Bearer ü{TOKEN}")]
        none = await read(front.app)

        assert right.status_code == 200
        assert [answer.status_code for answer in [*wrong, none]] == [403] * 4
