"""The TwiML answers: what Twilio reads in them, and what must not be in them."""

from __future__ import annotations

import inspect
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from twilio.twiml.voice_response import Connect, ConversationRelay

from payagent.phone import twiml

URL = "wss://pay.example.test/relay"
ACTION = "https://pay.example.test/api/action?a=1&b=2"
NASTY = "Tom & Jerry <b>say</b> \"hi\" 'there' á"
ENGLISH = twiml.RelayLanguage(
    code="en-US",
    tts_provider="Amazon",
    voice="Joanna-Neural",
    transcription_provider="Deepgram",
    speech_model="nova-3-general",
)
SPANISH = twiml.RelayLanguage(
    code="es-US",
    tts_provider="Amazon",
    voice="Lupe-Neural",
    transcription_provider="Deepgram",
    speech_model="nova-2-general",  # the model that every age of Twilio's list has for Spanish
)
GERMAN: dict[str, Any] = {
    "code": "de-DE",
    "tts_provider": "Google",
    "voice": "de-DE-Journey-F",
    "transcription_provider": "Google",
    "speech_model": "telephony",
}


def read(text: str) -> ElementTree.Element:
    """The document as an XML parser sees it."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(text)
    assert root.tag == "Response"
    return root


def connected(relay: twiml.RelaySettings | None = None, **changes: Any) -> ElementTree.Element:
    """The `<Connect>` of an answer with these settings."""
    given = {"url": URL, "action": ACTION, "token": "n.m", "greeting": "Hello"} | changes
    (connect,) = read(twiml.connect(relay or twiml.RelaySettings(languages=(ENGLISH, SPANISH)), **given))
    return connect


def test_connects_to_the_relay() -> None:
    """The default answer, attribute by attribute: nothing is left to Twilio's own defaults that matters here."""
    connect = connected()
    (noun,) = connect

    assert (connect.tag, connect.attrib) == ("Connect", {"action": ACTION, "method": "POST"})
    assert noun.tag == "ConversationRelay"
    assert noun.attrib == {
        "url": URL,
        "language": "en-US",
        "ttsProvider": "Amazon",
        "voice": "Joanna-Neural",
        "transcriptionProvider": "Deepgram",
        "speechModel": "nova-3-general",
        "welcomeGreeting": "Hello",
        "welcomeGreetingInterruptible": "speech",
        "interruptible": "speech",
        "reportInputDuringAgentSpeech": "any",
        "dtmfDetection": "true",
    }


def test_names_every_language_and_the_token() -> None:
    """English and Spanish come with explicit providers, then the one-call token."""
    (noun,) = connected()
    english, spanish, parameter = noun

    assert [english.tag, spanish.tag] == ["Language", "Language"]
    assert english.attrib == {
        "code": "en-US",
        "ttsProvider": "Amazon",
        "voice": "Joanna-Neural",
        "transcriptionProvider": "Deepgram",
        "speechModel": "nova-3-general",
    }
    assert spanish.attrib == {
        "code": "es-US",
        "ttsProvider": "Amazon",
        "voice": "Lupe-Neural",
        "transcriptionProvider": "Deepgram",
        "speechModel": "nova-2-general",
    }
    assert (parameter.tag, parameter.attrib) == ("Parameter", {"name": "token", "value": "n.m"})


def test_the_first_language_is_the_default_one() -> None:
    """The noun speaks the first language of the settings."""
    german = twiml.RelayLanguage(**GERMAN)
    (noun,) = connected(twiml.RelaySettings(languages=(german, ENGLISH)))

    assert tuple(noun.attrib[k] for k in ("language", "ttsProvider", "speechModel")) == ("de-DE", "Google", "telephony")
    assert [child.attrib["code"] for child in noun if child.tag == "Language"] == ["de-DE", "en-US"]


def test_without_keys_nothing_but_speech_is_reported() -> None:
    """With the language key switched off, keypad tones are not asked for at all."""
    (noun,) = connected(twiml.RelaySettings(languages=(ENGLISH, SPANISH), dtmf_detection=False))

    assert noun.attrib["dtmfDetection"] == "false"
    assert "speech" == noun.attrib["reportInputDuringAgentSpeech"] == noun.attrib["interruptible"]


@pytest.mark.parametrize("greeting", [None, ""])
def test_a_second_relay_does_not_greet(greeting: str | None) -> None:
    """A re-connect comes without greeting and without the greeting's attributes."""
    (noun,) = connected(greeting=greeting)

    assert not [name for name in noun.attrib if name.startswith("welcome")]


def test_everything_is_escaped() -> None:
    """Markup in a greeting, a token, a card or a sentence stays text."""
    (noun,) = connected(greeting=NASTY, token=NASTY)
    task = read(twiml.enqueue("WW01", ACTION, {"reason": NASTY}))[0][0]
    say = read(twiml.say_and_hang_up(NASTY, "en-US"))[0]

    assert NASTY == noun.attrib["welcomeGreeting"] == noun[-1].attrib["value"]
    assert json.loads(task.text or "") == {"reason": NASTY}
    assert say.text == NASTY


def test_characters_xml_cannot_carry_are_left_out() -> None:
    """One stray control character or half a surrogate pair does not make the whole answer unreadable."""
    (noun,) = connected(greeting="He\x00l\x1blo\ud83d\ufffe 😀")
    say = read(twiml.say_and_hang_up("b\x08ye", "en-US"))[0]
    task = read(twiml.enqueue("WW01", ACTION, {"reason": "\x00\ud83d"}))[0][0]

    assert noun.attrib["welcomeGreeting"] == "Hello 😀"
    assert say.text == "bye"
    assert json.loads(task.text or "") == {"reason": "\x00\ud83d"}


def test_every_attribute_is_one_the_sdk_names() -> None:
    """A misspelt attribute in our models fails here: the SDK passes unknown ones on in silence."""
    noun = inspect.signature(Connect.conversation_relay).parameters
    language = inspect.signature(ConversationRelay.language).parameters

    assert set(twiml.RelayNoun.model_fields) <= set(noun)
    assert set(twiml.RelayLanguage.model_fields) <= set(language)


def test_nothing_that_copies_the_talk_can_be_asked_for() -> None:
    """What Twilio marks as not PCI compliant, or as a second copy of the talk, is not even a field."""
    barred = {"debug", "intelligence_service", "turn_detection", "conversation_configuration", "include_in_prompt"}

    assert not barred & set(twiml.RelayNoun.model_fields)


NOUN: dict[str, Any] = {
    "url": URL,
    "language": "en-US",
    **ENGLISH.model_dump(exclude={"code"}),
    "interruptible": "speech",
    "report_input_during_agent_speech": "any",
    "dtmf_detection": True,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"interuptible": "speech"},
        {"debug": "debugging"},
        {"turn_detection": True},
        {"interruptible": "sometimes"},
        {"report_input_during_agent_speech": "all"},
        {"welcome_greeting_interruptible": "true"},
        {"tts_provider": "amazon"},
        {"transcription_provider": "Amazon"},
        {"language": "english"},
        {"language": "multi"},
    ],
)
def test_a_wrong_attribute_is_an_error(changes: dict[str, Any]) -> None:
    """Unknown attributes and values Twilio does not list are refused before they reach Twilio."""
    twiml.RelayNoun(**NOUN)

    with pytest.raises(ValidationError):
        twiml.RelayNoun(**NOUN | changes)


@pytest.mark.parametrize(
    "url",
    ["wss://pay.example.test/relay", "wss://h:8443/a/b", "ws://127.0.0.1:3000/r", "ws://localhost/r", "ws://[::1]:3/r"],
)
def test_relay_urls_twilio_can_use(url: str) -> None:
    """`wss://` anywhere, `ws://` on this machine."""
    (noun,) = connected(url=url)

    assert url == noun.attrib["url"]


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.test/relay",
        "ws://pay.example.test/relay",
        "ws://10.0.0.1/relay",
        "ws://localhost.example.test/relay",
        "wss:///relay",
        "wss://user:secret@pay.example.test/relay",
        "wss://pay.example.test/relay/",
        "wss://pay.example.test/relay?call=1",
        "wss://pay.example.test/relay?",
        "wss://pay.example.test/relay#x",
        "wss://pay.example.test:0/relay",
        "wss://pay.example.test:port/relay",
        "",
    ],
)
def test_relay_urls_twilio_cannot_use(url: str) -> None:
    """What could not be reached or whose signature could not be checked is refused at once."""
    with pytest.raises(ValueError, match=r"relay URL|[Pp]ort"):
        connected(url=url)


@pytest.mark.parametrize(
    "changes",
    [
        {"voice": ""},
        {"speech_model": "nova-3-general"},
        {"transcription_provider": "Deepgram"},
        {"code": "german"},
        {"pitch": "high"},
        {"tts_provider": "OpenAI"},
    ],
)
def test_a_language_twilio_would_refuse(changes: dict[str, Any]) -> None:
    """A model of the other provider, an empty voice or an unknown name would cost the call: refused at start-up."""
    with pytest.raises(ValidationError):
        twiml.RelayLanguage(**GERMAN | changes)


@pytest.mark.parametrize("languages", [(), (ENGLISH, ENGLISH)])
def test_languages_are_some_and_differ(languages: tuple[twiml.RelayLanguage, ...]) -> None:
    """At least one language, and none twice."""
    with pytest.raises(ValidationError):
        twiml.RelaySettings(languages=languages)


def test_enqueues_with_the_card() -> None:
    """The workflow decides on the queue; the card travels as JSON."""
    card = {"callSid": "CA02", "amount": "12.10", "lastFour": None, "attempts": 2, "verified": True}
    (enqueue,) = read(twiml.enqueue("WW01", ACTION, card))
    (task,) = enqueue

    assert (enqueue.tag, enqueue.attrib) == ("Enqueue", {"workflowSid": "WW01", "action": ACTION, "method": "POST"})
    assert enqueue.text is None
    assert ("Task", card) == (task.tag, json.loads(task.text or ""))


@pytest.mark.parametrize(("caller_id", "shown"), [(None, {}), ("+15550199", {"callerId": "+15550199"})])
def test_dials_a_number(caller_id: str | None, shown: dict[str, str]) -> None:
    """The number is rung for so many seconds, and the result comes back to the action."""
    (dial,) = read(twiml.dial("+15550123", ACTION, caller_id, 25))
    (number,) = dial

    assert {"action": ACTION, "method": "POST", "timeout": "25"} | shown == dial.attrib
    assert (number.tag, number.text) == ("Number", "+15550123")


@pytest.mark.parametrize(("text", "tags"), [("Adiós.", ["Say", "Hangup"]), (None, ["Hangup"]), ("", ["Hangup"])])
def test_says_goodbye_and_hangs_up(text: str | None, tags: list[str]) -> None:
    """With a sentence or without, the call ends."""
    root = read(twiml.say_and_hang_up(text, "es-US"))

    assert tags == [verb.tag for verb in root]
    assert all(verb.attrib == {"language": "es-US"} and verb.text == text for verb in root if verb.tag == "Say")


def test_empty_asks_for_nothing() -> None:
    """The answer to a call that is over."""
    assert list(read(twiml.empty())) == []


def test_a_call_too_many_is_busy() -> None:
    """Rejected before it is answered, so that it costs nobody anything; Twilio knows no other reasons than two."""
    (reject,) = read(twiml.reject())

    assert (reject.tag, reject.attrib) == ("Reject", {"reason": "busy"})
