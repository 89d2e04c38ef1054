"""Everything a deployer can set, read from the environment and `.env` and checked as one.

Rules: every problem is found and named at once, each with what to do. A value that is a secret never stands in a
message. Blank means not set, but for `LANGUAGE_KEYS`, where blank turns the keys off. Nothing here reaches out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from payagent.errors import SettingsError
from payagent.flow.limits import Limits
from payagent.flow.states import Pace, Profile
from payagent.setting_rules import (
    AccountSid,
    ApiKeySid,
    CardTypes,
    ConsoleUsers,
    Count,
    Database,
    LanguageKeys,
    ModelBase,
    Origin,
    Phone,
    PublicOrigin,
    Seconds,
    Upper,
    WorkflowSid,
    is_placeholder,
    is_twilio,
    passwords_by_name,
    with_scheme,
)

RELAY_PATH = "/relay"


@dataclass(frozen=True, slots=True)
class Voice:
    """How one language is spoken and heard; each value is Twilio's `<Language>` attribute of that name."""

    code: str
    tts_provider: str
    voice: str
    transcription_provider: str
    speech_model: str


def _limit(name: str, meaning: str) -> Any:
    """A setting whose default is the flow's own."""
    return Field(default=getattr(Limits(), name), description=meaning)


def _setting(default: Any, meaning: str, **bounds: Any) -> Any:
    return Field(default=default, description=meaning, **bounds)


class FlowSettings(BaseSettings):
    """The flow's counts and waits, under the names of `flow.limits.Limits`."""

    identity_tries: Count = _limit("identity_tries", "failed identity checks in a call before a person takes over")
    field_tries: Count = _limit("field_tries", "rejected entries of one card field before a person takes over")
    declined_cards: Count = _limit("declined_cards", "declined cards in a call before a person takes over")
    reconnects: Count = _limit("reconnects", "times a lost relay is connected again in a call")
    model_failures: Count = _limit("model_failures", "model failures in a row before a person takes over")
    stopped_claims: Count = _limit("stopped_claims", "false claims of the model in a call before a person takes over")
    silences: Count = _limit("silences", "times a silent caller is asked before goodbye")
    start_failures: Count = _limit("start_failures", "payment sessions that fail to open before a person takes over")
    refused_tools: Count = _limit("refused_tools", "refused tool calls in one turn before the turn is ended")
    silence_seconds: Seconds = _limit("silence_seconds", "silence before the caller is asked whether they are there")
    turn_seconds: Seconds = _limit("turn_seconds", "longest wait of the flow for one model turn")
    start_seconds: Seconds = _limit("start_seconds", "longest wait for a payment session to open")
    due_seconds: Seconds = _limit("due_seconds", "wait for the model to ask for a card field before the clock does")
    cancel_seconds: Seconds = _limit("cancel_seconds", "longest wait for Twilio to accept a cancel")
    entry_prompt_seconds: Seconds = _limit("entry_prompt_seconds", "wait for the keypad before the prompt is repeated")
    entry_person_seconds: Seconds = _limit("entry_person_seconds", "wait for the keypad before a person is offered")
    entry_total_seconds: Seconds = _limit("entry_total_seconds", "longest time for keying in one field")
    quiet_keys_seconds: Seconds = _limit("quiet_keys_seconds", "quiet on the keypad before a field may be asked anew")
    still_working_seconds: Seconds = _limit("still_working_seconds", "how often the caller is told it is still working")
    unknown_seconds: Seconds = _limit("unknown_seconds", "wait for the processor before the outcome counts as unknown")
    line_lost_seconds: Seconds = _limit("line_lost_seconds", "wait for a lost relay to come back")
    look_up_seconds: Seconds = _limit("look_up_seconds", "longest wait for the book of accounts")
    hand_off_seconds: Seconds = _limit("hand_off_seconds", "longest time a hand-off may last")
    speaking_seconds_per_character: Seconds = _limit(
        "speaking_seconds_per_character", "estimate of how long a sentence takes to be spoken"
    )
    time_scale: Seconds = _setting(1.0, "factor on every wait above; a lab shortens them")

    def limits(self) -> Limits:
        """The flow's numbers, waits already multiplied by `TIME_SCALE`."""
        return Limits(**{field.name: getattr(self, field.name) for field in fields(Limits)}).scaled(self.time_scale)


class Settings(FlowSettings):
    """All settings; the environment name of each is its own in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    twilio_account_sid: AccountSid = Field(description="the account's SID, on the console's home page")
    twilio_auth_token: SecretStr = Field(description="the account's auth token (console home page): it signs webhooks")
    twilio_auth_token_secondary: SecretStr | None = _setting(None, "a second auth token to accept while rotating them")
    twilio_api_key: ApiKeySid = Field(description="SID of a standard API key (console: API keys)")
    twilio_api_secret: SecretStr = Field(description="the API key's secret, shown once when the key is made")
    twilio_pay_connector: str = _setting("Default", "unique name of the Pay connector (its name, not a SID)")
    twilio_workflow_sid: WorkflowSid | None = _setting(
        None, "TaskRouter workflow that takes hand-offs; wins over TRANSFER_PHONE_NUMBER"
    )
    transfer_phone_number: Phone | None = _setting(None, "number that hand-offs are dialled to, as +15551234567")
    twilio_api_base_url: Origin = _setting("https://api.twilio.com", "origin of Twilio's REST API, or of a stand-in")
    public_url: PublicOrigin = Field(
        description="https origin that Twilio reaches this program at, as https://pay.example.com (or NGROK_DOMAIN)"
    )
    ngrok_domain: str | None = _setting(None, "a tunnel's domain, with or without https://; stands in for PUBLIC_URL")
    listen_address: str = _setting("127.0.0.1", "address to listen on; 0.0.0.0 in a container")
    port: int = _setting(3000, "port to listen on", ge=0, le=65535)
    max_body_bytes: int = _setting(65536, "longest webhook body that is read", ge=1024)
    body_seconds: Seconds = _setting(10.0, "longest wait for a webhook's body")
    setup_seconds: Seconds = _setting(10.0, "longest wait for a relay to say which call it is for")
    calls_per_minute: int | None = _setting(
        None,
        "calls one caller may make in a minute, 0 for any number; default: 10, or 0 with a stand-in for Twilio",
        ge=0,
    )
    max_calls: int = _setting(2000, "calls a worker takes at once, 0 for any number", ge=0)
    max_waiting_sockets: int = _setting(500, "relays that may wait to say which call they are for, 0 for any", ge=0)

    openai_api_key: SecretStr = Field(description="key for the model (platform.openai.com), or for its stand-in")
    openai_base_url: ModelBase = _setting("https://api.openai.com/v1", "where the model is; ends in /v1")
    openai_model: str = _setting("gpt-4.1-mini", "name of the model; it must speak Chat Completions with tools")
    openai_streaming: bool = _setting(True, "let words leave as the model writes them")
    model_first_word_seconds: Seconds = _setting(
        8.0, "longest wait for the first piece of a streamed answer, and for each next"
    )
    model_turn_seconds: Seconds = _setting(30.0, "longest wait for a whole answer")
    rest_retries: int = _setting(2, "times a Payments request is repeated where that is safe", ge=0)
    rest_patience_seconds: Seconds = _setting(8.0, "longest time for a Payments request with its repeats")
    order_claim_seconds: Seconds = _setting(
        30.0, "how long an order is one worker's alone; longer than a Payments request with its repeats"
    )

    pace: Pace = _setting(Pace.MODEL, "who asks for the next card field: model, or automatic (the callback)")
    profile: Profile = _setting(Profile.CARD, "which fields are captured: card, or card_postal_code")
    valid_card_types: CardTypes = _setting(
        "visa mastercard amex", "cards that are accepted, by Twilio's names, space between"
    )
    pay_timeout: int = _setting(10, "seconds Twilio waits between two keys", ge=1, le=600)
    min_postal_code_length: int | None = _setting(None, "shortest postal code that is accepted", ge=1, le=20)
    identity_failures_per_day: Count = _setting(5, "failed identity checks in 24 h that lock an account or a caller")
    declined_cards_per_day: Count = _setting(5, "declined cards in 24 h that close an account to payments")

    welcome_greeting: str = _setting(
        "Hello, and thank you for calling the billing line. To begin, please tell me your full name and date of birth.",
        "first words of a call, spoken by Twilio",
    )
    en_language: str = _setting("en-US", "English: locale of speech and hearing")
    en_tts_provider: str = _setting("Google", "English: who speaks (Google, Amazon or ElevenLabs)")
    en_voice: str = _setting("en-US-Journey-O", "English: the provider's voice")
    en_transcription_provider: str = _setting("Google", "English: who hears (Google or Deepgram)")
    en_speech_model: str = _setting("telephony", "English: the provider's speech model")
    es_language: str = _setting("es-US", "Spanish: locale of speech and hearing")
    es_tts_provider: str = _setting("Google", "Spanish: who speaks")
    es_voice: str = _setting("es-US-Neural2-A", "Spanish: the provider's voice")
    es_transcription_provider: str = _setting("Google", "Spanish: who hears")
    es_speech_model: str = _setting("telephony", "Spanish: the provider's speech model")
    language_keys: Annotated[LanguageKeys, NoDecode] = _setting(
        {"1": "es"}, "keypad keys that switch the language, as 1:es,2:en; blank turns keypad detection off"
    )
    sentences_dir: Path | None = _setting(None, "folder whose en.toml and es.toml replace the packaged sentences")

    database_url: Database = _setting(
        "sqlite:///payagent.db", "where the journal and the accounts are kept", repr=False
    )
    journal_key: SecretStr | None = _setting(
        None, "key of the journal's seals; default: derived from TWILIO_AUTH_TOKEN, so set it before rotating that"
    )
    seal_seconds: Seconds = _setting(300.0, "how often the record is sealed; what is cut off after a seal shows")
    outage_seconds: Seconds = _setting(10.0, "longest a caller waits for a record that cannot be written")
    spool_dir: Path | None = _setting(
        None,
        "folder that keeps payment results while the record is out of reach, best on another disk; "
        "default: beside the database file",
    )
    console_users: ConsoleUsers | None = _setting(
        None,
        "who may use /console: NAME:HASH as `payagent console-password` makes it, several with commas between",
    )
    console_session_hours: float = _setting(12.0, "hours after which a console log-in is over", gt=0, le=168)
    console_idle_minutes: float = _setting(60.0, "minutes without a page asked for that end a console log-in", gt=0)
    console_guesses_per_name: Count = _setting(10, "failed console log-ins by name in 15 minutes before a pause")
    console_guesses_per_address: Count = _setting(20, "failed console log-ins by address in 15 minutes before a pause")
    drain_seconds: Seconds = _setting(
        25, "longest wait for callers to finish once the process is asked to end (SIGTERM)"
    )
    demo_accounts: Literal["auto", "yes", "no"] = _setting(
        "auto", "fill an empty book with demo data; auto: only with a stand-in for Twilio"
    )
    metrics_token: SecretStr | None = _setting(
        None, "bearer token for /metrics; without one only programs on this machine may read it"
    )
    otel_exporter_otlp_endpoint: str | None = _setting(
        None, "where OpenTelemetry traces go (OTLP over HTTP), as http://localhost:4318; needs payagent[otel]"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Upper] = _setting(
        "INFO", "least severe message that is logged"
    )
    log_format: Literal["auto", "json", "console"] = _setting("auto", "json, console, or auto: console on a terminal")

    @classmethod
    def load(cls, env_file: str | Path | None = ".env") -> Settings:
        """The environment over `env_file` (which need not exist). Raises SettingsError with every problem."""
        return cls(_env_file=env_file)

    @classmethod
    def only(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from these (names in either case) and the defaults; the environment is not looked at.

        Raises SettingsError with every problem.
        """
        return _Only(**{name.lower(): value for name, value in values.items()})

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """Every setting as (name, default, meaning); the default is `required` where there is none."""
        own = [name for name in cls.model_fields if name not in FlowSettings.model_fields]
        rows = [(name, cls.model_fields[name]) for name in (*own, *FlowSettings.model_fields)]
        return [
            (name.upper(), "required" if field.is_required() else _shown(field.default), field.description or "")
            for name, field in rows
        ]

    def shown(self, name: str) -> str:
        """The setting's value as text; for a secret only that it is set."""
        value = getattr(self, name.lower())
        hidden = isinstance(value, SecretStr) or (name.lower() == "database_url" and self.database_path is None)
        return "set" if hidden else _shown(value)

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: dict[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        given = _given(data)
        problems = dict((*_placeholders(given), *_contradictions(given)))
        if "ngrok_domain" in given:
            given.setdefault("public_url", with_scheme(given["ngrok_domain"]))
        try:
            made = handler(given)
        except ValidationError as error:
            problems = dict(_invalid(error)) | problems
        if problems:
            raise SettingsError([cls._advice(name, problems[name]) for name in cls.model_fields if name in problems])
        return made

    @classmethod
    def _advice(cls, name: str, problem: str) -> str:
        return f"{name.upper()}: {problem}; needed: {cls.model_fields[name].description}"

    @property
    def relay_path(self) -> str:
        """Path of the relay's socket."""
        return RELAY_PATH

    @property
    def relay_url(self) -> str:
        """The socket's URL exactly as TwiML names it and Twilio signs it: wss, or ws for a loopback http origin."""
        return f"ws{self.public_url.removeprefix('http')}{RELAY_PATH}"

    @property
    def incoming_url(self) -> str:
        """URL to enter as the phone number's voice webhook."""
        return f"{self.public_url}/api/incoming-call"

    @property
    def callback_url(self) -> str:
        """URL that Twilio reports payments to."""
        return f"{self.public_url}/api/status-callback"

    @property
    def action_url(self) -> str:
        """URL that Twilio asks when the relay, a dial or a queue is over."""
        return f"{self.public_url}/api/action"

    @property
    def voices(self) -> dict[str, Voice]:
        """Voices by language (`en`, `es`), the default language first."""
        return {
            language: Voice(
                getattr(self, f"{language}_language"),
                getattr(self, f"{language}_tts_provider"),
                getattr(self, f"{language}_voice"),
                getattr(self, f"{language}_transcription_provider"),
                getattr(self, f"{language}_speech_model"),
            )
            for language in ("en", "es")
        }

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """The tokens a signature may be made with, the current one first."""
        tokens = (self.twilio_auth_token, self.twilio_auth_token_secondary)
        return tuple(token.get_secret_value() for token in tokens if token is not None)

    @property
    def journal_secret(self) -> bytes:
        """Key of the journal's seals: `JOURNAL_KEY`, or 32 bytes derived from the auth token."""
        if self.journal_key is not None:
            return self.journal_key.get_secret_value().encode()
        token = self.twilio_auth_token.get_secret_value().encode()
        return hmac.digest(token, b"payagent journal", hashlib.sha256)

    @property
    def console_passwords(self) -> dict[str, str]:
        """The hashes of the console's passwords by name; empty when there is no console."""
        return dict(passwords_by_name(self.console_users.get_secret_value())) if self.console_users else {}

    @property
    def has_stand_in(self) -> bool:
        """Whether the REST requests go to a stand-in for Twilio: no card can be charged."""
        return not is_twilio(self.twilio_api_base_url)

    @property
    def calls_of_one_caller(self) -> int:
        """How many calls one caller may make in a minute; 0: any number, as a lab's one caller does."""
        if self.calls_per_minute is not None:
            return self.calls_per_minute
        return 0 if self.has_stand_in else 10

    @property
    def wants_demo_accounts(self) -> bool:
        """Whether an empty book is to be filled with demo accounts."""
        return self.demo_accounts == "yes" or (self.demo_accounts == "auto" and self.has_stand_in)

    @property
    def database_path(self) -> Path | None:
        """The SQLite file; None when the database is PostgreSQL."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(path) if scheme == "sqlite" else None

    @property
    def spool_path(self) -> Path:
        """The folder of results that the record could not take."""
        if self.spool_dir is not None:
            return self.spool_dir
        return Path(f"{self.database_path or 'payagent'}.spool")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be logged."""
        values = [getattr(self, name) for name in type(self).model_fields]
        password = urlsplit(self.database_url).password or ""
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return tuple(secret for secret in (*secrets, password, unquote(password)) if secret)


class _Only(Settings):
    """Settings from what is given to the constructor alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is really set: text without surrounding space, blanks left out."""
    bare = {name: value.strip() if isinstance(value, str) else value for name, value in data.items()}
    return {name: value for name, value in bare.items() if value != "" or name == "language_keys"}


def _placeholders(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if name != "welcome_greeting" and isinstance(value, str) and is_placeholder(value):
            yield name, "is still a placeholder"


def _contradictions(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    public, domain = given.get("public_url"), given.get("ngrok_domain")
    if public and domain and with_scheme(public).lower() != with_scheme(domain).lower():
        yield "ngrok_domain", "names another address than PUBLIC_URL, keep one of the two"
    if "twilio_workflow_sid" not in given and "transfer_phone_number" not in given:
        yield "twilio_workflow_sid", "is missing, and so is TRANSFER_PHONE_NUMBER, set one of the two"


def _invalid(error: ValidationError) -> Iterator[tuple[str, str]]:
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        said = "is missing" if found["type"] == "missing" else found["msg"].removeprefix("Value error, ")
        yield str(found["loc"][0]), said.replace("Input should", "must", 1)


def _shown(default: object) -> str:
    match default:
        case None:
            return ""
        case StrEnum():
            return default.value
        case bool():
            return str(default).lower()
        case dict():
            return ",".join(f"{key}:{value}" for key, value in default.items())
        case float():
            return f"{default:g}"
        case _:
            return str(default)
