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

from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from twilio.http.response import Response
from yarl import URL

from payagent.outbound import Proxy, open_session, proxy_to

TWILIO = "https://api.twilio.com"

TIMEOUTS = aiohttp.ClientTimeout(total=8.0, connect=3.0, sock_read=5.0)
"""Seconds: 3 until there is a connection, be it waiting for a free one or for name, TCP and TLS of a new one; 5 for
each wait for bytes of the answer; 8 in all, which bounds the writing (aiohttp has no time-out for that alone).

`connect` alone is what says "never sent", so it is shorter than `total` and no finer one (`sock_connect`) stands by it.
"""

CONNECTIONS = 100

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
    """The connections to Twilio, opened inside the running loop; the caller closes them."""
    return open_session(base_url, environment=base_url == TWILIO, timeouts=timeouts, connections=CONNECTIONS)


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
        self._proxy = proxy_to(self._origin) if base_url == TWILIO else Proxy()

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
                proxy=self._proxy.url,
                proxy_headers=self._proxy.headers,
            ) as answer:
                text = (await answer.read()).decode(errors="replace")  # JSON is UTF-8 (RFC 8259, 8.1)
        except aiohttp.ClientResponseError as error:  # its repr quotes what we sent, credentials too
            raise BadAnswer.of(error.status) from None
        if not (200 <= answer.status < 300 or 400 <= answer.status < 500):
            raise BadAnswer.of(answer.status)
        return Response(answer.status, text, answer.headers)
