"""Reads the app's TwiML as strictly as Twilio's documents word it (fact sheet 2.1, 2.2, 8).

An attribute Twilio does not list, or a value outside its range, is a violation: Twilio would end the call with
64101 or, worse, go on without what was meant. So are the attributes its documents call not fit for PCI.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree  # what is parsed is the app under test's own answer

from payagent.lab.cards import contains_card
from payagent.lab.signing import Report


@dataclass(frozen=True, slots=True)
class Relay:
    """`<Connect><ConversationRelay>`."""

    url: str
    action: str
    greeting: str
    greeting_interruptible: bool
    language: str
    languages: frozenset[str]
    interruptible: bool
    dtmf: bool
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Enqueue:
    """`<Enqueue><Task>`: to a TaskRouter workflow."""

    action: str
    workflow: str
    task: str


@dataclass(frozen=True, slots=True)
class Dial:
    """`<Dial>`: to a number."""

    action: str
    number: str


@dataclass(frozen=True, slots=True)
class Say:
    """`<Say>`."""

    words: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """`<Hangup>`."""


Verb = Relay | Enqueue | Dial | Say | Hangup

_BOOLEAN = "true|false"
_CAUSE = "none|dtmf|speech|any"
_TAG = r"multi|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"
_TEXT = r"(?s).+"
_URL = r"(https?://|/)\S+"
_SOCKET = r"(wss://[^/?#]+|ws://(127\.0\.0\.1|localhost)(:\d+)?)(/[^?#\s]*[^/?#\s])?"
_PHONE = r"\+[1-9]\d{6,14}"

_RELAY = {
    "url": _SOCKET,
    "welcomeGreeting": _TEXT,
    "welcomeGreetingInterruptible": _CAUSE,
    "language": _TAG,
    "ttsLanguage": _TAG,
    "transcriptionLanguage": _TAG,
    "ttsProvider": "Google|Amazon|ElevenLabs",
    "voice": _TEXT,
    "transcriptionProvider": "Google|Deepgram",
    "speechModel": r"[\w-]+",
    "interruptible": f"{_CAUSE}|{_BOOLEAN}",
    "interruptSensitivity": "low|medium|high",
    "reportInputDuringAgentSpeech": _CAUSE,
    "preemptible": _BOOLEAN,
    "dtmfDetection": _BOOLEAN,
    "hints": _TEXT,
    "speechTimeout": r"auto|[6-9]\d\d|[1-4]\d{3}|5000",
    "eotThreshold": r"0\.[5-9]\d*",
    "eagerEotThreshold": r"0\.[3-9]\d*",
    "partialPrompts": _BOOLEAN,
    "partialPromptOnHangup": _BOOLEAN,
    "deepgramSmartFormat": _BOOLEAN,
    "asrSmartFormat": _BOOLEAN,
    "ignoreBackchannel": _BOOLEAN,
    "backgroundNoiseReduction": _TEXT,
    "profanityFilter": _BOOLEAN,
    "echoPromptFiltering": _BOOLEAN,
    "elevenlabsTextNormalization": "on|auto|off",
    "ttsTextNormalization": "on|auto|off",
    "events": "(speaker-events|tokens-played)( (speaker-events|tokens-played))*",
    "applicationReconnect": _BOOLEAN,
}
_LANGUAGE = {
    "code": _TAG,
    **{name: _RELAY[name] for name in ("ttsProvider", "voice", "transcriptionProvider", "speechModel", "hints")},
}
_METHOD = {"method": "POST|GET"}
_ALLOWED: dict[str, dict[str, str]] = {
    "Response": {},
    "Connect": {"action": _URL, **_METHOD},
    "ConversationRelay": _RELAY,
    "Language": _LANGUAGE,
    "Parameter": {"name": _TEXT, "value": _TEXT},
    "Enqueue": {
        "action": _URL,
        **_METHOD,
        "waitUrl": _URL,
        "waitUrlMethod": "POST|GET",
        "workflowSid": "WW[0-9a-f]{32}",
        "maxQueueSize": r"\d+",
    },
    "Task": {"priority": r"\d+", "timeout": r"\d+"},
    "Dial": {"action": _URL, **_METHOD, "callerId": _PHONE, "timeout": r"\d+", "answerOnBridge": _BOOLEAN},
    "Number": {},
    "Say": {"voice": _TEXT, "language": _TAG, "loop": r"\d+"},
    "Pause": {"length": r"\d+"},
    "Hangup": {},
}
_CHILDREN: dict[str, frozenset[str]] = {
    "Response": frozenset({"Connect", "Enqueue", "Dial", "Say", "Pause", "Hangup"}),
    "Connect": frozenset({"ConversationRelay"}),
    "ConversationRelay": frozenset({"Language", "Parameter"}),
    "Enqueue": frozenset({"Task"}),
    "Dial": frozenset({"Number"}),
}
_NEEDED: dict[str, tuple[str, ...]] = {
    # without `action` a lost socket ends the call, and nobody is told how the hand-off went
    "Connect": ("action",),
    "Enqueue": ("action", "workflowSid"),
    "Dial": ("action",),
    "ConversationRelay": ("url",),
    "Language": ("code",),
    "Parameter": ("name", "value"),
}
NOT_PCI = frozenset(
    {"debug", "intelligenceService", "turnDetection", "conversationConfiguration", "conversationId", "customerName"}
)


def read(document: str, report: Report) -> list[Verb]:
    """The verbs to follow, in order; whatever Twilio would not take is reported and left out."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314
    except ElementTree.ParseError as error:
        report(f"the TwiML is not XML: {error}")
        return []
    if root.tag != "Response":
        report(f"the TwiML begins with <{root.tag}>")
        return []
    _check(root, report)
    return [verb for element in root if (verb := _verb(element, report)) is not None]


def _check(element: ElementTree.Element, report: Report) -> None:
    allowed = _ALLOWED[element.tag]
    for name, value in element.attrib.items():
        _check_attribute(element.tag, name, value, allowed.get(name), report)
    for name in _NEEDED.get(element.tag, ()):
        if name not in element.attrib:
            report(f"<{element.tag}> lacks {name}")
    for child in element:
        if child.tag in _CHILDREN.get(element.tag, ()):
            _check(child, report)
        else:
            report(f"<{child.tag}> cannot stand in <{element.tag}>")


def _check_attribute(tag: str, name: str, value: str, pattern: str | None, report: Report) -> None:
    if name in NOT_PCI:
        report(f"<{tag} {name}> is documented as not fit for PCI")
    elif pattern is None:
        report(f"<{tag}> has no attribute {name}")
    elif not re.fullmatch(pattern, value):
        report(f"<{tag}> cannot take {name}={value!r}")
    elif contains_card(value):
        report(f"card data in <{tag} {name}>")


def _verb(element: ElementTree.Element, report: Report) -> Verb | None:
    get = element.attrib.get
    match element.tag:
        case "Connect":
            return _relay(element, report)
        case "Enqueue":
            return Enqueue(get("action", ""), get("workflowSid", ""), _task(element, report))
        case "Dial":
            return Dial(get("action", ""), _number(element, report))
        case "Say":
            return Say((element.text or "").strip())
        case "Hangup":
            return Hangup()
        case _:
            return None


def _relay(connect: ElementTree.Element, report: Report) -> Relay | None:
    noun = connect.find("ConversationRelay")
    if noun is None or "url" not in noun.attrib:
        report("<Connect> without a usable <ConversationRelay>")
        return None
    get = noun.attrib.get
    language = get("language", "en-US")
    codes = frozenset(child.get("code", "") for child in noun.findall("Language"))
    return Relay(
        url=noun.attrib["url"],
        action=connect.get("action", ""),
        greeting=get("welcomeGreeting", ""),
        greeting_interruptible=get("welcomeGreetingInterruptible", "any") in ("any", "speech"),
        language=get("transcriptionLanguage", language),
        languages=codes | {language},
        interruptible=get("interruptible", "any") in ("any", "speech", "true"),
        dtmf=get("dtmfDetection", "false") == "true",
        parameters={p.get("name", ""): p.get("value", "") for p in noun.findall("Parameter")},
    )


def _task(enqueue: ElementTree.Element, report: Report) -> str:
    text = enqueue.findtext("Task") or ""
    try:
        readable = isinstance(json.loads(text), dict)
    except ValueError:
        readable = False
    if not readable:
        report("<Task> is not a JSON object")
    if contains_card(text):
        report("card data in <Task>")
    return text


def _number(dial: ElementTree.Element, report: Report) -> str:
    number = (dial.findtext("Number") or dial.text or "").strip()
    if not re.fullmatch(_PHONE, number):
        report(f"<Dial> cannot ring {number!r}")
    return number
