"""The twilio SDK's way out: its HTTP client interface over aiohttp, to Twilio's REST host or a stand-in for it.

Rules:

* Every request has time-outs (the SDK's own clients have none).
* Nothing is logged: URLs carry SIDs, bodies carry amounts. No error quotes a header of ours.
* A request is sent once. aiohttp repeats only what HTTP calls idempotent (RFC 9110, 9.2.2), and every order of a
  payment is a POST; no redirect is followed, and no cookie kept.
* An answer that is neither success nor a client's error is raised here as `BadAnswer`. The SDK would take the status
  of an RFC 9457 error from its body, and no body is to decide whether a charge may be sent again.
"""

from __future__ import annotations

import os
import ssl
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
from twilio.http.response import Response
from yarl import URL

from payagent.errors import SettingsError

TWILIO = "https://api.twilio.com"

TIMEOUTS = aiohttp.ClientTimeout(total=8.0, connect=3.0, sock_read=5.0)
"""Seconds: 3 until there is a connection, be it waiting for a free one or for name, TCP and TLS of a new one; 5 for
each wait for bytes of the answer; 8 in all, which bounds the writing (aiohttp has no time-out for that alone).

`connect` alone is what says "never sent", so it is shorter than `total` and no finer one (`sock_connect`) stands by it.
"""

CONNECTIONS = 100
KEPT_SECONDS = 5.0
"""A connection that rested longer may be gone at the other end."""

FORM = "application/x-www-form-urlencoded"

NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What aiohttp raises when no connection came to be: no byte of the request went out.

Only its connector raises these: no name, no TCP, no TLS, no proxy, or `connect` ran out, a proxy's CONNECT included.
Not among them, since the request may have gone out: their parents (`ClientOSError`, `ServerTimeoutError`), with
which a connection in use breaks, a kept one that the other end has just closed too; and a proxy that says no.
"""


class BadAnswer(aiohttp.ClientError):
    """An answer that must not be used: neither success nor a client's error, or not HTTP. Tells the status alone."""

    @classmethod
    def of(cls, status: int) -> Self:
        """The error for this HTTP status (a made-up 400 for what is not HTTP)."""
        return cls(f"HTTP {status}")


def open_http(base_url: str = TWILIO, timeouts: aiohttp.ClientTimeout = TIMEOUTS) -> aiohttp.ClientSession:
    """The connections to Twilio, opened inside the running loop; the caller closes them.

    aiohttp's own look at the environment stays off: `.netrc` is no place for Twilio's credentials, and it would ask for
    the proxies on every request, in a thread.
    """
    tls = trusted(trust_env=base_url == TWILIO) if base_url.startswith("https:") else True
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEPT_SECONDS, ssl=tls)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeouts, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


class AioClient:
    """What the SDK calls to send a request (the shape of `twilio.http.AsyncHttpClient`, whose logging it leaves out).

    The scheme, host and port of every URL become those of `base_url`, an origin without path. A stand-in is reached
    past any proxy of the environment.

    Raises:
        SettingsError: the environment names a proxy that cannot be used.
    """

    is_async = True

    def __init__(self, http: aiohttp.ClientSession, base_url: str = TWILIO) -> None:
        self._http = http
        self._origin = URL(base_url)
        self._proxy, self._proxy_headers = _proxy_to(self._origin) if base_url == TWILIO else (None, None)

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request; `timeout` and `allow_redirects` are not looked at (see the module's rules).

        Raises:
            aiohttp.ClientError: no answer, or one that must not be used; `NEVER_SENT` tells those not sent.
            OSError: no answer (a time-out among them).
        """
        sent = dict(headers or {})
        if auth:
            sent["Authorization"] = aiohttp.encode_basic_auth(*auth)
        if data is not None:
            sent.setdefault("Content-Type", FORM)
        try:
            async with self._http.request(
                method,
                self._origin.join(URL(uri).relative()),
                params=params,
                data=None if data is None else urlencode(data, doseq=True).encode(),
                headers=sent,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            ) as answer:
                text = (await answer.read()).decode(errors="replace")  # JSON is UTF-8 (RFC 8259, 8.1)
        except aiohttp.ClientResponseError as error:  # its repr quotes what we sent, credentials too
            raise BadAnswer.of(error.status) from None
        if not (200 <= answer.status < 300 or 400 <= answer.status < 500):
            raise BadAnswer.of(answer.status)
        return Response(answer.status, text, answer.headers)


def trusted(*, trust_env: bool) -> ssl.SSLContext:
    """Whose certificates count: those the environment names, else certifi's. Chain and host name are checked."""
    named = os.environ if trust_env else {}
    file, directory = named.get("SSL_CERT_FILE"), named.get("SSL_CERT_DIR")
    if not file and not directory:
        file = certifi.where()
    return ssl.create_default_context(cafile=file, capath=None if file else directory)


def _proxy_to(origin: URL) -> tuple[URL | None, dict[str, str] | None]:
    """The environment's proxy on the way there, and what it is to be told; its password stays out of the URL."""
    named = getproxies()
    found = named.get(origin.scheme) or named.get("all")
    if not found or proxy_bypass(origin.host or ""):
        return None, None
    proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in ("http", "https"):
        raise SettingsError(
            [f"{origin.scheme.upper()}_PROXY or ALL_PROXY: the way to Twilio is by an http:// or https:// proxy only"]
        )
    told = {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")} if proxy.user else None
    return proxy.with_user(None), told
