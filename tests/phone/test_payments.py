"""Payments over REST: each request obeys Twilio's OpenAPI file, and a charge is never sent twice."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import jsonschema
import pytest
from scripted_twilio import NOBODY, SLAMMED, Answer, Asked, ScriptedTwilio, answer

from payagent.errors import TwilioRefused, TwilioUnanswered
from payagent.flow.money import Money
from payagent.flow.states import FIELDS
from payagent.phone.http import open_http
from payagent.phone.payments import NO_CALL, NeverSent, PaymentOptions, Payments

API = json.loads(Path(__file__).with_name("twilio-payments-openapi.json").read_text())
CREATE, UPDATE = API["paths"]
ACCOUNT, CALL, PAY = "AC" + "0" * 31 + "1", "CA" + "0" * 31 + "2", "PK" + "0" * 31 + "3"
ROOT = f"/2010-04-01/Accounts/{ACCOUNT}/Calls"
CREATED = {
    "account_sid": ACCOUNT,
    "call_sid": CALL,
    "sid": PAY,
    "date_created": "Wed, 18 Dec 2019 20:02:01 +0000",
    "date_updated": "Wed, 18 Dec 2019 20:02:01 +0000",
    "uri": "",
}
TWELVE = Money(Decimal("12.10"), "USD")
CALLBACK = "https://pay.example.test/api/status-callback"


def form_of(asked: Asked, path: str) -> dict[str, str]:
    """The form of a request, once Twilio's OpenAPI file has nothing against it or its path."""
    assert asked.method == "POST"
    operation = API["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    pairs = parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True)
    form = dict(pairs)
    assert len(form) == len(pairs)
    whole = schema | {"components": API["components"], "additionalProperties": False}
    typed = {name: coerce(value, schema["properties"].get(name, {})) for name, value in pairs}
    jsonschema.validate(typed, whole, format_checker=jsonschema.FormatChecker())
    check_path(asked.path, path, operation["parameters"])
    return form


def coerce(value: str, schema: dict[str, Any]) -> object:
    """A form's string as the JSON value its schema speaks of."""
    match schema.get("type"):
        case "boolean":
            return {"true": True, "false": False}[value]
        case "integer" | "number":
            return json.loads(value)
        case _:
            return value


def check_path(sent: str, template: str, parameters: list[dict[str, Any]]) -> None:
    """The path is the template's, and each SID in it has the shape its parameter asks for."""
    found = re.fullmatch(re.sub(r"\\?{(\w+)\\?}", r"(?P<\1>[^/]+)", template.replace(".json", r"\.json")), sent)
    assert found, sent
    for parameter in parameters:
        jsonschema.validate(found[parameter["name"]], parameter["schema"])


class Pauses:
    """A sleep that only counts: the seconds it was asked for. The server gets ready for the next try in it."""

    def __init__(self, twilio: ScriptedTwilio) -> None:
        self.seconds: list[float] = []
        self._twilio = twilio

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self._twilio.get_ready()


Make = Callable[..., Payments]


@pytest.fixture
async def twilio() -> AsyncIterator[ScriptedTwilio]:
    """Answers as the test says, at sockets of this machine."""
    async with ScriptedTwilio() as server:
        yield server


@pytest.fixture
def pauses(twilio: ScriptedTwilio) -> Pauses:
    return Pauses(twilio)


@pytest.fixture
async def make(twilio: ScriptedTwilio, pauses: Pauses) -> AsyncIterator[Make]:
    """Payments of one account, with settings of the test's own."""
    async with open_http(twilio.origin) as http:
        yield lambda **changes: payments(http, twilio.origin, pauses, **changes)


def payments(http: aiohttp.ClientSession, base_url: str, sleep: Any, **changes: Any) -> Payments:
    """Payments over these connections."""
    given = {
        "account_sid": ACCOUNT,
        "api_key": "SK01",
        "api_secret": "secret",
        "connector": "Default",
        "status_callback": CALLBACK,
        "http": http,
        "base_url": base_url,
        "sleep": sleep,
    }
    return Payments(**given | changes)


Order = Callable[[Payments], Awaitable[object]]

ORDERS: dict[str, Order] = {
    "open": lambda p: p.open(CALL, "key-1", TWELVE, "Bill 7"),
    "capture": lambda p: p.capture(CALL, PAY, "key-1", "card_number"),
    "cancel": lambda p: p.cancel(CALL, PAY, "key-1"),
    "complete": lambda p: p.complete(CALL, PAY, "key-1"),
}
REPEATED = ["open", "capture", "cancel"]

OK = answer(202, CREATED)
HANGS_UP = Answer(then="close")
SILENT = Answer(then="be silent")


def error(status: int, code: int | None = None) -> Answer:
    return answer(status, {"code": code, "message": "no", "status": status} if code else {"m": "no"})


async def test_opens_a_session(make: Make, twilio: ScriptedTwilio) -> None:
    """Every field of the create is said outright, the amount as the exact decimal text."""
    await twilio.will(answer(201, CREATED))

    assert await make().open(CALL, "CA2:5:0", TWELVE, "Bill & co") == PAY
    assert form_of(twilio.asked[0], CREATE) == {
        "IdempotencyKey": "CA2:5:0",
        "StatusCallback": CALLBACK,
        "ChargeAmount": "12.10",
        "Currency": "USD",
        "Description": "Bill & co",
        "PaymentConnector": "Default",
        "PaymentMethod": "credit-card",
        "Input": "dtmf",
        "PostalCode": "false",
        "SecurityCode": "true",
        "Timeout": "10",
        "ValidCardTypes": "visa mastercard amex",
    }
    assert twilio.asked[0].headers["authorization"] == "Basic U0swMTpzZWNyZXQ="
    assert twilio.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_opens_with_the_options_given(make: Make, twilio: ScriptedTwilio) -> None:
    """Card types, flags, time-out and connector are the deployer's."""
    await twilio.will(answer(201, CREATED))
    options = PaymentOptions("visa", False, True, 5, 30)
    await make(options=options, connector="Stripe-1").open(CALL, "k", Money(Decimal("600"), "EUR"), "x")

    form = form_of(twilio.asked[0], CREATE)
    chosen = ("ValidCardTypes", "SecurityCode", "PostalCode", "MinPostalCodeLength", "Timeout", "PaymentConnector")
    assert tuple(form[name] for name in chosen) == ("visa", "false", "true", "5", "30", "Stripe-1")
    assert (form["ChargeAmount"], form["Currency"]) == ("600.00", "EUR")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.01", "0.01"), ("12.1", "12.10"), ("12.100", "12.10"), ("1E+2", "100.00"), ("999999.99", "999999.99")],
)
async def test_sends_the_exact_amount(amount: str, text: str, make: Make, twilio: ScriptedTwilio) -> None:
    """No float, no exponent, no rounding: two decimals."""
    await twilio.will(answer(201, CREATED))
    await make().open(CALL, "k", Money(Decimal(amount), "USD"), "x")

    assert text == form_of(twilio.asked[0], CREATE)["ChargeAmount"]


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "0.001", "12.345", "1000000", "NaN", "Infinity"])
async def test_never_sends_an_amount_that_is_none(amount: str, make: Make, twilio: ScriptedTwilio) -> None:
    """A zero would tokenize the card, a third decimal would be another amount: neither leaves the house."""
    with pytest.raises(TwilioRefused) as caught:
        await make().open(CALL, "k", Money(Decimal(amount), "USD"), "x")

    assert caught.value.code == 64003
    assert twilio.connections == 0


@pytest.mark.parametrize("field", FIELDS.values(), ids=list(FIELDS))
async def test_captures_a_field(field: Any, make: Make, twilio: ScriptedTwilio) -> None:
    """Each field goes out under Twilio's name for it, with `Capture` and no `Status`."""
    await twilio.will(OK)
    await make().capture(CALL, PAY, "k", field.name)

    expected = {"IdempotencyKey": "k", "StatusCallback": CALLBACK, "Capture": field.capture}
    assert expected == form_of(twilio.asked[0], UPDATE)


@pytest.mark.parametrize("status", ["complete", "cancel"])
async def test_completes_and_cancels(status: str, make: Make, twilio: ScriptedTwilio) -> None:
    """Both go out as `Status`, with no `Capture`."""
    await twilio.will(OK)
    await ORDERS[status](make())

    expected = {"IdempotencyKey": "key-1", "StatusCallback": CALLBACK, "Status": status}
    assert expected == form_of(twilio.asked[0], UPDATE)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("refusal", "code", "status"),
    [
        (error(400, 64021), 64021, 400),
        (error(404, 20404), 20404, 404),
        (error(401), 401, 401),
        (answer(400, b"<html>"), 400, 400),
        (answer(400, b"\xff"), 400, 400),
        (answer(409, {"code": "x", "message": "no"}), 409, 409),
        (answer(400, {"type": "t", "title": "no", "status": 400, "code": 64001}), 64001, 400),
        (answer(400, {"type": "t", "title": "-", "status": "?", "code": 64001, "detail": "no"}), 64001, 400),
    ],
)
async def test_a_refusal_is_not_repeated(
    order: str, refusal: Answer, code: int, status: int, make: Make, twilio: ScriptedTwilio
) -> None:
    """A 4xx is permanent: Twilio's number where it gives one, else the HTTP status, in both shapes of its errors."""
    await twilio.will(refusal, OK)
    with pytest.raises(TwilioRefused) as caught:
        await ORDERS[order](make())

    assert (code, status, 1) == (caught.value.code, caught.value.status, len(twilio.asked))


async def test_a_refusal_says_twilios_words(make: Make, twilio: ScriptedTwilio) -> None:
    """The message is Twilio's, cut short, and holds nothing of our request."""
    await twilio.will(answer(400, {"code": 64011, "message": "currency not supported" + "!" * 500}))
    with pytest.raises(TwilioRefused, match=r"64011 .*currency not supported") as caught:
        await ORDERS["open"](make())

    assert len(str(caught.value)) < 300
    assert not [word for word in ("key-1", "12.10", "Bill", "secret") if word in str(caught.value)]


DOUBTFUL = {
    "reset, unread": SLAMMED,
    "closed after the request": HANGS_UP,
    "reset after the request": Answer(then="reset"),
    "half a head": Answer(b"HTTP/1.1 202 X\r\nContent-", "close"),
    "half a body": Answer(b"HTTP/1.1 202 X\r\nContent-Length: 900\r\n\r\n{", "close"),
    "half a body, then a reset": Answer(b"HTTP/1.1 202 X\r\nContent-Length: 900\r\n\r\n{", "reset"),
    "half a chunk": Answer(b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", "close"),
    "no chunk": Answer(b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n{}{}{}\r\n", "close"),
    "not HTTP": Answer(b"220 mail.example.test\r\n\r\n"),
    "a header beyond measure": answer(202, CREATED, X_Long="x" * 20_000),
    "no gzip": answer(202, b"plain", Content_Encoding="gzip"),
    "500": answer(500),
    "503 whose body says 400": answer(503, {"type": "t", "title": "busy", "status": 400, "code": 64003}),
    "304": Answer(b"HTTP/1.1 304 X\r\n\r\n"),
    "307": answer(307, location="/elsewhere.json"),
    "202 without JSON": answer(202, b"<html>"),
    "202 in no known letters": answer(202, b"{\xff}"),
    "202 with a list": answer(202, []),
    "202 with a senseless date": answer(202, {"sid": PAY, "date_created": 5}),
}


@pytest.mark.parametrize("doubt", DOUBTFUL.values(), ids=list(DOUBTFUL))
async def test_a_doubtful_complete_is_never_sent_again(
    doubt: Answer, make: Make, pauses: Pauses, twilio: ScriptedTwilio
) -> None:
    """Once a complete may have reached Twilio it is not repeated, whatever went wrong: the card may be charged."""
    await twilio.will(doubt, OK)
    with pytest.raises(TwilioUnanswered) as caught:
        await ORDERS["complete"](make())

    assert (twilio.connections, twilio.script, pauses.seconds) == (1, [OK], [])
    assert not isinstance(caught.value, NeverSent)


@pytest.mark.parametrize("order", REPEATED)
@pytest.mark.parametrize("doubt", DOUBTFUL.values(), ids=list(DOUBTFUL))
async def test_the_others_are_tried_again(
    order: str, doubt: Answer, make: Make, pauses: Pauses, twilio: ScriptedTwilio
) -> None:
    """What may be done twice is tried twice more, each time with the same key, with growing pauses."""
    await twilio.will(doubt, doubt, OK)
    await ORDERS[order](make())

    assert {"key-1"} == {asked.form["IdempotencyKey"] for asked in twilio.asked}
    assert (twilio.script, pauses.seconds) == ([], [0.25, 0.5])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("failure", "times"), [(NOBODY, 1), (error(429, 20429), 3)], ids=["refused", "429"])
async def test_what_did_not_go_out_is_sent_again(
    order: str, failure: Answer, times: int, make: Make, pauses: Pauses, twilio: ScriptedTwilio
) -> None:
    """Without a connection, or turned away at the door, even a complete is sent again."""
    await twilio.will(failure, failure, OK)
    await ORDERS[order](make())

    assert {"key-1"} == {asked.form["IdempotencyKey"] for asked in twilio.asked}
    assert (len(twilio.asked), pauses.seconds) == (times, [0.25, 0.5])


@pytest.mark.parametrize("order", ORDERS)
async def test_tries_come_to_an_end(order: str, make: Make, pauses: Pauses, twilio: ScriptedTwilio) -> None:
    """Three tries; then too many requests is a refusal, and no connection is no answer."""
    await twilio.will(*[NOBODY] * 3, OK)
    with pytest.raises(NeverSent):
        await ORDERS[order](make())
    await twilio.will(*[error(429, 20429)] * 3, OK)
    with pytest.raises(TwilioRefused) as caught:
        await ORDERS[order](make())

    assert (caught.value.status, caught.value.code) == (429, 20429)
    assert (twilio.script, pauses.seconds, len(twilio.asked)) == ([OK], [0.25, 0.5] * 2, 3)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("order", ORDERS)
async def test_a_kept_connection_that_is_gone(
    order: str, reset: bool, make: Make, pauses: Pauses, twilio: ScriptedTwilio
) -> None:
    """Where the other end has just closed a kept connection, who can say what it read before: no complete again."""
    await twilio.will(OK, OK)
    paying = make()
    await paying.capture(CALL, PAY, "earlier", "card_number")
    await twilio.let_go(reset=reset)
    if order == "complete":
        with pytest.raises(TwilioUnanswered) as caught:
            await ORDERS[order](paying)
        assert not isinstance(caught.value, NeverSent)
    else:
        await ORDERS[order](paying)

    again = order != "complete"
    assert (pauses.seconds, len(twilio.asked), twilio.connections) == ([0.25] * again, 1 + again, 1 + again)


@pytest.mark.parametrize("order", ORDERS)
async def test_silence_is_no_answer(order: str, pauses: Pauses, twilio: ScriptedTwilio) -> None:
    """No answer in time, or half of one: asked again with the same key, but not a complete."""
    impatient = aiohttp.ClientTimeout(sock_read=0.02)
    await twilio.will(SILENT, Answer(b"HTTP/1.1 202 X\r\nContent-Length: 900\r\n\r\n{"), SILENT)
    async with open_http(twilio.origin, impatient) as http:
        with pytest.raises(TwilioUnanswered) as caught:
            await ORDERS[order](payments(http, twilio.origin, pauses))

    assert not isinstance(caught.value, NeverSent)
    assert ["key-1"] * (1 if order == "complete" else 3) == [asked.form["IdempotencyKey"] for asked in twilio.asked]


@pytest.mark.parametrize("order", REPEATED)
async def test_a_dead_twilio_is_unanswered(order: str, make: Make, twilio: ScriptedTwilio) -> None:
    """After the last 5xx or lost answer it is not known what was done; the status is told."""
    await twilio.will(answer(500), HANGS_UP, answer(502), OK)
    with pytest.raises(TwilioUnanswered, match="HTTP 502"):
        await ORDERS[order](make())

    assert len(twilio.asked) == 3


@pytest.mark.parametrize("refusal", [error(400, 64021), error(429), error(404, 20404)], ids=["64021", "429", "404"])
@pytest.mark.parametrize("doubt", [HANGS_UP, answer(500)], ids=["lost", "500"])
async def test_a_refused_open_after_a_lost_one_is_open_still(
    doubt: Answer, refusal: Answer, make: Make, twilio: ScriptedTwilio
) -> None:
    """64021 on the second try may only say that the first one went through: a session may be open."""
    await twilio.will(doubt, refusal, refusal)
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())


@pytest.mark.parametrize("first", [NOBODY, error(429)], ids=["refused", "429"])
async def test_a_refused_open_after_one_never_sent_is_refused(
    first: Answer, make: Make, twilio: ScriptedTwilio
) -> None:
    """What did not reach Twilio opened nothing."""
    await twilio.will(first, error(400, 64004))
    with pytest.raises(TwilioRefused):
        await ORDERS["open"](make())


async def test_doubt_lasts(make: Make, pauses: Pauses, twilio: ScriptedTwilio) -> None:
    """A lost first try is not forgotten over a second one that did not go out."""
    await twilio.will(HANGS_UP, NOBODY, error(400, 64021))
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())

    assert (len(twilio.asked), pauses.seconds) == (2, [0.25, 0.5])


@pytest.mark.parametrize("order", ["capture", "cancel"])
async def test_a_refused_cancel_after_a_lost_one_is_refused(order: str, make: Make, twilio: ScriptedTwilio) -> None:
    """A cancel that finds nothing to cancel has what it wanted."""
    await twilio.will(HANGS_UP, error(404, 20404))
    with pytest.raises(TwilioRefused):
        await ORDERS[order](make())


@pytest.mark.parametrize("sid", [None, "", "PK1", CALL])
async def test_an_open_without_a_session_is_unanswered(sid: str | None, make: Make, twilio: ScriptedTwilio) -> None:
    """A 201 that names no session leaves one open that cannot be named."""
    await twilio.will(answer(201, CREATED | {"sid": sid}))
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())


@pytest.mark.parametrize("order", ORDERS)
async def test_patience_cuts_a_try_short(order: str, pauses: Pauses, twilio: ScriptedTwilio) -> None:
    """A Twilio that never answers is given up on, by our own clock, and not asked again."""
    await twilio.will(SILENT, OK)
    async with open_http(twilio.origin, aiohttp.ClientTimeout()) as http, asyncio.timeout(30):  # fail, not hang
        with pytest.raises(TwilioUnanswered):
            await ORDERS[order](payments(http, twilio.origin, pauses, patience=0.05))

    assert (pauses.seconds, twilio.script[-1:]) == ([], [OK])


async def test_patience_ends_the_tries(make: Make, pauses: Pauses, twilio: ScriptedTwilio) -> None:
    """No pause is begun that would outlast the caller's patience: the last answer stands."""
    await twilio.will(error(429, 20429), OK)
    with pytest.raises(TwilioRefused):
        await ORDERS["complete"](make(patience=0.2))

    assert (len(twilio.asked), pauses.seconds) == (1, [])


def kinds(parent: type[Exception]) -> list[type[Exception]]:
    """All the kinds of error below this one."""
    return [kind for child in parent.__subclasses__() for kind in (child, *kinds(child))]


UNCONNECTED = {
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientProxyConnectionError",
    "UnixClientConnectorError",
    "ClientSSLError",
    "ClientConnectorSSLError",
    "ClientConnectorCertificateError",
    "ConnectionTimeoutError",
}
"""By name: a kind that a newer aiohttp adds to them is to be looked at by a person first."""
BARE = [ConnectionResetError, BrokenPipeError, ssl.SSLError, TimeoutError, ValueError]


@pytest.mark.parametrize("kind", [*{kind.__name__: kind for kind in kinds(aiohttp.ClientError)}.values(), *BARE])
async def test_every_error_of_the_layer_below_is_ours(kind: type[Exception]) -> None:
    """Whatever aiohttp raises on the way becomes payagent's own error, and no other kind."""
    sent = []

    async def fail(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        sent.append(request)
        failure = kind.__new__(kind)
        failure.status = 400  # type: ignore[attr-defined]  # some have one
        raise failure

    async def no_pause(seconds: float) -> None:
        pass

    async with aiohttp.ClientSession(middlewares=[fail]) as http:
        for order in ORDERS.values():
            with pytest.raises(TwilioUnanswered) as caught:
                await order(payments(http, "http://127.0.0.1:9", no_pause))
            assert isinstance(caught.value, NeverSent) is (kind.__name__ in UNCONNECTED)

    assert len(sent) == (12 if kind.__name__ in UNCONNECTED else 10)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what a traceback shows of its causes."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def test_no_error_quotes_what_was_sent(make: Make, twilio: ScriptedTwilio) -> None:
    """Neither the words nor the representation of an error, nor of what caused it, hold a credential or the form."""
    for given in DOUBTFUL.values():
        await twilio.will(given)
        with pytest.raises(TwilioUnanswered) as caught:
            await make(retries=0).open(CALL, "key-1", TWELVE, "Bill 7")
        shown = " ".join(f"{link} {link!r}" for link in chain(caught.value))
        assert not [word for word in ("secret", "U0swMTpzZWNyZXQ", "key-1", "12.10", "Bill 7") if word in shown]


async def test_check_asks_for_nobodys_data(make: Make, twilio: ScriptedTwilio) -> None:
    """The credentials are known when Twilio says it has no such call (or, on a stand-in, has it)."""
    await twilio.will(error(404, 20404), answer(200, {}))

    await make().check()
    await make().check()
    assert [("GET", f"{ROOT}/{NO_CALL}.json")] * 2 == [(asked.method, asked.path) for asked in twilio.asked]
    assert twilio.asked[1].headers["authorization"] == "Basic U0swMTpzZWNyZXQ="


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20003)])
async def test_check_finds_wrong_credentials(status: int, code: int, make: Make, twilio: ScriptedTwilio) -> None:
    """Credentials Twilio does not know, or not for this account, are refused."""
    await twilio.will(error(status, code))
    with pytest.raises(TwilioRefused) as caught:
        await make().check()

    assert code == caught.value.code


async def test_check_finds_no_twilio(make: Make, twilio: ScriptedTwilio) -> None:
    """A host that cannot be reached is said to be so."""
    await twilio.will(NOBODY, NOBODY, NOBODY)
    with pytest.raises(TwilioUnanswered):
        await make().check()
