"""Twilio's Payments subresource: open a session, capture a field, complete, cancel (fact sheet section 4).

Rules:

* One idempotency key an order, the same on every try of it.
* Open, capture and cancel are tried again after a connect error, a time-out, a 429 or a 5xx; two more times at most,
  and all within `patience` seconds.
* **Complete is sent again only if it surely did not go out (connect error) or was turned away (429).** After anything
  else the card may be charged: `TwilioUnanswered`, at once.
* `TwilioRefused` means that nothing was done; a refused *open* after an unanswered one does not say that.
* The amount goes out as the decimal string that was agreed. A zero would make Twilio tokenize the card: never sent.
* Nothing is logged, and no error quotes a body of ours.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioRestException, TwilioServiceException

from payagent.errors import TwilioRefused, TwilioUnanswered
from payagent.flow.money import Money
from payagent.flow.states import FIELDS
from payagent.phone.http import NEVER_SENT, TWILIO, AioClient, BadAnswer

BAD_REQUEST, NOT_FOUND, TOO_MANY_REQUESTS = 400, 404, 429
INVALID_AMOUNT = 64003
LARGEST_AMOUNT = Decimal(1_000_000)
FIRST_PAUSE = 0.25
"""Seconds before the second try; twice as long before the third."""

UNREADABLE = (ValueError, TypeError, AttributeError)
"""What the SDK raises when the body of a 2xx answer is not the JSON object it expects."""

NO_CALL = "CA" + "0" * 32
"""A call that does not exist, to ask for with nobody's data in the answer."""


@dataclass(frozen=True, slots=True)
class PaymentOptions:
    """What every session is opened with; `timeout` is the seconds allowed between two keys (Twilio's own 5 is short).

    `postal_code` is said outright: left out, Twilio would ask for one.
    """

    valid_card_types: str = "visa mastercard amex"
    security_code: bool = True
    postal_code: bool = False
    min_postal_code_length: int | None = None
    timeout: int = 10


class NeverSent(TwilioUnanswered):
    """No connection: the request did not go out."""


class Payments:
    """One account's Payments, called through the twilio SDK over the connections `http`."""

    def __init__(
        self,
        *,
        account_sid: str,
        api_key: str,
        api_secret: str,
        connector: str,
        status_callback: str,
        http: aiohttp.ClientSession,
        base_url: str = TWILIO,
        options: PaymentOptions | None = None,
        retries: int = 2,
        patience: float = 8.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        from twilio.rest import Client  # slow to import: only who pays for it waits

        self._twilio = Client(api_key, api_secret, account_sid, http_client=AioClient(http, base_url))
        self._connector = connector
        self._status_callback = status_callback
        self._options = options or PaymentOptions()
        self._retries = retries
        self._patience = patience
        self._sleep = sleep

    async def open(self, call_sid: str, key: str, amount: Money, description: str) -> str:
        """Open a session for exactly this amount and return its SID (`PK…`).

        Raises:
            TwilioRefused: no session was opened (64003 without asking, for an amount that cannot be charged).
            TwilioUnanswered: a session may be open.
        """
        options, charge = self._options, exact(amount.amount)
        answer = await self._try(
            lambda: self._twilio.calls(call_sid).payments.create_async(
                idempotency_key=key,
                status_callback=self._status_callback,
                charge_amount=charge,
                currency=amount.currency,
                description=description,
                payment_connector=self._connector,
                payment_method="credit-card",
                input="dtmf",
                postal_code=options.postal_code,
                min_postal_code_length=options.min_postal_code_length,
                security_code=options.security_code,
                timeout=options.timeout,
                valid_card_types=options.valid_card_types,
            ),
            repeat=TwilioUnanswered,
            doubt_stays=True,
        )
        if not re.fullmatch("PK[0-9a-fA-F]{32}", str(answer.sid)):
            raise TwilioUnanswered("Twilio's answer to the create names no session")
        return str(answer.sid)

    async def capture(self, call_sid: str, session: str, key: str, field_name: str) -> None:
        """Have Twilio listen to the keypad for this field (a `Field.name`).

        Raises:
            TwilioRefused: Twilio does not listen.
            TwilioUnanswered: Twilio may be listening.
        """
        await self._update(call_sid, session, key, repeat=TwilioUnanswered, capture=FIELDS[field_name].capture)

    async def complete(self, call_sid: str, session: str, key: str) -> None:
        """Send the payment to the processor; the result comes by callback.

        Raises:
            TwilioRefused: surely nothing was charged by this.
            TwilioUnanswered: the card may be charged. Never complete this session again.
        """
        await self._update(call_sid, session, key, repeat=NeverSent, status="complete")

    async def cancel(self, call_sid: str, session: str, key: str) -> None:
        """Close the session without a charge.

        Raises:
            TwilioRefused: there is nothing (left) to cancel; or, with status 401 or 429, Twilio did not look.
            TwilioUnanswered: the session may be open still.
        """
        await self._update(call_sid, session, key, repeat=TwilioUnanswered, status="cancel")

    async def check(self) -> None:
        """Ask Twilio whether it knows the credentials, for `doctor`.

        It asks for a call that does not exist: 404 is the good answer. The account itself may be read with a *main*
        API key only (Twilio: "API keys", error 20003), and a payment line runs well on a standard one.

        Raises:
            TwilioRefused: the credentials are wrong, or are those of another account.
            TwilioUnanswered: Twilio cannot be reached.
        """
        try:
            await self._try(lambda: self._twilio.calls(NO_CALL).fetch_async(), repeat=TwilioUnanswered)
        except TwilioRefused as refused:
            if refused.status != NOT_FOUND:
                raise

    async def _update(
        self, call_sid: str, session: str, key: str, *, repeat: type[TwilioUnanswered], **order: str
    ) -> None:
        """Send `capture` or `status`: exactly one of them, or Twilio answers 64018."""
        payment = self._twilio.calls(call_sid).payments(session)
        await self._try(
            lambda: payment.update_async(idempotency_key=key, status_callback=self._status_callback, **order),
            repeat=repeat,
        )

    async def _try(
        self, request: Callable[[], Awaitable[Any]], *, repeat: type[TwilioUnanswered], doubt_stays: bool = False
    ) -> Any:
        """Send a request; again after a 429 or a failure of kind `repeat`, while tries and patience last.

        With `doubt_stays`, a refusal that follows an unanswered try is itself unanswered: it may only say that the
        earlier try went through (64021).
        """
        clock = asyncio.get_running_loop().time
        deadline, tried, doubt = clock() + self._patience, 0, False
        while True:
            pause = FIRST_PAUSE * 2**tried
            try:
                return await _attempt(request, deadline)
            except (TwilioRefused, TwilioUnanswered) as failure:
                if tried >= self._retries or clock() + pause >= deadline or not _may_repeat(failure, repeat):
                    if doubt and isinstance(failure, TwilioRefused):
                        raise TwilioUnanswered("Twilio refused, but an earlier try was not answered") from failure
                    raise
                doubt = doubt_stays and (doubt or not isinstance(failure, TwilioRefused | NeverSent))
            tried += 1
            await self._sleep(pause)


def exact(amount: Decimal) -> str:
    """The amount as Twilio is to read it: `12.10`.

    Raises:
        TwilioRefused: 64003, as Twilio would say (or worse: it takes 0 for a wish to tokenize the card).
    """
    if not amount.is_finite() or not 0 < amount < LARGEST_AMOUNT or amount != round(amount, 2):
        raise TwilioRefused(INVALID_AMOUNT, BAD_REQUEST, "an amount that cannot be charged")
    return f"{amount:.2f}"


async def _attempt(request: Callable[[], Awaitable[Any]], deadline: float) -> Any:
    """Send once; whatever goes wrong comes out as one of payagent's errors (`deadline` is in loop time)."""
    try:
        async with asyncio.timeout_at(deadline):
            return await request()
    except (TwilioRestException, TwilioServiceException) as error:
        raise _refused(error) from error
    except NEVER_SENT as error:
        raise NeverSent(f"no connection to Twilio ({type(error).__name__})") from error
    except (aiohttp.ClientError, OSError, *UNREADABLE) as error:
        said = str(error) if isinstance(error, BadAnswer) else type(error).__name__
        raise TwilioUnanswered(f"no usable answer from Twilio ({said})") from error


def _may_repeat(failure: TwilioRefused | TwilioUnanswered, repeat: type[TwilioUnanswered]) -> bool:
    """A 429 was turned away at the door; of the rest, only what the order's own rule allows."""
    return isinstance(failure, repeat) or getattr(failure, "status", 0) == TOO_MANY_REQUESTS


def _refused(error: TwilioRestException | TwilioServiceException) -> TwilioRefused:
    """The two shapes of Twilio's error body; where it gives no number of its own, the HTTP status stands in."""
    status = _number(error.status, BAD_REQUEST)
    words = error.msg if isinstance(error, TwilioRestException) else error.detail or error.title
    return TwilioRefused(_number(error.code, status), status, str(words)[:200])


def _number(value: object, otherwise: int) -> int:
    return int(str(value)) if re.fullmatch("[0-9]{1,9}", str(value)) else otherwise
