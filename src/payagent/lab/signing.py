"""Asks the app as Twilio does: form posts signed with the auth token (fact sheet 1.2).

The literal URL the app gave is what is signed; when its host is the app's public one, the request itself
goes to the app's loopback address. Answers Twilio would not take are violations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urljoin, urlsplit

import httpx
from twilio.request_validator import RequestValidator

Report = Callable[[str], None]

LONGEST_ANSWER_SECONDS = 15.0  # fact sheet 1.1: connect and answer together


class SignedPosts:
    """Signed requests to one app; `report` takes violations."""

    def __init__(self, auth_token: str, report: Report) -> None:
        self._validator = RequestValidator(auth_token)
        self._report = report
        self._client = httpx.AsyncClient(timeout=LONGEST_ANSWER_SECONDS, trust_env=False)
        self.app_url = ""
        self.public_url = ""

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

    async def voice(self, url: str, form: Mapping[str, str]) -> str:
        """The TwiML answered, or "" after a violation: HTTP 200 and an XML type are needed (1.1)."""
        answer = await self._post(url, form)
        if answer is None:
            return ""
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if answer.status_code != 200 or kind not in ("text/xml", "application/xml"):
            self._report(f"{urlsplit(url).path} answered {answer.status_code} {kind or 'without a type'}, not TwiML")
            return ""
        return answer.text

    async def status(self, url: str, form: Mapping[str, str]) -> None:
        """Deliver a status callback; anything but 2xx is a violation."""
        answer = await self._post(url, form)
        if answer is not None and not answer.is_success:
            self._report(f"a status callback was answered {answer.status_code}")

    async def _post(self, url: str, form: Mapping[str, str]) -> httpx.Response | None:
        headers = {"X-Twilio-Signature": self.signature(url, form), "User-Agent": "TwilioProxy/1.1"}
        try:
            return await self._client.post(self.reach(url), data=dict(form), headers=headers)
        except httpx.HTTPError as error:
            self._report(f"{urlsplit(url).path} could not be asked: {type(error).__name__}")
            return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
