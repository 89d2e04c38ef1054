"""Payments over REST: each request obeys Twilio's OpenAPI file, and a charge is never sent twice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jsonschema
import pytest
import respx

from payagent.errors import TwilioRefused, TwilioUnanswered
from payagent.flow.money import Money
from payagent.flow.states import FIELDS
from payagent.phone.http import open_http
from payagent.phone.payments import NO_CALL, NeverSent, PaymentOptions, Payments

API = json.loads(Path(__file__).with_name("twilio-payments-openapi.json").read_text())
CREATE, UPDATE = API["paths"]
ACCOUNT, CALL, PAY = "AC" + "0" * 31 + "1", "CA" + "0" * 31 + "2", "PK" + "0" * 31 + "3"
ROOT = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Calls"
CREATED = {
    "account_sid": ACCOUNT,
    "call_sid": CALL,
    "sid": PAY,
    "date_created": "Wed, 18 Dec 2019 20:02:01 +0000",
    "date_updated": "Wed, 18 Dec 2019 20:02:01 +0000",
    "uri": "",
}
TWELVE = Money(Decimal("12.10"), "USD")
UNCONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
CALLBACK = "https://pay.example.test/api/status-callback"


def form_of(request: httpx.Request, path: str) -> dict[str, str]:
    """The form of a request, once Twilio's OpenAPI file has nothing against it or its path."""
    operation = API["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    pairs = parse_qsl(request.content.decode(), keep_blank_values=True, strict_parsing=True)
    form = dict(pairs)
    assert len(form) == len(pairs)
    whole = schema | {"components": API["components"], "additionalProperties": False}
    typed = {name: coerce(value, schema["properties"].get(name, {})) for name, value in pairs}
    jsonschema.validate(typed, whole, format_checker=jsonschema.FormatChecker())
    check_path(request.url.path, path, operation["parameters"])
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
    """A sleep that only counts: the seconds it was asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


Make = Callable[..., Payments]


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def make(pauses: Pauses) -> AsyncIterator[Make]:
    """Payments of one account, with settings of the test's own."""
    async with open_http() as http:
        given = {
            "account_sid": ACCOUNT,
            "api_key": "SK01",
            "api_secret": "secret",
            "connector": "Default",
            "status_callback": CALLBACK,
            "http": http,
            "sleep": pauses,
        }
        yield lambda **changes: Payments(**given | changes)


Order = Callable[[Payments], Awaitable[object]]

ORDERS: dict[str, Order] = {
    "open": lambda p: p.open(CALL, "key-1", TWELVE, "Bill 7"),
    "capture": lambda p: p.capture(CALL, PAY, "key-1", "card_number"),
    "cancel": lambda p: p.cancel(CALL, PAY, "key-1"),
    "complete": lambda p: p.complete(CALL, PAY, "key-1"),
}
REPEATED = ["open", "capture", "cancel"]


def stub(respx_mock: respx.MockRouter, *answers: httpx.Response | Exception | type[Exception]) -> respx.Route:
    """Twilio's Payments, answering so in turn to whatever order."""
    return respx_mock.post(url__regex=rf"{re.escape(ROOT)}/{CALL}/Payments(/{PAY})?\.json").mock(side_effect=answers)


def ok() -> httpx.Response:
    return httpx.Response(202, json=CREATED)


def error(status: int, code: int | None = None) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "no", "status": status} if code else {"m": "no"})


async def test_opens_a_session(make: Make, respx_mock: respx.MockRouter) -> None:
    """Every field of the create is said outright, the amount as the exact decimal text."""
    route = respx_mock.post(f"{ROOT}/{CALL}/Payments.json").respond(201, json=CREATED)

    assert await make().open(CALL, "CA2:5:0", TWELVE, "Bill & co") == PAY
    assert form_of(route.calls.last.request, CREATE) == {
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
    assert route.calls.last.request.headers["authorization"] == "Basic U0swMTpzZWNyZXQ="


async def test_opens_with_the_options_given(make: Make, respx_mock: respx.MockRouter) -> None:
    """Card types, flags, time-out and connector are the deployer's."""
    route = respx_mock.post(f"{ROOT}/{CALL}/Payments.json").respond(201, json=CREATED)
    options = PaymentOptions("visa", False, True, 5, 30)
    await make(options=options, connector="Stripe-1").open(CALL, "k", Money(Decimal("600"), "EUR"), "x")

    form = form_of(route.calls.last.request, CREATE)
    chosen = ("ValidCardTypes", "SecurityCode", "PostalCode", "MinPostalCodeLength", "Timeout", "PaymentConnector")
    assert tuple(form[name] for name in chosen) == ("visa", "false", "true", "5", "30", "Stripe-1")
    assert (form["ChargeAmount"], form["Currency"]) == ("600.00", "EUR")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.01", "0.01"), ("12.1", "12.10"), ("12.100", "12.10"), ("1E+2", "100.00"), ("999999.99", "999999.99")],
)
async def test_sends_the_exact_amount(amount: str, text: str, make: Make, respx_mock: respx.MockRouter) -> None:
    """No float, no exponent, no rounding: two decimals."""
    route = respx_mock.post(f"{ROOT}/{CALL}/Payments.json").respond(201, json=CREATED)
    await make().open(CALL, "k", Money(Decimal(amount), "USD"), "x")

    assert text == form_of(route.calls.last.request, CREATE)["ChargeAmount"]


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "0.001", "12.345", "1000000", "NaN", "Infinity"])
async def test_never_sends_an_amount_that_is_none(amount: str, make: Make, respx_mock: respx.MockRouter) -> None:
    """A zero would tokenize the card, a third decimal would be another amount: neither leaves the house."""
    with pytest.raises(TwilioRefused) as caught:
        await make().open(CALL, "k", Money(Decimal(amount), "USD"), "x")

    assert caught.value.code == 64003
    assert not respx_mock.calls


@pytest.mark.parametrize("field", FIELDS.values(), ids=list(FIELDS))
async def test_captures_a_field(field: Any, make: Make, respx_mock: respx.MockRouter) -> None:
    """Each field goes out under Twilio's name for it, with `Capture` and no `Status`."""
    route = respx_mock.post(f"{ROOT}/{CALL}/Payments/{PAY}.json").respond(202, json=CREATED)
    await make().capture(CALL, PAY, "k", field.name)

    expected = {"IdempotencyKey": "k", "StatusCallback": CALLBACK, "Capture": field.capture}
    assert expected == form_of(route.calls.last.request, UPDATE)


@pytest.mark.parametrize("status", ["complete", "cancel"])
async def test_completes_and_cancels(status: str, make: Make, respx_mock: respx.MockRouter) -> None:
    """Both go out as `Status`, with no `Capture`."""
    route = respx_mock.post(f"{ROOT}/{CALL}/Payments/{PAY}.json").respond(202, json=CREATED)
    await ORDERS[status](make())

    expected = {"IdempotencyKey": "key-1", "StatusCallback": CALLBACK, "Status": status}
    assert expected == form_of(route.calls.last.request, UPDATE)


async def test_goes_to_a_stand_in(make: Make, respx_mock: respx.MockRouter) -> None:
    """With another origin the same requests go there."""
    stand_in = "http://127.0.0.1:4010"
    route = respx_mock.post(ROOT.replace("https://api.twilio.com", stand_in) + f"/{CALL}/Payments.json")
    route.respond(201, json=CREATED)
    await ORDERS["open"](make(base_url=stand_in))

    assert form_of(route.calls.last.request, CREATE)["ChargeAmount"] == "12.10"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        (error(400, 64021), 64021, 400),
        (error(404, 20404), 20404, 404),
        (error(401), 401, 401),
        (httpx.Response(400, text="<html>"), 400, 400),
        (httpx.Response(409, json={"code": "x", "message": "no"}), 409, 409),
        (httpx.Response(400, json={"type": "t", "title": "no", "status": 400, "code": 64001}), 64001, 400),
        (
            httpx.Response(400, json={"type": "t", "title": "-", "status": "?", "code": 64001, "detail": "no"}),
            64001,
            400,
        ),
    ],
)
async def test_a_refusal_is_not_repeated(
    order: str, answer: httpx.Response, code: int, status: int, make: Make, respx_mock: respx.MockRouter
) -> None:
    """A 4xx is permanent: Twilio's number where it gives one, else the HTTP status, in both shapes of its errors."""
    route = stub(respx_mock, answer)
    with pytest.raises(TwilioRefused) as caught:
        await ORDERS[order](make())

    assert (code, status, 1) == (caught.value.code, caught.value.status, route.call_count)


async def test_a_refusal_says_twilios_words(make: Make, respx_mock: respx.MockRouter) -> None:
    """The message is Twilio's, cut short, and holds nothing of our request."""
    stub(respx_mock, httpx.Response(400, json={"code": 64011, "message": "currency not supported" + "!" * 500}))
    with pytest.raises(TwilioRefused, match=r"64011 .*currency not supported") as caught:
        await ORDERS["open"](make())

    assert len(str(caught.value)) < 300
    assert not [word for word in ("key-1", "12.10", "Bill", "secret") if word in str(caught.value)]


DOUBTFUL: dict[str, Any] = {
    "read time-out": httpx.ReadTimeout("x"),
    "write time-out": httpx.WriteTimeout("x"),
    "read error": httpx.ReadError("x"),
    "write error": httpx.WriteError("x"),
    "broken answer": httpx.RemoteProtocolError("x"),
    "proxy error": httpx.ProxyError("x"),
    "500": httpx.Response(500, json={}),
    "503 whose body says 400": httpx.Response(503, json={"type": "t", "title": "busy", "status": 400, "code": 64003}),
    "307": httpx.Response(307, headers={"location": "https://elsewhere.example.test/"}),
    "202 without JSON": httpx.Response(202, text="<html>"),
    "202 with a list": httpx.Response(202, json=[]),
    "202 with a senseless date": httpx.Response(202, json={"sid": PAY, "date_created": 5}),
}


@pytest.mark.parametrize("answer", DOUBTFUL.values(), ids=list(DOUBTFUL))
async def test_a_doubtful_complete_is_never_sent_again(
    answer: Any, make: Make, pauses: Pauses, respx_mock: respx.MockRouter
) -> None:
    """Once a complete may have reached Twilio it is not repeated, whatever went wrong: the card may be charged."""
    route = stub(respx_mock, answer, ok())
    with pytest.raises(TwilioUnanswered) as caught:
        await ORDERS["complete"](make())

    assert (route.call_count, pauses.seconds) == (1, [])
    assert not isinstance(caught.value, NeverSent)


@pytest.mark.parametrize("order", REPEATED)
@pytest.mark.parametrize("answer", DOUBTFUL.values(), ids=list(DOUBTFUL))
async def test_the_others_are_tried_again(
    order: str, answer: Any, make: Make, pauses: Pauses, respx_mock: respx.MockRouter
) -> None:
    """What may be done twice is tried twice more, each time with the same key, with growing pauses."""
    route = stub(respx_mock, answer, answer, ok())
    await ORDERS[order](make())

    assert {"key-1"} == {dict(parse_qsl(c.request.content.decode()))["IdempotencyKey"] for c in route.calls}
    assert (route.call_count, pauses.seconds) == (3, [0.25, 0.5])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("answer", [*[kind("x") for kind in UNCONNECTED], error(429, 20429)], ids=repr)
async def test_what_did_not_go_out_is_sent_again(
    order: str, answer: Any, make: Make, respx_mock: respx.MockRouter
) -> None:
    """Without a connection, or turned away at the door, even a complete is sent again."""
    route = stub(respx_mock, answer, answer, ok())
    await ORDERS[order](make())

    assert route.call_count == 3


@pytest.mark.parametrize("order", ORDERS)
async def test_tries_come_to_an_end(order: str, make: Make, respx_mock: respx.MockRouter) -> None:
    """Three tries; then too many requests is a refusal, and no connection is no answer."""
    busy, down = [error(429, 20429)] * 4, [httpx.ConnectError("x")] * 4
    with pytest.raises(TwilioRefused) as caught:
        await ORDERS[order](make(http=through(busy)))
    with pytest.raises(NeverSent):
        await ORDERS[order](make(http=through(down)))

    assert (caught.value.status, caught.value.code) == (429, 20429)
    assert (len(busy), len(down)) == (1, 1)


@pytest.mark.parametrize("order", REPEATED)
async def test_a_dead_twilio_is_unanswered(order: str, make: Make, respx_mock: respx.MockRouter) -> None:
    """After the last 5xx or time-out it is not known what was done."""
    route = stub(respx_mock, httpx.Response(500), httpx.ReadTimeout("x"), httpx.Response(502), ok())
    with pytest.raises(TwilioUnanswered):
        await ORDERS[order](make())

    assert route.call_count == 3


def through(answers: list[Any]) -> httpx.AsyncClient:
    """Connections that give these answers, taking each from the list."""

    def answer(request: httpx.Request) -> httpx.Response:
        given = answers.pop()
        if isinstance(given, Exception):
            raise given
        return given

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("refusal", [error(400, 64021), error(429), error(404, 20404)], ids=repr)
@pytest.mark.parametrize("doubt", [httpx.ReadTimeout("x"), httpx.Response(500)], ids=repr)
async def test_a_refused_open_after_a_lost_one_is_open_still(
    doubt: Any, refusal: httpx.Response, make: Make, respx_mock: respx.MockRouter
) -> None:
    """64021 on the second try may only say that the first one went through: a session may be open."""
    stub(respx_mock, doubt, refusal, refusal)
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())


@pytest.mark.parametrize("first", [httpx.ConnectError("x"), error(429)], ids=repr)
async def test_a_refused_open_after_one_never_sent_is_refused(
    first: Any, make: Make, respx_mock: respx.MockRouter
) -> None:
    """What did not reach Twilio opened nothing."""
    stub(respx_mock, first, error(400, 64004))
    with pytest.raises(TwilioRefused):
        await ORDERS["open"](make())


async def test_doubt_lasts(make: Make, respx_mock: respx.MockRouter) -> None:
    """A lost first try is not forgotten over a second one that did not go out."""
    stub(respx_mock, httpx.ReadTimeout("x"), httpx.ConnectError("x"), error(400, 64021))
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())


@pytest.mark.parametrize("order", ["capture", "cancel"])
async def test_a_refused_cancel_after_a_lost_one_is_refused(
    order: str, make: Make, respx_mock: respx.MockRouter
) -> None:
    """A cancel that finds nothing to cancel has what it wanted."""
    stub(respx_mock, httpx.ReadTimeout("x"), error(404, 20404))
    with pytest.raises(TwilioRefused):
        await ORDERS[order](make())


@pytest.mark.parametrize("sid", [None, "", "PK1", CALL])
async def test_an_open_without_a_session_is_unanswered(
    sid: str | None, make: Make, respx_mock: respx.MockRouter
) -> None:
    """A 201 that names no session leaves one open that cannot be named."""
    stub(respx_mock, httpx.Response(201, json=CREATED | {"sid": sid}))
    with pytest.raises(TwilioUnanswered):
        await ORDERS["open"](make())


@pytest.mark.parametrize("order", ORDERS)
async def test_patience_cuts_a_try_short(order: str, make: Make) -> None:
    """A Twilio that never answers is given up on, by our own clock, and not asked again."""
    asked = []

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(TwilioUnanswered):
        async with asyncio.timeout(30):  # so that the test fails rather than hangs
            await ORDERS[order](make(http=httpx.AsyncClient(transport=Silent()), patience=0.01))

    assert len(asked) == 1


async def test_patience_ends_the_tries(make: Make, pauses: Pauses, respx_mock: respx.MockRouter) -> None:
    """No pause is begun that would outlast the caller's patience: the last answer stands."""
    route = stub(respx_mock, error(429, 20429), ok())
    with pytest.raises(TwilioRefused):
        await ORDERS["complete"](make(patience=0.2))

    assert (route.call_count, pauses.seconds) == (1, [])


def kinds(parent: type[httpx.HTTPError]) -> list[type[httpx.HTTPError]]:
    """All the kinds of error below this one."""
    return [kind for child in parent.__subclasses__() for kind in (child, *kinds(child))]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", kinds(httpx.TransportError))
async def test_every_error_of_the_layer_below_is_ours(
    kind: type[httpx.TransportError], order: str, make: Make, respx_mock: respx.MockRouter
) -> None:
    """Whatever httpx raises on the way becomes payagent's own error, and no other kind."""
    stub(respx_mock, *[kind("x")] * 3)
    with pytest.raises(TwilioUnanswered) as caught:
        await ORDERS[order](make())

    assert isinstance(caught.value, NeverSent) is issubclass(kind, UNCONNECTED)


async def test_check_asks_for_nobodys_data(make: Make, respx_mock: respx.MockRouter) -> None:
    """The credentials are known when Twilio says it has no such call (or, on a stand-in, has it)."""
    route = respx_mock.get(f"{ROOT}/{NO_CALL}.json")
    route.side_effect = [error(404, 20404), httpx.Response(200, json={})]

    await make().check()
    await make().check()
    assert route.calls.last.request.headers["authorization"] == "Basic U0swMTpzZWNyZXQ="


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20003)])
async def test_check_finds_wrong_credentials(status: int, code: int, make: Make, respx_mock: respx.MockRouter) -> None:
    """Credentials Twilio does not know, or not for this account, are refused."""
    respx_mock.get(f"{ROOT}/{NO_CALL}.json").mock(return_value=error(status, code))
    with pytest.raises(TwilioRefused) as caught:
        await make().check()

    assert code == caught.value.code


async def test_check_finds_no_twilio(make: Make, respx_mock: respx.MockRouter) -> None:
    """A host that cannot be reached is said to be so."""
    respx_mock.get(f"{ROOT}/{NO_CALL}.json").mock(side_effect=httpx.ConnectError("x"))
    with pytest.raises(TwilioUnanswered):
        await make().check()
