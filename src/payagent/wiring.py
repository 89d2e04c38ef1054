"""The composition root: from settings to a running line."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from time import monotonic

import aiohttp
import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from payagent import stores
from payagent.accounts.demo import load_demo
from payagent.doctor import Probes
from payagent.errors import SettingsError
from payagent.flow.table import Flow, build
from payagent.journal.protocol import Journal
from payagent.journal.sealing import Sealing
from payagent.journal.spool import Spool
from payagent.llm import Model
from payagent.metrics import Metrics
from payagent.performer import Performer
from payagent.phone.http import open_http
from payagent.phone.payments import PaymentOptions, Payments
from payagent.phone.signatures import Signatures
from payagent.phone.twiml import RelaySettings
from payagent.session import Desk, Watcher
from payagent.settings import Settings
from payagent.speech import Sentences
from payagent.switchboard import Switchboard
from payagent.traces import traces_to
from payagent.web import app
from payagent.web.desk import Drain, FrontDesk
from payagent.web.gate import Gate, Limits

_log = structlog.get_logger("payagent.wiring")

LAB_KEY = "a rehearsal's record is not secret"
"""Key of the records that rehearsals leave, so that `verify` works on them too."""


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def flow_of(settings: Settings) -> Flow:
    """The table these settings ask for."""
    routes = [
        route
        for route, given in (("queue", settings.twilio_workflow_sid), ("dial", settings.transfer_phone_number))
        if given
    ]
    return build(settings.pace, settings.profile, settings.limits(), routes, tuple(settings.voices))


def payments_of(settings: Settings, http: aiohttp.ClientSession) -> Payments:
    """Twilio's Payments for this account."""
    return Payments(
        account_sid=settings.twilio_account_sid,
        api_key=settings.twilio_api_key,
        api_secret=settings.twilio_api_secret.get_secret_value(),
        connector=settings.twilio_pay_connector,
        status_callback=settings.callback_url,
        http=http,
        base_url=settings.twilio_api_base_url,
        options=PaymentOptions(
            valid_card_types=settings.valid_card_types,
            postal_code=any(field.name == "postal_code" for field in settings.profile.fields),
            min_postal_code_length=settings.min_postal_code_length,
            timeout=settings.pay_timeout,
        ),
        retries=settings.rest_retries,
        patience=settings.rest_patience_seconds,
    )


def model_of(settings: Settings) -> Model:
    """The language model."""
    return Model(
        settings.openai_api_key.get_secret_value(),
        settings.openai_base_url,
        settings.openai_model,
        streaming=settings.openai_streaming,
        first_word_seconds=settings.model_first_word_seconds,
        turn_seconds=settings.model_turn_seconds,
    )


def application(
    settings: Settings,
    watchers: Sequence[Watcher] = (),
    now: Callable[[], datetime] = utc_now,
    drain: Drain | None = None,
) -> Starlette:
    """The production app. Everything shared is opened when it starts and closed when it stops.

    `now` is the wall clock, and goes as the running loop's does; `drain` says when the process takes its leave.

    Raises:
        SettingsError: a setting asks for what there is not.
        SpeechError: a sentence is missing, or names a value it is not given.
    """
    flow = flow_of(settings)
    relay = relay_of(settings)
    sentences = Sentences.load(settings.sentences_dir, tuple(settings.voices))
    traces = traces_to(settings.otel_exporter_otlp_endpoint)

    @asynccontextmanager
    async def opened() -> AsyncIterator[FrontDesk]:
        journal = stores.journal_of(settings.database_url, settings.journal_secret)
        accounts = stores.accounts_of(
            settings.database_url, settings.identity_failures_per_day, settings.declined_cards_per_day
        )
        model, metrics = model_of(settings), Metrics()
        async with open_http(settings.twilio_api_base_url) as http:
            worker = f"{os.getpid()}-{secrets.token_hex(4)}"
            claim = timedelta(seconds=settings.order_claim_seconds)
            performer = Performer(journal, accounts, payments_of(settings, http), worker, now, metrics, claim, traces)
            patience = settings.outage_seconds * settings.time_scale
            seen = list(watchers)
            locales = _locales(settings)
            alone = settings.database_path is not None
            desk = Desk(journal, performer, model, sentences, locales, now, seen, metrics, patience, traces, alone)
            spool = Spool(settings.spool_path, settings.journal_secret)
            switchboard = Switchboard(flow, desk, spool)
            sealing = Sealing(journal, settings.seal_seconds, now)
            try:
                await spool.open()
                await journal.open()
                await journal.take_over(now())
                await accounts.open()
                if settings.wants_demo_accounts:
                    await load_demo(accounts)
                switchboard.sweep_on()
                sealing.begin()
                _tell_of_console(settings)
                yield _front_desk(settings, switchboard, journal, sentences, relay, metrics, drain or Drain())
            finally:
                await switchboard.close()
                await sealing.close()
                await model.close()
                await accounts.close()
                await journal.close()
                await asyncio.to_thread(traces.close)

    return app.build(opened, settings.relay_path, console_of(settings, flow))


def console_of(settings: Settings, flow: Flow) -> list[BaseRoute]:
    """The operator's pages; none without a credential."""
    if not settings.console_passwords:
        return []
    from payagent.web.console.routes import ConsoleSettings, routes  # templates: nothing that a line without it needs

    return routes(
        ConsoleSettings(
            passwords=settings.console_passwords,
            key=hmac.digest(settings.journal_secret, b"payagent console", hashlib.sha256),
            secure=settings.public_url.startswith("https:"),
            longest=timedelta(hours=settings.console_session_hours),
            idle=timedelta(minutes=settings.console_idle_minutes),
            guesses_per_name=settings.console_guesses_per_name,
            guesses_per_address=settings.console_guesses_per_address,
        ),
        flow,
        utc_now,
    )


def _tell_of_console(settings: Settings) -> None:
    if settings.console_passwords:
        _log.info("the console is on", url=f"{settings.public_url}/console")
    else:
        _log.info("the console is off; `payagent console-password NAME` makes what CONSOLE_USERS needs to switch it on")


def _locales(settings: Settings) -> dict[str, str]:
    return {language: voice.code for language, voice in settings.voices.items()}


def _front_desk(
    settings: Settings,
    switchboard: Switchboard,
    journal: Journal,
    sentences: Sentences,
    relay: RelaySettings,
    metrics: Metrics,
    drain: Drain,
) -> FrontDesk:
    return FrontDesk(
        switchboard=switchboard,
        journal=journal,
        signatures=Signatures(settings.auth_tokens),
        sentences=sentences,
        relay=relay,
        locales=_locales(settings),
        public_url=settings.public_url,
        relay_url=settings.relay_url,
        action_url=settings.action_url,
        greeting=settings.welcome_greeting,
        workflow_sid=settings.twilio_workflow_sid,
        transfer_number=settings.transfer_phone_number,
        dial_seconds=20,
        key=hmac.digest(settings.journal_secret, b"payagent relay and caller", hashlib.sha256),
        language_keys=settings.language_keys,
        max_body_bytes=settings.max_body_bytes,
        gate=Gate(
            Limits(
                settings.calls_of_one_caller,
                settings.max_calls,
                settings.max_waiting_sockets,
                settings.body_seconds,
                settings.setup_seconds,
            ),
            monotonic,
        ),
        metrics=metrics,
        metrics_token=settings.metrics_token.get_secret_value() if settings.metrics_token else "",
        drain=drain,
    )


def relay_of(settings: Settings) -> RelaySettings:
    """How the relay speaks and listens.

    Raises:
        SettingsError: voices that Twilio would not take; a wrong pair would cost every call (64101, 64106).
    """
    spoken = list(settings.voices)
    voices = [asdict(settings.voices[language]) for language in spoken]
    try:
        return RelaySettings.model_validate({"languages": voices, "dtmf_detection": bool(settings.language_keys)})
    except ValidationError as error:
        # That none is left once the wrong ones are out says nothing new.
        found = [each for each in error.errors() if each["loc"] != ("languages",)]
        raise SettingsError([_voice_problem(spoken, each) for each in found]) from None


def _voice_problem(spoken: list[str], found: ErrorDetails) -> str:
    """The setting that is wrong, and how."""
    match found["loc"]:
        case ("languages", int(n), str(field)):
            setting = f"{spoken[n]}_{'language' if field == 'code' else field}"
        case ("languages", int(n)):
            setting = f"{spoken[n]}_speech_model"
        case _:
            setting = f"{spoken[-1]}_language"
    return f"{setting.upper()}: {found['msg'].removeprefix('Value error, ')}"


def probes_of(settings: Settings) -> Probes:
    """What the doctor may try."""

    async def database() -> None:
        await stores.check(settings.database_url)

    async def twilio() -> None:
        async with open_http(settings.twilio_api_base_url) as http:
            await payments_of(settings, http).check()

    async def model() -> None:
        asked = model_of(settings)
        try:
            await asked.check()
        finally:
            await asked.close()

    async def post(url: str, form: dict[str, str], headers: dict[str, str]) -> int:
        import httpx  # the doctor's alone: a line that takes calls does not load it

        async with httpx.AsyncClient(trust_env=not settings.has_stand_in) as http:
            return (await http.post(url, data=form, headers=headers)).status_code

    return Probes(database, twilio, model, post)


def journal_key_here() -> bytes:
    """The key that this machine's settings give the record; a lab's own when there are no settings to be used."""
    try:
        return Settings.load().journal_secret
    except SettingsError:
        return LAB_KEY.encode()
