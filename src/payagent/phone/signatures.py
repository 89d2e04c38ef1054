"""Checks that a request was signed by Twilio, and signs as Twilio does (for `doctor` and the lab).

Rules (Twilio: "Webhooks security"; fact sheet 1.2 and 1.3):

* The URL is the configured public one as Twilio requested it; for a socket the `wss://` literal of the TwiML.
* Empty values count, spaces count, names are sorted by byte, equal values of one name count once.
* Fail closed: no header, no token, a body or URL that cannot be signed — all are a bad signature.
* Several tokens may be given, for the time of a rotation. An API key's secret never signs.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator, add_port, remove_port

from payagent.errors import BadSignature

Form = Sequence[tuple[str, str]] | Mapping[str, str] | ImmutableMultiDict[str, str]
"""A form's pairs, blank values kept; a mapping where no name comes twice."""


class Signatures:
    """Checks requests against the account's auth tokens; blank tokens are not tokens."""

    def __init__(self, auth_tokens: Sequence[str]) -> None:
        self._validators = [RequestValidator(token) for token in auth_tokens if token.strip()]

    def check_form(self, url: str, form: Form, signature: str | None) -> None:
        """Check a form POST (or, with an empty form, a GET).

        Raises:
            BadSignature: Twilio did not sign this.
        """
        try:
            fits = any(_equal(good, signature) for good in self._good(url, form))
        except (TypeError, ValueError):
            fits = False  # an uploaded file, half a surrogate pair, a port that is no number: nothing Twilio signs
        if not fits:
            raise BadSignature("the request does not carry a valid Twilio signature")

    def check_json(self, url: str, raw_body: bytes, signature: str | None) -> None:
        """Check a JSON POST: the signature covers the URL, whose one `bodySHA256` covers the raw body.

        Raises:
            BadSignature: Twilio did not sign this.
        """
        self.check_form(url, (), signature)
        if parse_qs(urlsplit(url).query).get("bodySHA256") != [sha256(raw_body).hexdigest()]:
            raise BadSignature("the body is not the one that was signed")

    def check_socket(self, url: str, signature: str | None) -> None:
        """Check a relay's handshake; `url` is the literal of the TwiML's `url` attribute.

        Raises:
            BadSignature: Twilio did not sign this.
        """
        self.check_form(url, (), signature)

    def sign(self, url: str, form: Form = ()) -> str:
        """The `X-Twilio-Signature` Twilio would send with this request, by the first token.

        Raises:
            BadSignature: there is no auth token to sign with.
        """
        if not self._validators:
            raise BadSignature("there is no auth token to sign with")
        return str(self._validators[0].compute_signature(url, _values(form)))

    def _good(self, url: str, form: Form) -> Iterator[str]:
        """Every signature that is right for this request: each token, each spelling of the URL, the likeliest first."""
        values = _values(form)
        for spelling in _spellings(url):
            for validator in self._validators:
                yield validator.compute_signature(spelling, values)


class _Values(dict[str, list[str]]):
    """The values of each name, in the shape that the SDK asks for first."""

    getall = dict.__getitem__


def _values(form: Form) -> _Values:
    if isinstance(form, ImmutableMultiDict):
        form = form.multi_items()
    values = _Values()
    for name, value in form.items() if isinstance(form, Mapping) else form:
        values.setdefault(name, []).append(value)
    return values


def _spellings(url: str) -> Iterator[str]:
    """The URL as it stands, without its port, and with the default one: Twilio is not consistent (as is its SDK).

    The SDK takes 80 for the default port of every scheme but `https`; `wss` gets its true one as well.
    """
    yield url
    parts = urlsplit(url)
    others = {remove_port(parts), add_port(parts)}
    if parts.scheme == "wss" and not parts.port:
        others.add(parts._replace(netloc=f"{parts.netloc}:443").geturl())
    yield from others - {url}


def _equal(good: str, signature: str | None) -> bool:
    """Compared in constant time, which the SDK's own comparison is not."""
    return hmac.compare_digest(good.encode(), (signature or "").encode(errors="replace"))
