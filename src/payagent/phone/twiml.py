"""The TwiML this program answers with: built with the twilio SDK, checked by models of ours.

Rules:

* The SDK checks nothing, so `RelayNoun` does: an attribute or value that is not listed is an error.
* Listed is what Twilio documents *and* a payment line may use: no `debug`, `intelligenceService`, `turnDetection` or
  orchestration (documented as not PCI compliant, or as copies of the talk).
* Keypad tones neither interrupt the agent nor count as speech; a barge-in's words are delivered (since May 2025
  Twilio's own default would lose them).
* The SDK escapes; characters that XML cannot carry at all are left out.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from twilio.twiml.voice_response import VoiceResponse

Trigger = Literal["none", "dtmf", "speech", "any"]
Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})+$")]
"""A BCP-47 language with its region: `en-US`, `es-419`."""

DEEPGRAM_MODELS = ("nova-", "flux")

TOKEN_PARAMETER = "token"  # noqa: S105 - the name of the parameter, not a token
"""The `<Parameter>` that comes back in the relay's `setup` frame."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RelayLanguage(_Strict):
    """One language of the line: who speaks it, with which voice, and who listens, with which model."""

    code: Code
    tts_provider: Literal["Google", "Amazon", "ElevenLabs"]
    voice: str = Field(min_length=1)
    transcription_provider: Literal["Google", "Deepgram"]
    speech_model: str = Field(min_length=1)

    @model_validator(mode="after")
    def _model_fits_provider(self) -> Self:
        """A wrong pair would cost the call: Twilio reports 64101 or 64106 and disconnects."""
        if self.speech_model.startswith(DEEPGRAM_MODELS) != (self.transcription_provider == "Deepgram"):
            raise ValueError(f"{self.transcription_provider} has no speech model {self.speech_model}")
        return self


class RelaySettings(_Strict):
    """How the relay speaks and listens: its languages, the default one first, and whether it reports keys."""

    languages: tuple[RelayLanguage, ...] = Field(min_length=1)
    dtmf_detection: bool = True

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        codes = [language.code for language in self.languages]
        if len(set(codes)) < len(codes):
            raise ValueError("a language is given twice")
        return self


def relay_url(url: str) -> str:
    """The URL itself, if Twilio can reach it and its handshake's signature can be checked.

    Raises:
        ValueError: not `wss://` (`ws://` to this machine), or with a query, fragment, user or trailing slash.
    """
    parts = urlsplit(url)
    local = parts.scheme == "ws" and is_loopback(parts.hostname or "")
    if not (parts.scheme == "wss" or local) or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("the relay URL must be wss://host/path (ws:// only on this machine)")
    if "?" in url or "#" in url or url.endswith("/"):
        raise ValueError("the relay URL must have no query, no fragment and no trailing slash")
    return url


def is_loopback(host: str) -> bool:
    """Whether this host is the machine itself: `localhost`, 127.0.0.0/8 or ::1 (without brackets)."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class RelayNoun(_Strict):
    """The attributes of `<ConversationRelay>`, under the SDK's names for them (fact sheet 2.1)."""

    url: Annotated[str, AfterValidator(relay_url)]
    language: Code
    tts_provider: Literal["Google", "Amazon", "ElevenLabs"]
    voice: str
    transcription_provider: Literal["Google", "Deepgram"]
    speech_model: str
    interruptible: Trigger
    report_input_during_agent_speech: Trigger
    dtmf_detection: bool
    welcome_greeting: str | None = None
    welcome_greeting_interruptible: Trigger | None = None


def connect(relay: RelaySettings, *, url: str, action: str, token: str, greeting: str | None) -> str:
    """`<Connect action><ConversationRelay>` with its languages and the one-call token; None: no greeting.

    Raises:
        ValueError: the relay URL is not one Twilio can use.
    """
    response = _response()
    first = relay.languages[0]
    noun = RelayNoun(
        url=url,
        language=first.code,
        **first.model_dump(exclude={"code"}),
        interruptible="speech",
        # With keys reported, "speech" would lose those pressed while the agent speaks (fact sheet 3.1).
        report_input_during_agent_speech="any" if relay.dtmf_detection else "speech",
        dtmf_detection=relay.dtmf_detection,
        welcome_greeting=_carriable(greeting) if greeting else None,
        welcome_greeting_interruptible="speech" if greeting else None,
    )
    element = response.connect(action=action, method="POST").conversation_relay(**noun.model_dump())
    for language in relay.languages:
        element.language(**language.model_dump())
    element.parameter(name=TOKEN_PARAMETER, value=token)
    return str(response)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words to say first, and their language (`en-US`)."""

    text: str
    language: str


def enqueue(workflow_sid: str, action: str, card: Mapping[str, object], first: Spoken | None = None) -> str:
    """`<Enqueue>` to a TaskRouter workflow; `card` (JSON values) becomes the task's attributes, not secret."""
    response = _response()
    _say(response, first)
    response.enqueue(None, workflow_sid=workflow_sid, action=action, method="POST").task(json.dumps(card))
    return str(response)


def dial(number: str, action: str, caller_id: str | None, timeout: int = 20, first: Spoken | None = None) -> str:
    """`<Dial>` a number, letting it ring for `timeout` seconds; `caller_id` None: the caller's own."""
    response = _response()
    _say(response, first)
    response.dial(action=action, method="POST", caller_id=caller_id, timeout=timeout).number(number)
    return str(response)


def say_and_hang_up(text: str | None, language: str) -> str:
    """Say `text` (if any) in `language` (`en-US`), then hang up."""
    response = _response()
    _say(response, Spoken(text, language) if text else None)
    response.hangup()
    return str(response)


def reject() -> str:
    """`<Reject reason="busy">`: the call is not answered, and not billed; the caller hears that it is busy."""
    response = _response()
    response.reject(reason="busy")
    return str(response)


def empty() -> str:
    """`<Response/>`: nothing is asked of Twilio."""
    return str(_response())


def _say(response: VoiceResponse, spoken: Spoken | None) -> None:
    if spoken:
        response.say(_carriable(spoken.text), language=spoken.language)


def _response() -> VoiceResponse:
    from twilio.twiml.voice_response import VoiceResponse  # imported late, for a quick start

    return VoiceResponse()


def _carriable(text: str) -> str:
    """The text without the characters XML 1.0 cannot carry, not even escaped (section 2.2 of its standard)."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
