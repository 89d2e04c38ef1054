"""The SDK's way out over aiohttp: where requests go, by whom, how long they may take, and what is never logged."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import certifi
import pytest
import trustme
from scripted_twilio import NOBODY, Answer, ScriptedTwilio, answer

from payagent import outbound
from payagent.errors import SettingsError
from payagent.outbound import trusted
from payagent.phone import http as way_out
from payagent.phone.http import NEVER_SENT, TIMEOUTS, TWILIO, AioClient, open_http

PATH = "/2010-04-01/Accounts/AC01/Calls.json"
HOST = "api.twilio.com"
AUTH = ("user", "secret")
BASIC = "Basic dXNlcjpzZWNyZXQ="
FORM = {"ChargeAmount": "12.10"}
SILENT = Answer(then="be silent")
CONNECT_ONLY = aiohttp.ClientTimeout(connect=0.05)


@pytest.fixture
async def twilio() -> AsyncIterator[ScriptedTwilio]:
    async with ScriptedTwilio() as server:
        yield server


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """An authority that nobody trusts unasked."""
    return trustme.CA()


def certified(ca: trustme.CA, name: str) -> ssl.SSLContext:
    """A server of this name, as the authority says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
async def proxy(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedTwilio]:
    """The environment's proxy, and at the far end a Twilio that the environment's certificates vouch for."""
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with ScriptedTwilio(tunnelled=certified(ca, HOST)) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%20er:hush@127.0.0.1:{server.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield server


TUNNEL = Answer(b"HTTP/1.1 200 Connected\r\n\r\n", "speak TLS")


@pytest.mark.parametrize("end", ["", "/"])
async def test_goes_to_the_origin_it_is_given(end: str, twilio: ScriptedTwilio) -> None:
    """Scheme, host and port of the SDK's URL are replaced; path, query, form, headers and credentials are not."""
    await twilio.will(answer(201, {"sid": "PK1"}))
    async with open_http(twilio.origin + end) as http:
        client = AioClient(http, twilio.origin + end)
        got = await client.request(
            "POST", f"{TWILIO}{PATH}?A=1%2F2", {"PageSize": 1}, {"A": "é &"}, {"X-Y": "z"}, AUTH, 5.0
        )

    (sent,) = twilio.asked
    assert (got.status_code, got.text) == (201, '{"sid": "PK1"}')
    assert (sent.method, sent.path, sent.target.partition("?")[2]) == ("POST", PATH, "A=1/2&PageSize=1")
    assert (sent.body, sent.headers["content-type"]) == (b"A=%C3%A9+%26", "application/x-www-form-urlencoded")
    assert (sent.headers["x-y"], sent.headers["authorization"]) == ("z", BASIC)
    assert sent.headers["host"] == f"127.0.0.1:{twilio.port}"


async def test_goes_to_twilio_unless_told_otherwise(
    proxy: ScriptedTwilio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the environment's proxy and certificates. The proxy learns no credential, no form; `.netrc` is not read."""
    (tmp_path / "netrc").write_text(f"machine {HOST} login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    await proxy.will(TUNNEL, answer(201))
    async with open_http() as http:
        await AioClient(http).request("POST", TWILIO + PATH, data=FORM, auth=AUTH)

    connect, sent = proxy.asked
    assert (connect.method, connect.target, connect.body) == ("CONNECT", f"{HOST}:443", b"")
    assert connect.headers["proxy-authorization"] == "Basic dXMgZXI6aHVzaA=="
    assert "authorization" not in connect.headers
    assert (sent.target, sent.headers["host"], sent.form) == (PATH, HOST, FORM)
    assert sent.headers["authorization"] == BASIC
    assert "proxy-authorization" not in sent.headers


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
async def test_a_proxy_by_any_name(name: str, proxy: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ALL_PROXY` counts as well, and a proxy may be named without `http://`."""
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv(name, f"127.0.0.1:{proxy.port}")
    await proxy.will(TUNNEL, answer(201))
    async with open_http() as http:
        await AioClient(http).request("POST", TWILIO + PATH, data=FORM)

    assert [asked.method for asked in proxy.asked] == ["CONNECT", "POST"]


async def test_a_stand_in_is_reached_directly(
    proxy: ScriptedTwilio, twilio: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment is for the way to Twilio; a stand-in is no business of it."""
    monkeypatch.setenv("HTTP_PROXY", os.environ["HTTPS_PROXY"])
    await twilio.will(answer(200))
    async with open_http(twilio.origin) as http:
        await AioClient(http, twilio.origin).request("GET", TWILIO + PATH)

    assert (len(twilio.asked), proxy.connections) == (1, 0)


async def test_no_proxy_and_no_name(proxy: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_PROXY` keeps the proxy out of it; a name that nobody knows was never sent to."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setenv("NO_PROXY", "twilio.com")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with open_http() as http:
        with pytest.raises(NEVER_SENT):
            await AioClient(http).request("POST", TWILIO + PATH, data=FORM)

    assert proxy.connections == 0


async def test_a_proxy_of_another_kind_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy would fail every payment: the program does not start with one."""
    monkeypatch.setenv("ALL_PROXY", "socks5://us:hush@127.0.0.1:1080")
    async with open_http() as http:
        with pytest.raises(SettingsError, match="ALL_PROXY") as caught:
            AioClient(http)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("said", [answer(407), answer(502), Answer(then="close"), Answer(then="reset")])
async def test_a_proxy_that_says_no_leaves_a_doubt(said: Answer, proxy: ScriptedTwilio) -> None:
    """Nothing went further, as far as we can see; but it is the proxy's word, so it is not counted as never sent."""
    await proxy.will(said)
    async with open_http() as http:
        with pytest.raises(aiohttp.ClientError) as caught:
            await AioClient(http).request("POST", TWILIO + PATH, data=FORM)

    assert not isinstance(caught.value, NEVER_SENT)
    assert [asked.method for asked in proxy.asked] == ["CONNECT"]


@pytest.mark.parametrize(
    "said", [NOBODY, SILENT, Answer(b"HTTP/1.1 200 Connected\r\n\r\n", "be silent")], ids=["down", "mute", "no TLS"]
)
async def test_a_proxy_without_a_tunnel(said: Answer, proxy: ScriptedTwilio) -> None:
    """Down, silent, or with no TLS behind it: what did not get as far as Twilio's certificate was never sent."""
    await proxy.will(said)
    async with open_http(timeouts=CONNECT_ONLY if said is not NOBODY else TIMEOUTS) as http:
        with pytest.raises(NEVER_SENT):
            await AioClient(http).request("POST", TWILIO + PATH, data=FORM)

    assert "POST" not in [asked.method for asked in proxy.asked]


@pytest.mark.parametrize("name", [HOST, "api.twilio.com.example.test"])
async def test_a_stranger_with_a_certificate_gets_nothing(
    name: str, ca: trustme.CA, proxy: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Twilio's name from an authority that we do not trust, nor another name from one that we do.

    The error tells nobody the proxy's password.
    """
    proxy.tunnelled = certified(ca, name)
    if name == HOST:
        monkeypatch.delenv("SSL_CERT_FILE")
    await proxy.will(TUNNEL)
    async with open_http() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError) as caught:
            await AioClient(http).request("POST", TWILIO + PATH, data=FORM)

    assert isinstance(caught.value, NEVER_SENT)
    assert "hush" not in repr(caught.value)
    assert [asked.method for asked in proxy.asked] == ["CONNECT"]


async def test_a_stand_in_s_certificate_counts_too(ca: trustme.CA, proxy: ScriptedTwilio) -> None:
    """An https stand-in is looked at like anybody, and not with the environment's certificates."""
    async with ScriptedTwilio(tls=certified(ca, "127.0.0.1")) as stand_in, open_http(stand_in.origin) as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await AioClient(http, stand_in.origin).request("POST", TWILIO + PATH, data=FORM)

    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("named", "count"),
    [((), None), (("SSL_CERT_FILE",), 1), (("SSL_CERT_DIR",), 0), (("SSL_CERT_FILE", "SSL_CERT_DIR"), 1)],
)
def test_whose_certificates_count(
    named: tuple[str, ...], count: int | None, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's file, else its directory (read when needed), else certifi's; chain and name are checked."""
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    given = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSL_CERT_DIR": str(tmp_path)}
    for name, value in given.items():
        if name in named:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    context, usual = trusted(environment=True), len(ssl.create_default_context(cafile=certifi.where()).get_ca_certs())

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == (usual if count is None else count)
    assert len(trusted(environment=False).get_ca_certs()) == usual


async def test_how_long_it_may_take() -> None:
    """Each wait is bounded, and the one for a connection runs out before the whole does: it alone says "never sent"."""
    async with open_http("http://127.0.0.1:4010") as http:
        assert aiohttp.ClientTimeout(total=8.0, connect=3.0, sock_read=5.0) == http.timeout == TIMEOUTS


async def test_tls_that_does_not_come_was_never_sent(twilio: ScriptedTwilio) -> None:
    """A server that takes the connection and says nothing gets no request."""
    origin = twilio.origin.replace("http:", "https:")
    async with open_http(origin, CONNECT_ONLY) as http:
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await AioClient(http, origin).request("POST", TWILIO + PATH, data=FORM)

    assert twilio.asked == []


async def test_a_connection_that_is_not_taken_was_never_sent() -> None:
    """A host too busy to take connections is not waited for longer than `connect`."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        async with open_http(f"http://127.0.0.1:{port}", CONNECT_ONLY) as http:
            with pytest.raises(NEVER_SENT):
                await AioClient(http, f"http://127.0.0.1:{port}").request("POST", TWILIO + PATH, data=FORM)
        for waiting in queue:
            waiting.close()


async def test_a_connection_that_does_not_get_free_was_never_sent(
    twilio: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all connections taken, a request waits for one no longer than `connect`."""
    monkeypatch.setattr(way_out, "CONNECTIONS", 1)
    await twilio.will(SILENT, answer(200))
    async with open_http(twilio.origin, aiohttp.ClientTimeout(connect=0.5)) as http:
        client = AioClient(http, twilio.origin)
        first = asyncio.create_task(client.request("POST", TWILIO + PATH, data={"A": "first"}))
        await twilio.arrived.wait()
        with pytest.raises(aiohttp.ConnectionTimeoutError):
            await client.request("POST", TWILIO + PATH, data={"A": "second"})
        first.cancel()
        await client.request("POST", TWILIO + PATH, data={"A": "third"})

    assert [asked.form for asked in twilio.asked] == [{"A": "first"}, {"A": "third"}]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_what_cannot_be_written_ends_too() -> None:
    """aiohttp has no time-out for writing: the whole's bounds it, and part of the request did go out."""
    never = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await never.wait()
        writer.transport.abort()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    whole = aiohttp.ClientTimeout(total=0.2, connect=TIMEOUTS.connect, sock_read=TIMEOUTS.sock_read)
    async with server, open_http(origin, whole) as http, asyncio.timeout(30):  # fail, not hang
        with pytest.raises(TimeoutError) as caught:
            await AioClient(http, origin).request("POST", TWILIO + PATH, data={"A": "x" * 16_000_000})
        never.set()

    assert not isinstance(caught.value, (*NEVER_SENT, aiohttp.SocketTimeoutError))


@pytest.mark.parametrize(("kept", "connections"), [(outbound.KEPT_SECONDS, 1), (0.0, 2)])
async def test_a_connection_is_used_again_while_it_is_fresh(
    kept: float, connections: int, twilio: ScriptedTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What rested longer than `KEPT_SECONDS` is not trusted with a request."""
    monkeypatch.setattr(outbound, "KEPT_SECONDS", kept)
    await twilio.will(answer(200), answer(200))
    async with open_http(twilio.origin) as http:
        for _ in range(2):
            await AioClient(http, twilio.origin).request("POST", TWILIO + PATH, data=FORM)

    assert (connections, 2) == (twilio.connections, len(twilio.asked))


@pytest.mark.parametrize("status", [400, 401, 404, 429])
async def test_a_clients_error_is_the_sdks_to_read(status: int, twilio: ScriptedTwilio) -> None:
    """4xx answers go back whole: the SDK knows the shapes of Twilio's error bodies."""
    await twilio.will(answer(status, {"code": 20404}, Retry_After="1"))
    async with open_http(twilio.origin) as http:
        got = await AioClient(http, twilio.origin).request("GET", TWILIO + PATH)

    assert (status, '{"code": 20404}', "1") == (got.status_code, got.text, got.headers["retry-after"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 500, 502, 503])
async def test_no_body_vouches_for_a_status(status: int, twilio: ScriptedTwilio) -> None:
    """3xx and 5xx answers are raised by their true status, and no redirect is followed, not even when asked to."""
    lie = {"type": "about:blank", "title": "no", "status": 400, "code": 64003}
    await twilio.will(answer(status, lie, location="/elsewhere.json"), answer(200))
    async with open_http(twilio.origin) as http:
        with pytest.raises(way_out.BadAnswer, match=f"^HTTP {status}$"):
            await AioClient(http, twilio.origin).request("POST", TWILIO + PATH, data=FORM, allow_redirects=True)

    assert len(twilio.asked) == 1


async def test_a_packed_answer_is_unpacked(twilio: ScriptedTwilio) -> None:
    """gzip is offered and understood."""
    await twilio.will(answer(200, gzip.compress(b'{"sid": "\xc3\xa9"}'), Content_Encoding="gzip"))
    async with open_http(twilio.origin) as http:
        got = await AioClient(http, twilio.origin).request("GET", TWILIO + PATH)

    assert got.text == '{"sid": "é"}'
    assert "gzip" in twilio.asked[0].headers["accept-encoding"]


async def test_keeps_no_cookie(twilio: ScriptedTwilio) -> None:
    """One call's answer puts nothing into another call's request."""
    origin = f"http://localhost:{twilio.port}"
    await twilio.will(answer(200, Set_Cookie="a=b"), answer(200))
    async with open_http(origin) as http:
        for _ in range(2):
            await AioClient(http, origin).request("GET", TWILIO + PATH)

    assert ["cookie" in asked.headers for asked in twilio.asked] == [False, False]


async def test_logs_nothing(twilio: ScriptedTwilio, caplog: pytest.LogCaptureFixture) -> None:
    """Even with everything logged at DEBUG, no URL, SID or body of a request is."""
    caplog.set_level(logging.DEBUG)
    await twilio.will(answer(201), answer(500), Answer(then="reset"))
    async with open_http(twilio.origin) as http:
        for _ in range(3):
            with contextlib.suppress(aiohttp.ClientError):
                await AioClient(http, twilio.origin).request("POST", TWILIO + PATH, data=FORM)

    assert len(twilio.asked) == 3
    assert [record for record in caplog.records if record.name != "asyncio"] == []
    assert "AC01" not in caplog.text
