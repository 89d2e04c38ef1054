"""What the routes share, and how a signed form is taken in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from payagent.errors import BadCallback, PayagentError
from payagent.journal.protocol import Journal
from payagent.metrics import Metrics
from payagent.phone import tokens
from payagent.phone.signatures import Signatures
from payagent.phone.twiml import RelaySettings
from payagent.speech import Sentences
from payagent.switchboard import Switchboard
from payagent.web.gate import Gate


class TooLarge(PayagentError):
    """A webhook body longer than is read."""


@dataclass(slots=True)
class Drain:
    """Whether this process takes its leave: it serves whoever comes, and says at `/readyz` not to send anybody."""

    begun: bool = False


class TooSlow(PayagentError):
    """A webhook body that does not come to its end."""


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """The opened things and the settings that routes need. URLs are the public ones that Twilio signs."""

    switchboard: Switchboard
    journal: Journal
    signatures: Signatures
    sentences: Sentences
    relay: RelaySettings
    locales: dict[str, str]
    public_url: str
    relay_url: str
    action_url: str
    greeting: str
    workflow_sid: str | None
    transfer_number: str | None
    dial_seconds: int
    key: bytes
    language_keys: dict[str, str]
    max_body_bytes: int
    gate: Gate
    metrics: Metrics
    metrics_token: str
    drain: Drain

    def token(self, call_sid: str) -> str:
        """A fresh one-call token for the call's next relay."""
        return tokens.issue(self.key, call_sid, secrets.token_urlsafe(16))

    def token_fits(self, call_sid: str, token: str) -> bool:
        """Whether the token was issued for this call."""
        return tokens.check(self.key, call_sid, token)

    def caller_id(self, number: str) -> str:
        """What stands for a caller's number on the record: the same for the same number, and not to be turned back."""
        if not any(character.isdigit() for character in number):
            return ""
        return hmac.new(self.key, b"caller " + number.encode(), hashlib.sha256).hexdigest()[:24]


async def signed_form(request: Request) -> dict[str, str]:
    """The form of a webhook that Twilio signed; blank values are kept, since they are signed too.

    Raises:
        TooLarge: the body is longer than is read.
        TooSlow: it takes longer than is waited for.
        BadSignature: Twilio did not sign it.
        BadCallback: it is no form.
    """
    desk: FrontDesk = request.app.state.desk
    try:
        async with asyncio.timeout(desk.gate.limits.body_seconds):
            body = await _body(request, desk.max_body_bytes)
    except TimeoutError:
        raise TooSlow("the body does not come to its end") from None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=500)
    except ValueError as error:
        raise BadCallback("the body is not a form") from error
    url = desk.public_url + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    desk.signatures.check_form(url, pairs, request.headers.get("x-twilio-signature"))
    return dict(pairs)


async def _body(request: Request, longest: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise TooLarge("the body is longer than is read")
    return bytes(body)
