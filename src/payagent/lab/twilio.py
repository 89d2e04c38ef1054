"""The stand-in Twilio: its REST host, the calls it places, and a ledger of what really happened.

Serve it as an ASGI app (that is `https://api.twilio.com` for the app under test), tell it where the app is with
`point_at`, and `place_call`. Whatever Twilio would reject or its documents forbid is written to `violations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope, Send

from payagent.lab.account import Charge, LabAccount, LabSettings, RestRequest
from payagent.lab.circumstances import Circumstances
from payagent.lab.dialect import Dialect
from payagent.lab.faults import Faults
from payagent.lab.line import LabCall, Routes
from payagent.lab.observer import Observer, Unwatched
from payagent.lab.paysession import PaySession
from payagent.lab.rest import RestApi
from payagent.lab.sids import Sids
from payagent.lab.signing import SignedPosts
from payagent.lab.till import Till


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


class StandInTwilio:
    """Twilio for one app.

    Args:
        account: the credentials the app is configured with.
        faults: what goes wrong on purpose; dialect: how Twilio words what is uncertain.
        scale: multiplies every wait (pay time-outs, the processor, ringing); seconds are Twilio's.
        routes: what becomes of hand-offs; may be changed between calls.
        seed: for SIDs and confirmation codes.
        outages: the app may be killed and come back: what it then misses is lost and counted, and no violation.
    """

    def __init__(
        self,
        account: LabAccount | None = None,
        *,
        faults: Faults | None = None,
        dialect: Dialect | None = None,
        scale: float = 1.0,
        routes: Routes | None = None,
        seed: int = 1,
        observer: Observer | None = None,
        now: Callable[[], datetime] = utc_now,
        outages: bool = False,
    ) -> None:
        self.account = account or LabAccount()
        self.routes = routes or Routes()
        self.violations: list[str] = []
        self.calls: list[LabCall] = []
        self._usual = Circumstances(faults or Faults(), dialect or Dialect(), observer or Unwatched())
        self._settings = LabSettings(self.account, scale, now, self._usual, {}, self.violations.append, outages=outages)
        self._sids = Sids(seed)
        self._posts = SignedPosts(self.account.auth_token, self._settings.report, outages=outages, seed=seed)
        self._till = Till(self._settings, self._posts, self._sids)
        self._rest = RestApi(self._settings, self._till, self._in_progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The REST host, as an ASGI app."""
        await self._rest.app(scope, receive, send)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for call in self.calls:
            await call.abandon()
        await self._till.aclose()
        await self._posts.aclose()

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose in calls without circumstances of their own; it may be exchanged at any time."""
        return self._usual.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._usual.faults = faults

    @property
    def charges(self) -> list[Charge]:
        """The cards that were charged, in order."""
        return self._till.charges

    @property
    def sessions(self) -> list[PaySession]:
        """The payment sessions, in order; `end` is "" while one is open."""
        return self._till.sessions

    @property
    def requests(self) -> list[RestRequest]:
        """The REST requests, in order."""
        return self._rest.requests

    @property
    def app_url(self) -> str:
        """Where the app is."""
        return self._posts.app_url

    def point_at(self, app_url: str, public_url: str = "") -> None:
        """Where the app is: `app_url` on loopback, `public_url` (default the same) as it writes its own URLs."""
        self._posts.app_url = app_url
        self._posts.public_url = public_url or app_url

    @property
    def injected(self) -> Counter[str]:
        """How often each fault has bitten so far, by its name."""
        each = {id(here): here for here in (self._usual, *self._settings.calls.values())}
        return sum((here.injected for here in each.values()), Counter(self._posts.lost))

    async def place_call(self, caller: str = "+15550100", circumstances: Circumstances | None = None) -> LabCall:
        """Ring at the app from number `caller`; without circumstances of its own the call shares the usual ones."""
        here = circumstances or self._usual
        call = LabCall(self._settings, self._posts, self._till, self._sids, self.routes, caller, here)
        self.calls.append(call)
        await call.begin()
        return call

    async def settle(self) -> None:
        """Wait until no callback and no charge is under way."""
        await self._till.settle()

    def _in_progress(self, call_sid: str) -> bool | None:
        return next((call.in_progress for call in self.calls if call.sid == call_sid), None)
