"""The SDK's way out over httpx: where requests go, how long they may take, and what is never logged."""

from __future__ import annotations

import logging

import httpx
import pytest
import respx

from payagent.phone.http import TWILIO, HttpxClient, open_http

PATH = "/2010-04-01/Accounts/AC01/Calls.json"


@pytest.mark.parametrize(
    ("base_url", "sent_to"),
    [
        (TWILIO, "https://api.twilio.com"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://127.0.0.1:4010/", "http://127.0.0.1:4010"),
        ("https://stand-in.example.test", "https://stand-in.example.test"),
    ],
)
async def test_goes_to_the_origin_it_is_given(base_url: str, sent_to: str, respx_mock: respx.MockRouter) -> None:
    """Scheme, host and port of the SDK's URL are replaced; path, query, form, headers and credentials are not."""
    route = respx_mock.post(sent_to + PATH, params={"PageSize": "1"}).respond(201, json={"sid": "PK1"})
    async with open_http(base_url) as http:
        client = HttpxClient(http, base_url)
        answer = await client.request(
            "POST", f"{TWILIO}{PATH}", {"PageSize": 1}, {"A": "é &"}, {"X-Y": "z"}, ("user", "secret"), 5.0
        )

    sent = route.calls.last.request
    assert (answer.status_code, answer.text) == (201, '{"sid":"PK1"}')
    assert sent.content == b"A=%C3%A9+%26"
    assert (sent.headers["x-y"], sent.headers["authorization"]) == ("z", "Basic dXNlcjpzZWNyZXQ=")
    assert sent.extensions["timeout"] == {"connect": 3.0, "read": 5.0, "write": 5.0, "pool": 3.0}


@pytest.mark.parametrize("status", [400, 401, 404, 429])
async def test_a_clients_error_is_the_sdks_to_read(status: int, respx_mock: respx.MockRouter) -> None:
    """4xx answers go back whole: the SDK knows the shapes of Twilio's error bodies."""
    respx_mock.get(TWILIO + PATH).respond(status, json={"code": 20404})
    async with open_http() as http:
        answer = await HttpxClient(http).request("GET", TWILIO + PATH)

    assert (status, '{"code":20404}') == (answer.status_code, answer.text)


@pytest.mark.parametrize("status", [301, 307, 500, 502, 503])
async def test_no_body_vouches_for_a_status(status: int, respx_mock: respx.MockRouter) -> None:
    """3xx and 5xx answers are raised by their true status, and no redirect is followed."""
    lie = {"type": "about:blank", "title": "no", "status": 400, "code": 64003}
    respx_mock.get(TWILIO + PATH).respond(status, json=lie, headers={"location": "https://elsewhere.example.test/"})
    async with open_http() as http:
        with pytest.raises(httpx.HTTPStatusError):
            await HttpxClient(http).request("GET", TWILIO + PATH)


async def test_logs_nothing(respx_mock: respx.MockRouter, caplog: pytest.LogCaptureFixture) -> None:
    """Even with everything logged at DEBUG, no URL, SID or body of a request is."""
    caplog.set_level(logging.DEBUG)
    respx_mock.post(TWILIO + PATH).respond(201, json={})
    async with open_http() as http:
        await HttpxClient(http).request("POST", TWILIO + PATH, data={"ChargeAmount": "12.10"})

    assert [r for r in caplog.records if r.name.startswith(("httpx", "httpcore", "twilio"))] == []


@pytest.mark.parametrize(("base_url", "by_proxy"), [(TWILIO, True), ("http://127.0.0.1:4010", False)])
def test_a_stand_in_is_reached_directly(base_url: str, by_proxy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is for the way to Twilio; a stand-in is no business of it."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.test:3128")

    assert by_proxy is open_http(base_url).trust_env
