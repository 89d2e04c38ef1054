"""The twilio SDK's way out: its HTTP client interface over httpx, to Twilio's REST host or a stand-in for it.

Rules:

* Every request has time-outs (the SDK's own clients have none).
* Nothing is logged: URLs carry SIDs, bodies carry amounts. httpx's own lines are silenced here.
* An answer that is neither success nor a client's error is raised here as `httpx.HTTPStatusError`. The SDK would take
  the status of an RFC 9457 error from its body, and no body is to decide whether a charge may be sent again.
"""

from __future__ import annotations

import logging
from typing import Any

import httpx
from twilio.http.response import Response

TWILIO = "https://api.twilio.com"

TIMEOUTS = httpx.Timeout(5.0, connect=3.0, pool=3.0)
"""Seconds: 5 to read or write, 3 to connect or to get a connection."""


def open_http(base_url: str = TWILIO, timeouts: httpx.Timeout = TIMEOUTS) -> httpx.AsyncClient:
    """The connections to Twilio; the caller closes them. A stand-in is reached past any proxy of the environment."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(timeout=timeouts, trust_env=base_url == TWILIO)


class HttpxClient:
    """What the SDK calls to send a request (the shape of `twilio.http.AsyncHttpClient`, whose logging it leaves out).

    The scheme, host and port of every URL become those of `base_url`, an origin without path.
    """

    is_async = True

    def __init__(self, http: httpx.AsyncClient, base_url: str = TWILIO) -> None:
        self._http = http
        origin = httpx.URL(base_url)
        self._origin = {"scheme": origin.scheme, "host": origin.host, "port": origin.port}

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
        """Send one request; `timeout` is not looked at, the connections have their own.

        Raises:
            httpx.HTTPError: no answer, or a 3xx or 5xx one.
        """
        url = httpx.URL(uri).copy_with(**self._origin)
        answer = await self._http.request(
            method, url, params=params, data=data, headers=headers, auth=auth, follow_redirects=allow_redirects
        )
        if not answer.is_client_error:
            answer.raise_for_status()
        return Response(answer.status_code, answer.text, answer.headers)
