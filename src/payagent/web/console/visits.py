"""Who a browser is to us: a signed cookie, and what proves that a form came from one of our own pages.

* A visit begins nameless, on the log-in page, and is begun anew with a new number when somebody logs in; nothing of
  the old one is taken over. Nothing is kept here, so any worker can read it.
* A name's visits are signed with its password's hash too: a changed password or a removed name ends them.
* It ends after `longest`, or after `idle` without a page being asked for; updates that a page fetches by itself do not
  count.
* A form carries a token made of the visit's number: another site cannot read it.
* A mark is a second cookie, kept over log-outs: this browser has logged in under that name before (see `guesses`).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

FRESH = timedelta(seconds=30)
"""A cookie is not written anew more often than that."""
MARK_DAYS = 180


@dataclass(frozen=True, slots=True)
class Visit:
    """`name` is "" until somebody has logged in; `began` and `seen` are seconds since 1970."""

    number: str
    began: int
    seen: int
    name: str = ""


class Visits:
    """Reads and writes the cookies. `passwords` are the hashes by name; `secure` says that pages come by https."""

    def __init__(
        self, key: bytes, passwords: Mapping[str, str], *, secure: bool, longest: timedelta, idle: timedelta
    ) -> None:
        self._key = key
        self._passwords = passwords
        self._secure = secure
        self._longest = longest
        self._idle = idle
        # `__Host-`: the browser takes it from this very host only, by https (RFC 6265bis, 4.1.3.2).
        self.cookie = "__Host-payagent-console" if secure else "payagent-console"
        self.mark_cookie = "__Host-payagent-known" if secure else "payagent-known"

    def begin(self, now: datetime, name: str = "") -> Visit:
        """A new visit."""
        return Visit(secrets.token_urlsafe(16), _seconds(now), _seconds(now), name)

    def read(self, request: Request, now: datetime) -> Visit | None:
        """The visit that the request's cookie shows; None for none, a forged one, or one that is over."""
        try:
            visit = msgspec.convert(self._opened("visit", request.cookies.get(self.cookie, "")), Visit)
        except (ValueError, msgspec.MsgspecError):
            return None
        began, seen = _time(visit.began), _time(visit.seen)
        over = now >= began + self._longest or now >= seen + self._idle
        return None if over else visit

    def write(self, answer: Response, visit: Visit, now: datetime, *, anew: bool = False) -> None:
        """Have the browser keep the visit; one that was written a moment ago is left as it is unless it is `anew`."""
        if not anew and now < _time(visit.seen) + FRESH:
            return
        kept = self._sealed("visit", replace(visit, seen=_seconds(now)), self._passwords.get(visit.name, ""))
        self._set(answer, self.cookie, kept, None)

    def end(self, answer: Response) -> None:
        """Have the browser forget the visit."""
        answer.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="strict")

    def token(self, visit: Visit) -> str:
        """What a form of this visit carries."""
        return hmac.digest(self._key, b"form " + visit.number.encode(), "sha256").hex()

    def token_fits(self, visit: Visit, token: str) -> bool:
        """Whether the form came from a page of this visit."""
        return hmac.compare_digest(self.token(visit).encode(), token.encode())

    def mark(self, request: Request, name: str) -> str:
        """The mark this browser has for that name, "" for none."""
        try:
            number, marked = msgspec.convert(self._opened("mark", request.cookies.get(self.mark_cookie, "")), list[str])
        except (ValueError, msgspec.MsgspecError):
            return ""
        return number if marked == name else ""

    def write_mark(self, answer: Response, name: str) -> None:
        """This browser has logged in under that name."""
        kept = self._sealed("mark", [secrets.token_urlsafe(16), name], "")
        self._set(answer, self.mark_cookie, kept, MARK_DAYS * 24 * 3600)

    def _set(self, answer: Response, name: str, value: str, max_age: int | None) -> None:
        answer.set_cookie(name, value, max_age, path="/", secure=self._secure, httponly=True, samesite="strict")

    def _sealed(self, kind: str, content: object, password: str) -> str:
        body = msgspec.json.encode(content).hex()
        return f"{body}.{self._mac(kind, body, password)}"

    def _opened(self, kind: str, cookie: str) -> object:
        """What was sealed.

        Raises:
            ValueError, msgspec.MsgspecError: it is not one of ours.
        """
        body, _, mac = cookie.partition(".")
        content = msgspec.json.decode(bytes.fromhex(body))
        name = content.get("name", "") if isinstance(content, dict) else ""
        password = self._passwords.get(name, "") if isinstance(name, str) else ""
        if not hmac.compare_digest(self._mac(kind, body, password).encode(), mac.encode()):
            raise ValueError("not sealed by us")
        return content

    def _mac(self, kind: str, body: str, password: str) -> str:
        return hmac.digest(self._key, f"{kind} {password} {body}".encode(), "sha256").hex()


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
