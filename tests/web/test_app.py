"""The app's contract of answers: who is let in, and what a request that is not let in is told."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from front import AUTH_TOKEN, CALL, OTHER_CALL, PUBLIC, callback, ended, opened, ringing, sign

from payagent.journal.protocol import Search

HOOKS = {
    "/api/incoming-call": ringing(),
    "/api/status-callback": callback(),
    "/api/action": ended("ended"),
}


@pytest.mark.promise(5)
@pytest.mark.parametrize("path", HOOKS)
@pytest.mark.parametrize(
    "signature",
    [
        "",
        "bm8=",
        "Ω",
        sign(PUBLIC + "/api/incoming-call", ringing(OTHER_CALL)),
        sign(f"{PUBLIC}/api/somewhere"),
    ],
)
async def test_nobody_but_twilio_gets_in(path: str, signature: str, tmp_path: Path) -> None:
    """A missing or wrong signature is a 403 on every webhook, and nothing of the request is recorded."""
    async with opened(tmp_path) as front:
        answer = await front.post(path, HOOKS[path], signature=signature)

        assert (answer.status_code, answer.text) == (403, "not signed by Twilio\n")
        assert await front.journal.search(Search()) == []


@pytest.mark.parametrize("path", HOOKS)
async def test_a_changed_value_is_a_forgery(path: str, tmp_path: Path) -> None:
    """Also where the value is blank: dropping or filling one breaks the signature."""
    async with opened(tmp_path) as front:
        signature = sign(PUBLIC + path, HOOKS[path])
        for changed in ({"From": "+15550101"}, {"FromCity": "x"}, {"Result": "success"}):
            answer = await front.post(path, HOOKS[path] | changed, signature=signature)

            assert answer.status_code == 403


async def test_blank_values_count_for_the_signature(tmp_path: Path) -> None:
    """`Required=` is in the body and in what was signed."""
    async with opened(tmp_path) as front:
        await front.ring()
        form = callback(Capture="security-code", PartialResult="false", Required="", SecurityCode="xxx")

        assert (await front.post("/api/status-callback", form)).status_code == 204


async def test_the_public_url_is_what_counts(tmp_path: Path) -> None:
    """Behind a proxy the `Host` differs; a signature over that host, or over http, is a forgery."""
    async with opened(tmp_path) as front:
        path, form = "/api/incoming-call", ringing()
        for origin in ("http://127.0.0.1:3000", "http://pay.example.test", "https://evil.example.test"):
            host = origin.split("//")[1]
            answer = await front.post(path, form, signature=sign(origin + path, form), Host=host)
            assert answer.status_code == 403

        right = sign(PUBLIC + path, form)
        answer = await front.post(path, form, signature=right, Host="10.0.0.7:3000", **{"X-Forwarded-Proto": "http"})
        assert answer.status_code == 200


async def test_a_query_is_signed_too(tmp_path: Path) -> None:
    """Twilio keeps the query of a callback's URL and signs it."""
    async with opened(tmp_path) as front:
        await front.ring()

        assert (await front.post("/api/status-callback?try=2&x=%20", callback())).status_code == 204
        stale = sign(f"{PUBLIC}/api/status-callback", callback())
        assert (await front.post("/api/status-callback?try=2", callback(), signature=stale)).status_code == 403


async def test_both_tokens_count_while_they_are_rotated(tmp_path: Path) -> None:
    """And no third one."""
    async with opened(tmp_path, TWILIO_AUTH_TOKEN_SECONDARY="ef" * 16) as front:
        url, form = f"{PUBLIC}/api/incoming-call", ringing()
        found = [
            (await front.post("/api/incoming-call", form, signature=sign(url, form, token))).status_code
            for token in (AUTH_TOKEN, "ef" * 16, "cd" * 16)
        ]

        assert found == [200, 200, 403]


@pytest.mark.parametrize("path", HOOKS)
@pytest.mark.parametrize("call_sid", ["", "CA123", "CA" + "0g" * 16, "AC" + "01" * 16, "../../etc/passwd"])
async def test_a_form_without_a_call_is_unreadable(path: str, call_sid: str, tmp_path: Path) -> None:
    """400, though it is signed; the answer quotes nothing."""
    async with opened(tmp_path) as front:
        answer = await front.post(path, HOOKS[path] | {"CallSid": call_sid})

        assert (answer.status_code, answer.text) == (400, "unreadable\n")


async def test_a_callback_needs_its_session(tmp_path: Path) -> None:
    """`Sid` too has to be a SID."""
    async with opened(tmp_path) as front:
        await front.ring()

        assert (await front.post("/api/status-callback", callback(Sid=CALL))).status_code == 400


@pytest.mark.parametrize("body", [b"CallSid=\xff\xfe", b"&".join(b"a%d=1" % n for n in range(600))])
async def test_a_body_that_is_no_form_is_unreadable(body: bytes, tmp_path: Path) -> None:
    """Bytes that are no text, or more fields than Twilio would ever send."""
    async with opened(tmp_path) as front:
        answer = await front.client.post("/api/action", content=body, headers={"X-Twilio-Signature": "x"})

        assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/api/status-callback", "/api/action"])
async def test_a_call_that_is_not_on_the_record_is_unknown(path: str, tmp_path: Path) -> None:
    """404; and asking does not make it known."""
    async with opened(tmp_path) as front:
        await front.ring(OTHER_CALL)
        answer = await front.post(path, HOOKS[path])

        assert (answer.status_code, answer.text) == (404, "unknown call\n")
        assert await front.steps(CALL) == []


async def test_a_body_that_trickles_is_not_waited_for(tmp_path: Path) -> None:
    """408: whoever sends a byte a second holds no place."""
    async with opened(tmp_path, BODY_SECONDS=0.05) as front:

        async def trickling() -> object:
            yield b"CallSid="
            await asyncio.sleep(60)

        answer = await front.client.post("/api/action", content=trickling())  # type: ignore[arg-type]

        assert (answer.status_code, answer.text) == (408, "too slow\n")


async def test_a_long_body_is_not_read_to_its_end(tmp_path: Path) -> None:
    """413 as soon as it is too long, signed or not; one byte less is read."""
    async with opened(tmp_path, MAX_BODY_BYTES=2048) as front:
        sent: list[int] = []

        async def endless() -> object:
            while True:
                sent.append(1)
                assert len(sent) < 100
                yield b"a=" + b"1" * 1000 + b"&"

        answer = await front.client.post("/api/action", content=endless())  # type: ignore[arg-type]
        assert (answer.status_code, answer.text) == (413, "too large\n")

        form = ringing()
        filled = 2048 - len("&Pad=") - len(str(front.client.build_request("POST", "/", data=form).content, "ascii"))
        assert (await front.post("/api/incoming-call", form | {"Pad": "x" * filled})).status_code == 200
        assert (await front.post("/api/incoming-call", form | {"Pad": "x" * (filled + 1)})).status_code == 413


@pytest.mark.parametrize("path", HOOKS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_webhooks_are_posted(path: str, method: str, tmp_path: Path) -> None:
    """Any other method is a 405."""
    async with opened(tmp_path) as front:
        assert (await front.client.request(method, path)).status_code == 405


@pytest.mark.parametrize("path", ["/api/incoming-call/", "/relay", "/", "/docs", "/api"])
async def test_nothing_else_is_served(path: str, tmp_path: Path) -> None:
    """No redirect to a host that the request made up either."""
    async with opened(tmp_path) as front:
        assert (await front.post(path, ringing())).status_code == 404


async def test_the_probes_of_whoever_runs_it(tmp_path: Path) -> None:
    """`/healthz` says that it runs, `/readyz` that its record can be read; neither asks for a signature."""
    async with opened(tmp_path) as front:
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            answer = await front.client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": status})

        with sqlite3.connect(front.database) as db:
            db.execute("DROP TABLE calls")
        db.close()
        answer = await front.client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "the journal cannot be read"})
        assert (await front.client.get("/healthz")).status_code == 200
