"""Hands each durable order to the hand that can do it, and says what came of it.

A hand never raises into the loop: what goes wrong comes back as an event, or leaves the order open for a later try.
Orders are claimed before they are sent and done when their event is on the record; one that was claimed and never done
is repeated under the same key, except `CompletePay`: whether that went out can no longer be known, so it is not sent
again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter, time_ns
from typing import assert_never

import structlog

from payagent.accounts.protocol import Accounts, UnreadableDate
from payagent.errors import AccountsFailed, JournalFailed, TwilioRefused, TwilioUnanswered
from payagent.flow import effects as do
from payagent.flow import events as ev
from payagent.journal.protocol import Claim, Journal
from payagent.metrics import Metrics
from payagent.phone.payments import NeverSent, Payments
from payagent.traces import NO_TRACES, Traces

_log = structlog.get_logger("payagent.performer")

CLAIM = timedelta(seconds=30)
"""Longer than any order takes with all its retries; after it another worker may take the order."""

HTTP_NOT_LOOKED_AT = frozenset({0, 401, 403, 429})
REQUESTS: dict[type[do.Order], str] = {
    do.OpenPay: "open", do.Capture: "capture", do.CompletePay: "complete", do.CancelPay: "cancel"
}  # fmt: skip
NOT_SENT = TwilioRefused(0, 0, "not sent")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an order is for: the call, and what stands for the caller's number."""

    call_sid: str
    caller_id: str


class Performer:
    """Carries out durable orders with the accounts and Twilio's Payments."""

    def __init__(
        self,
        journal: Journal,
        accounts: Accounts,
        payments: Payments,
        worker: str,
        now: Callable[[], datetime],
        metrics: Metrics | None = None,
        claim: timedelta = CLAIM,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._claim = claim
        self._journal = journal
        self._accounts = accounts
        self._payments = payments
        self._worker = worker
        self._now = now
        self._metrics = metrics or Metrics()
        self._traces = traces

    async def perform(
        self, key: str, order: do.DurableOrder, caller: Caller, wanted: Callable[[], Awaitable[bool]]
    ) -> ev.OrderAnswer | None:
        """Do the order and give its answer; None when another worker has it, or it has to be tried again later.

        `wanted` is asked once the order is claimed: a charge or a capture that the call has moved on from is given up,
        unsent.
        """
        try:
            now = self._now()
            claim = await self._journal.claim(key, self._worker, now + self._claim, now)
            if claim is Claim.REFUSED:
                return None
            if claim is Claim.AGAIN and isinstance(order, do.CompletePay):
                return ev.CompleteUnanswered(key)
            if isinstance(order, do.Capture | do.CompletePay) and not await wanted():
                _log.warning("order given up", order=key, kind=type(order).__name__)
                return _refused(key, order, NOT_SENT)
            return await self._do(key, order, caller)
        except JournalFailed:
            _log.warning("order could not be claimed", order=key)
        except Exception:  # a fault of ours: whether it was done is open, as after a crash
            _log.critical("an order broke off", order=key, kind=type(order).__name__, exc_info=True)
        return None

    async def _do(self, key: str, order: do.DurableOrder, caller: Caller) -> ev.OrderAnswer | None:
        match order:
            case do.OpenPay() | do.Capture() | do.CompletePay() | do.CancelPay():
                began, traced = perf_counter(), time_ns()
                answer = await self._pay(key, order, caller.call_sid)
                self._metrics.rest(REQUESTS[type(order)], _came_to(answer), perf_counter() - began)
                self._traces.rest(caller.call_sid, REQUESTS[type(order)], _came_to(answer), traced)
                return answer
            case do.LookUpIdentity():
                return await self._look_up(key, order, caller)
            case _:
                return await self._book(key, order)

    # Accounts

    async def _look_up(self, key: str, order: do.LookUpIdentity, caller: Caller) -> ev.OrderAnswer:
        if order.full_name is None or order.date_of_birth is None:
            return ev.IdentityLookUpFailed(key)
        try:
            account = await self._accounts.find(
                order.full_name,
                order.date_of_birth,
                caller=caller.caller_id,
                call_sid=caller.call_sid,
                now=self._now(),
            )
        except (UnreadableDate, AccountsFailed):
            return ev.IdentityLookUpFailed(key)
        return ev.IdentityMatched(key, account) if account else ev.IdentityNotMatched(key)

    async def _book(
        self, key: str, order: do.ReadBills | do.HoldBill | do.CreditBill | do.ReleaseBill
    ) -> ev.OrderAnswer | None:
        try:
            match order:
                case do.ReadBills(account=account):
                    return ev.BillsRead(key, await self._accounts.bills(account))
                case do.HoldBill(bill=bill, payment=payment, account=account):
                    reason = await self._accounts.hold(bill, payment, account, self._now())
                    return ev.BillNotHeld(key, reason) if reason else ev.BillHeld(key)
                case do.CreditBill():
                    await self._accounts.credit(
                        order.bill, order.payment, order.amount, order.confirmation, self._now()
                    )
                    return ev.BillCredited(key)
                case do.ReleaseBill():
                    await self._accounts.release(order.bill, order.payment, order.declined, self._now())
                    return ev.BillReleased(key)
                case _:
                    assert_never(order)
        except AccountsFailed as error:
            return self._book_failed(key, order, error)

    def _book_failed(self, key: str, order: do.DurableOrder, error: AccountsFailed) -> ev.OrderAnswer | None:
        """What a caller waits for fails now; what only the book needs is tried again when the claim is over."""
        _log.warning("the book of accounts failed", order=key, kind=type(order).__name__, error=str(error))
        match order:
            case do.ReadBills():
                return ev.BillsUnavailable(key)
            case do.HoldBill():
                return ev.BillNotHeld(key, "unavailable")
            case _:
                return None

    # Twilio's Payments

    async def _pay(
        self, key: str, order: do.OpenPay | do.Capture | do.CompletePay | do.CancelPay, call_sid: str
    ) -> ev.OrderAnswer:
        try:
            match order:
                case do.OpenPay():
                    return ev.PayOpened(key, await self._payments.open(call_sid, key, order.amount, order.description))
                case do.Capture():
                    await self._payments.capture(call_sid, order.session, key, order.field)
                    return ev.CaptureAccepted(key, order.field)
                case do.CompletePay():
                    await self._payments.complete(call_sid, order.session, key)
                    return ev.CompleteAccepted(key)
                case do.CancelPay():
                    await self._payments.cancel(call_sid, order.session, key)
                    return ev.CancelAccepted(key)
                case _:
                    assert_never(order)
        except TwilioRefused as refused:
            _log.info("Twilio refused", order=key, kind=type(order).__name__, code=refused.code)
            return _refused(key, order, refused)
        except NeverSent:  # surely nothing was done, whatever the order was
            _log.warning("Twilio cannot be reached", order=key, kind=type(order).__name__)
            return _refused(key, order, NOT_SENT)
        except TwilioUnanswered as unanswered:
            _log.warning("Twilio did not answer", order=key, kind=type(order).__name__, error=str(unanswered))
            return _unanswered(key, order)


def _refused(
    key: str, order: do.OpenPay | do.Capture | do.CompletePay | do.CancelPay, refused: TwilioRefused
) -> ev.OrderAnswer:
    match order:
        case do.OpenPay():
            return ev.PayNotOpened(key, refused.code)
        case do.Capture(field=field):
            return ev.CaptureRefused(key, field, refused.code)
        case do.CompletePay():
            return ev.CompleteRefused(key, refused.code)
        case do.CancelPay() if refused.status in HTTP_NOT_LOOKED_AT:
            return ev.CancelUnanswered(key)
        case do.CancelPay():
            return ev.CancelAccepted(key, refused.code)
        case _:
            assert_never(order)


def _came_to(answer: ev.OrderAnswer) -> str:
    """What the counters call it."""
    match answer:
        case ev.PayOpenUnanswered() | ev.CompleteUnanswered() | ev.CancelUnanswered() | ev.CaptureRefused(code=0):
            return "unanswered"
        case ev.PayNotOpened() | ev.CaptureRefused() | ev.CompleteRefused():
            return "refused"
        case _:
            return "done"


def _unanswered(key: str, order: do.OpenPay | do.Capture | do.CompletePay | do.CancelPay) -> ev.OrderAnswer:
    match order:
        case do.OpenPay():
            return ev.PayOpenUnanswered(key)
        case do.Capture(field=field):
            return ev.CaptureRefused(key, field, 0)
        case do.CompletePay():
            return ev.CompleteUnanswered(key)
        case do.CancelPay():
            return ev.CancelUnanswered(key)
        case _:
            assert_never(order)
