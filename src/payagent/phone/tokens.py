"""The relay's one-call token: what binds a socket to the call whose TwiML named it.

Twilio's signature proves who opened a socket, not for which call. The token travels as a `<Parameter>` of the TwiML,
comes back in the relay's `setup` frame, and is good for that call's SID only.
"""

from __future__ import annotations

import hmac

PURPOSE = b"payagent relay token"
"""Signed along, so that no other use of the same key yields a token."""


def issue(key: bytes, call_sid: str, nonce: str) -> str:
    """A token `nonce.mac` for this call; `nonce` is the caller's, fresh and random.

    Raises:
        ValueError: the key is empty, so that anybody could issue tokens.
    """
    if not key:
        raise ValueError("a relay token needs a key")
    return f"{nonce}.{_mac(key, call_sid, nonce)}"


def check(key: bytes, call_sid: str, token: str) -> bool:
    """Whether `token` was issued for this call with this key; never true for an empty key."""
    nonce, _, mac = token.rpartition(".")
    return bool(key) and hmac.compare_digest(_mac(key, call_sid, nonce).encode(), mac.encode(errors="replace"))


def _mac(key: bytes, call_sid: str, nonce: str) -> str:
    parts = b"\0".join((PURPOSE, call_sid.encode(errors="replace"), nonce.encode(errors="replace")))
    return hmac.new(key, parts, "sha256").hexdigest()
