"""Examines a deployment before it takes calls: one finding a line, each with what to do.

Rules: nothing is changed and nobody is called. Whatever reaches out is given in as a probe. A finding is good (True),
trouble (False), or something this program cannot see or decide and a person must look at (None). No finding shows a
secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from payagent.errors import SettingsError
from payagent.logs import Redaction
from payagent.phone.signatures import Signatures
from payagent.setting_rules import is_loopback
from payagent.settings import Settings

PROBE_SECONDS = 20.0
NO_CALL = {"CallSid": "CA" + "0" * 32, "Sid": "PK" + "0" * 32}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `ok` None means that a person must look. `message` says what to do."""

    name: str
    ok: bool | None
    message: str


Probe = Callable[[], Awaitable[None]]
"""Tries one thing; raises, in words, when it does not work."""

Post = Callable[[str, dict[str, str], dict[str, str]], Awaitable[int]]
"""POSTs a form (url, form, headers) and gives the answer's HTTP status; raises when there is no answer."""


@dataclass(frozen=True, slots=True)
class Probes:
    """What the doctor may do to the outside."""

    database: Probe
    twilio: Probe
    model: Probe
    post: Post


async def examine(load: Callable[[], Settings], probes_of: Callable[[Settings], Probes]) -> list[Finding]:
    """Load the settings and, if they can be used, look at everything else with them. Raises nothing on purpose."""
    try:
        settings = load()
    except SettingsError as error:
        return [*_unusable(error), Finding("everything else", None, "not looked at until the settings are right")]
    probes = probes_of(settings)
    redaction = Redaction(settings.secrets)
    reached = await asyncio.gather(
        _try("database", probes.database, f"opens: {settings.shown('DATABASE_URL')}", "see DATABASE_URL", redaction),
        _try(
            "Twilio REST",
            probes.twilio,
            f"{settings.twilio_api_base_url} accepts the credentials",
            "see TWILIO_ACCOUNT_SID, TWILIO_API_KEY and TWILIO_API_SECRET",
            redaction,
        ),
        _try(
            "model",
            probes.model,
            f"{settings.openai_model} is known at {settings.openai_base_url}",
            "see OPENAI_API_KEY, OPENAI_MODEL and OPENAI_BASE_URL",
            redaction,
        ),
    )
    webhooks = await _webhooks(settings, probes.post, redaction)
    return [*_usable(settings), *reached, *webhooks, *_stand_ins(settings), *_advice(settings)]


def _unusable(error: SettingsError) -> Iterator[Finding]:
    for problem in error.problems:
        name, _, message = problem.partition(": ")
        yield Finding(name, False, message)


def _usable(settings: Settings) -> Iterator[Finding]:
    """A line for every setting that was set, and one for all that were not."""
    names = [name for name, _, _ in Settings.table()]
    chosen = [name for name in names if name.lower() in settings.model_fields_set]
    for name in chosen:
        yield Finding(name, True, settings.shown(name))
    yield Finding("other settings", True, f"{len(names) - len(chosen)} are left at their defaults")


async def _try(name: str, probe: Probe, good: str, advice: str, redaction: Redaction) -> Finding:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe()
    except Exception as error:  # whatever goes wrong here is what the operator wants to read
        return Finding(name, False, f"{redaction.text(_words(error))}; {advice}")
    return Finding(name, True, good)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {PROBE_SECONDS:g} seconds"
    return str(error) or type(error).__name__


async def _webhooks(settings: Settings, post: Post, redaction: Redaction) -> list[Finding]:
    """Whether the program at the public URL takes what Twilio signs and nothing else.

    Both requests report on a call that does not exist: signed that is 404, unsigned 403; neither leaves a trace.
    """
    url = settings.callback_url
    form = {"AccountSid": settings.twilio_account_sid, **NO_CALL}
    signature = Signatures(settings.auth_tokens).sign(url, form)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            signed = await post(url, form, {"X-Twilio-Signature": signature})
            unsigned = await post(url, form, {})
    except Exception as error:  # any failure to reach it is the finding
        advice = f"start `payagent serve`, and a tunnel to port {settings.port} if you use one, then ask again"
        return [Finding("public URL", False, f"{url}: {redaction.text(_words(error))}; {advice}")]
    return [_signed(signed, settings), _unsigned(unsigned)]


def _signed(status: int, settings: Settings) -> Finding:
    name = "signed webhook"
    if status == 404:
        return Finding(name, True, f"{settings.callback_url} takes what is signed with TWILIO_AUTH_TOKEN")
    if status == 403:
        advice = "restart `payagent serve` with this TWILIO_AUTH_TOKEN and PUBLIC_URL"
        return Finding(name, False, f"the program there does not accept the signature; {advice}")
    advice = f"let PUBLIC_URL lead to port {settings.port} of `payagent serve`"
    return Finding(name, False, f"answered HTTP {status} where 404 was expected; {advice}")


def _unsigned(status: int) -> Finding:
    if status == 403:
        return Finding("unsigned webhook", True, "is turned away")
    return Finding("unsigned webhook", False, f"answered HTTP {status}, not 403; take no calls with what runs there")


def _stand_ins(settings: Settings) -> Iterator[Finding]:
    """What is fine in a lab and must not be so on a real line."""
    if settings.has_stand_in:
        yield Finding("stand-in", None, "TWILIO_API_BASE_URL is not Twilio's: no card will be charged")
    if is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield Finding("loopback", None, "PUBLIC_URL is this machine: Twilio cannot reach it, only a stand-in can")
    if settings.wants_demo_accounts and not settings.has_stand_in:
        yield Finding("demo accounts", None, "may answer real callers; set DEMO_ACCOUNTS=no before going live")


def _advice(settings: Settings) -> Iterator[Finding]:
    """What Twilio's documents ask of a PCI line (pages "PCI workflows", "ConversationRelay", "Payments")."""
    for language, voice in settings.voices.items():
        providers = f"spoken by {voice.tts_provider}, heard by {voice.transcription_provider}"
        matrix = "confirm that both are PCI compliant in Twilio's responsibility matrix"
        yield Finding(f"speech ({language})", None, f"{providers}; {matrix}")
    never = "turnDetection, intelligenceService, conversationConfiguration and debug are never asked for"
    yield Finding("intelligence and turn detection", True, f"off: {never}")
    keys = "are dropped unread while a payment is open" if settings.language_keys else "are not reported at all"
    yield Finding("keypad tones", True, f"{keys} (LANGUAGE_KEYS)")
    unseen = "cannot be read from here"
    yield Finding(
        "recording", None, f"{unseen}; this program records no call, see that nothing else in the account does"
    )
    yield Finding("PCI Mode", None, f"{unseen}; switch it on under Voice settings (for the whole account, for good)")
    yield Finding("AI addendum", None, f"{unseen}; switch it on under Voice settings, calls fail without it")
    connector = settings.twilio_pay_connector
    yield Finding("Pay connector", None, f"{unseen}; see that one named {connector} exists, and whether TEST or LIVE")
    yield Finding("phone number", None, f"{unseen}; let its voice webhook be POST {settings.incoming_url}")
