"""Asks the app as Twilio does: form posts signed with the auth token (fact sheet 1.2).

The literal URL the app gave is what is signed; when its host is the app's public one, the request itself
goes to the app's loopback address. Answers Twilio would not take are violations.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

import httpx
from twilio.request_validator import RequestValidator

Report = Callable[..., None]
"""Takes a violation in words and, where one is known, its call's SID."""

LONGEST_ANSWER_SECONDS = 15.0  # fact sheet 1.1: connect and answer together
CONNECT_TRY_SECONDS = 5.0
"""A voice webhook that finds nobody is tried a second time within this long, unscaled; a status callback at once."""

HELD = 0.5
"""So many voice webhooks of an app that is away meet a balancer in front of it, which holds them while Twilio waits."""
LOOK_SECONDS = 0.1


class SignedPosts:
    """Signed requests to one app; `report` takes violations.

    With `outages` the app may be gone for a while: what then cannot be delivered is lost, and counted.
    """

    def __init__(self, auth_token: str, report: Report, *, outages: bool = False, seed: int = 1) -> None:
        self._validator = RequestValidator(auth_token)
        self._report = report
        self._outages = outages
        self._dice = random.Random(seed)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._client = httpx.AsyncClient(timeout=LONGEST_ANSWER_SECONDS, trust_env=False, limits=limits)
        self.app_url = ""
        self.public_url = ""
        self.lost: Counter[str] = Counter()

    def signature(self, url: str, form: Mapping[str, str] | None = None) -> str:
        """X-Twilio-Signature of a form post, or of a socket's handshake without a form."""
        return str(self._validator.compute_signature(url, dict(form or {})))

    def absolute(self, url: str) -> str:
        """A TwiML URL, which may be relative, as Twilio would ask for it."""
        return urljoin(self.public_url, url)

    def reach(self, url: str) -> str:
        """Where `url` is really served: the app's public host is its loopback address here."""
        parts = urlsplit(url)
        if parts.netloc != urlsplit(self.public_url).netloc:
            return url
        scheme = "ws" if parts.scheme.startswith("ws") else "http"
        return parts._replace(scheme=scheme, netloc=urlsplit(self.app_url).netloc).geturl()

    async def voice(self, url: str, form: Mapping[str, str]) -> str | None:
        """The TwiML answered, or None after a violation: HTTP 200 and an XML type are needed (1.1)."""
        answer = await self._post(url, form, self._dice.uniform(0, CONNECT_TRY_SECONDS))
        if answer is None:
            return None
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200 or kind not in ("text/xml", "application/xml"):
            what = f"{urlsplit(url).path} answered {answer.status_code} {kind or 'without a type'}, not TwiML"
            self._report(what, form.get("CallSid", ""))
            return None
        return answer.text

    async def status(self, url: str, form: Mapping[str, str]) -> None:
        """Deliver a status callback; anything but 2xx is a violation."""
        answer = await self._post(url, form, 0)
        if answer is not None and not answer.is_success:
            self._report(f"a status callback was answered {answer.status_code}", form.get("CallSid", ""))

    async def _post(self, url: str, form: Mapping[str, str], pause: float) -> httpx.Response | None:
        """The answer, or None. Only a connect that failed is tried again, once, after `pause` seconds (1.1)."""
        try:
            try:
                return await self._send(url, form)
            except httpx.ConnectError:
                if not self._outages:
                    raise
                await (self._held() if pause and self._dice.random() < HELD else asyncio.sleep(pause))
                return await self._send(url, form)
        except httpx.HTTPError as error:
            self._undelivered(url, form, error)
            return None

    async def _send(self, url: str, form: Mapping[str, str]) -> httpx.Response:
        headers = {"X-Twilio-Signature": self.signature(url, form), "User-Agent": "TwilioProxy/1.1"}
        return await self._client.post(self.reach(url), data=dict(form), headers=headers)

    async def _held(self) -> None:
        """Wait until the app listens again, but no longer than Twilio does."""
        for _ in range(int(LONGEST_ANSWER_SECONDS / LOOK_SECONDS)):
            parts = urlsplit(self.app_url)
            try:
                _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            except OSError:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                writer.close()
                return

    def _undelivered(self, url: str, form: Mapping[str, str], error: httpx.HTTPError) -> None:
        path = urlsplit(url).path
        if self._outages:
            self.lost[f"{path} not delivered"] += 1
        else:
            self._report(f"{path} could not be asked: {type(error).__name__}", form.get("CallSid", ""))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
