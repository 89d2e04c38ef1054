"""The app's TwiML, read as strictly as the documents word it."""

from __future__ import annotations

import pytest
from echo_app import CONNECT, HANGUP

from payagent.lab import verbs

RELAY = '<Response><Connect action="/a"><ConversationRelay url="wss://x.test/r" {}/></Connect></Response>'
WORKFLOW = "WW" + "0" * 32


def test_a_relay_is_read_whole() -> None:
    """Everything the line needs is taken from the noun and its children."""
    problems: list[str] = []

    (relay,) = verbs.read(CONNECT, problems.append)

    assert isinstance(relay, verbs.Relay)
    assert (relay.url, relay.action) == ("wss://pay.example.test/relay", "/api/action")
    assert (relay.greeting, dict(relay.parameters)) == ("Hello & welcome.", {"ticket": "t-1"})
    assert (True, True, {"en-US", "es-US"}) == (relay.dtmf, relay.interruptible, relay.languages)
    assert problems == []


@pytest.mark.parametrize(
    "attribute",
    [
        'welcomeGreetings="hi"',
        'interruptible="sometimes"',
        'dtmfDetection="yes"',
        'language="english"',
        'ttsProvider="Acme"',
        'speechTimeout="100"',
        'debug="debugging"',
        'intelligenceService="GA1"',
        'turnDetection="on"',
        'hints="4242424242424242"',
    ],
)
def test_what_twilio_would_not_take_is_a_violation(attribute: str) -> None:
    """Misspelt names, values out of range, attributes not fit for PCI, card data."""
    problems: list[str] = []

    verbs.read(RELAY.format(attribute), problems.append)

    assert len(problems) == 1, problems


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("wss://x.test/relay", True),
        ("ws://127.0.0.1:3000/relay", True),
        ("ws://x.test/relay", False),
        ("https://x.test/relay", False),
        ("wss://x.test/relay/", False),
        ("wss://x.test/relay?a=1", False),
    ],
)
def test_the_sockets_url_is_wss_without_query_or_trailing_slash(url: str, fine: bool) -> None:
    """Both would change what is signed; plain ws is for loopback only."""
    problems: list[str] = []

    verbs.read(RELAY.replace("wss://x.test/r", url).format(""), problems.append)

    assert fine == (not problems)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("<Response><Connect", "not XML"),
        ("<Answer/>", "begins with"),
        ("<Response><Connect><ConversationRelay url='wss://x.test/r'/></Connect></Response>", "lacks action"),
        ("<Response><Connect action='/a'/></Response>", "without a usable"),
        ("<Response><Redirect>/x</Redirect></Response>", "cannot stand in"),
        ("<Response><Dial action='/a'>call me</Dial></Response>", "cannot ring"),
        (f"<Response><Enqueue action='/a' workflowSid='{WORKFLOW}'><Task>no</Task></Enqueue></Response>", "JSON"),
        (f"<Response><Enqueue workflowSid='{WORKFLOW}'><Task>{{}}</Task></Enqueue></Response>", "lacks action"),
        (
            f"<Response><Enqueue action='/a' workflowSid='{WORKFLOW}'>"
            '<Task>{"n":"4242424242424242"}</Task></Enqueue></Response>',
            "card data",
        ),
    ],
)
def test_broken_documents_are_named(document: str, says: str) -> None:
    """Each with what is wrong with it."""
    problems: list[str] = []

    verbs.read(document, problems.append)

    assert any(says in problem for problem in problems), problems


def test_hand_off_verbs_are_read() -> None:
    """Queue, number and goodbye come in the order they stand."""
    document = (
        f'<Response><Say>Sorry.</Say><Enqueue action="/q" workflowSid="{WORKFLOW}"><Task>{{"a": 1}}</Task></Enqueue>'
        '<Dial action="/d" timeout="20"><Number>+15550123</Number></Dial><Pause length="1"/><Hangup/></Response>'
    )
    problems: list[str] = []

    found = verbs.read(document, problems.append)

    assert [
        verbs.Say("Sorry."),
        verbs.Enqueue("/q", WORKFLOW, '{"a": 1}'),
        verbs.Dial("/d", "+15550123"),
        verbs.Hangup(),
    ] == found
    assert problems == []
    assert [verbs.Hangup()] == verbs.read(HANGUP, problems.append)
