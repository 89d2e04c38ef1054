"""What makes the value of one setting usable: URLs, SIDs, numbers, lists.

Rules: each check takes the text and gives it back in its plain form, or raises ValueError with words that say what is
wrong and never contain the value, which may be a secret in the wrong place.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

CARD_TYPES = ("visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute")
PLACEHOLDER = re.compile(
    r"x{4,}|\byour[-_ ]|change[-_ ]?me|replace[-_ ]?me|\.\.\.|^<.*>$|^(todo|placeholder)$", re.IGNORECASE
)
CONSOLE_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
PASSWORD_HASH = re.compile(r"scrypt\.(\d{1,8})\.(\d{1,3})\.(\d{1,3})\.[0-9a-f]{32}\.[0-9a-f]{64}")
HOST_AND_PORT = re.compile(r"[A-Za-z0-9._:\[\]-]+")


def is_placeholder(value: str) -> bool:
    """Whether the text is a sample's stand-in (`ACxxxx`, `your_token`, `changeme`) rather than a value."""
    return PLACEHOLDER.search(value) is not None


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by name or number."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_twilio(origin: str) -> bool:
    """Whether the REST origin is Twilio's own, not a stand-in."""
    return f".{urlsplit(origin).hostname}".endswith(".twilio.com")


def with_scheme(domain: str) -> str:
    """`pay.ngrok.app` or `https://pay.ngrok.app/` → `https://pay.ngrok.app`."""
    return (domain if "://" in domain else f"https://{domain}").rstrip("/")


def _url(value: str) -> SplitResult:
    """The parts of an http or https URL; the standard library's own errors are not passed on, they quote the value."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and HOST_AND_PORT.fullmatch(parts.netloc) and parts.port != 0
    except ValueError:
        good = None
    if not good:
        raise ValueError("must be a URL: https://, a host and, where needed, a port")
    return parts


def origin(value: str) -> str:
    """A URL's scheme, host and port, with nothing behind them but perhaps a slash."""
    parts = _url(value)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be an origin alone: scheme, host and, where needed, port; no path, no query")
    return f"{parts.scheme}://{parts.netloc}"


def public_origin(value: str) -> str:
    """An https origin; http for a loopback host only, since webhooks carry personal data."""
    plain = origin(value)
    if plain.startswith("http:") and not is_loopback(urlsplit(plain).hostname or ""):
        raise ValueError("must be https; http is for a loopback host only")
    return plain


def model_base(value: str) -> str:
    """The base URL of an OpenAI-compatible API."""
    base = value.rstrip("/")
    if not _url(base).path.endswith("/v1"):
        raise ValueError("must end in /v1")
    return base


def database(value: str) -> str:
    """A SQLite file or a PostgreSQL address."""
    if not re.fullmatch(r"sqlite:///.+|postgresql://.+", value):
        raise ValueError("must be sqlite:/// and a file's path, or a postgresql:// address")
    return value


def card_types(value: str) -> str:
    """Twilio's names of card types, space between."""
    if not set(value.split()) <= set(CARD_TYPES):
        raise ValueError(f"must be some of {' '.join(CARD_TYPES)}, space between")
    return " ".join(value.split())


def language_keys(value: object) -> object:
    """`1:es, 2:en` → `{"1": "es", "2": "en"}`; a dict passes as it is."""
    if not isinstance(value, str):
        return value
    pairs = [pair.strip() for pair in value.split(",") if pair.strip()]
    if not all(re.fullmatch(r"[0-9]:(en|es)", pair) for pair in pairs):
        raise ValueError("must be pairs of one digit and a language (en or es), as 1:es,2:en")
    return dict(pair.split(":") for pair in pairs)


def console_users(value: SecretStr) -> SecretStr:
    """`ann:scrypt.…, bob:scrypt.…`: names, each with the hash that `payagent console-password` makes."""
    entries = passwords_by_name(value.get_secret_value())
    if not entries or not all(CONSOLE_NAME.fullmatch(name) for name, _ in entries):
        raise ValueError("must be NAME:HASH, several with commas between; a name is letters, digits and . _ @ -")
    if not all(_is_strong_hash(text) for _, text in entries):
        raise ValueError(
            "holds what is no hash of a password: never write a password here, make the entry with"
            " `payagent console-password NAME`"
        )
    if len(dict(entries)) < len(entries):
        raise ValueError("names somebody twice")
    return value


def passwords_by_name(users: str) -> list[tuple[str, str]]:
    """The entries of `CONSOLE_USERS`: name and hash."""
    pairs = (entry.strip().partition(":") for entry in users.split(",") if entry.strip())
    return [(name.strip(), text.strip()) for name, _, text in pairs]


def _is_strong_hash(text: str) -> bool:
    """Whether it has the form of `web.console.passwords`, and costs enough to guess, but not more than 64 MiB."""
    found = PASSWORD_HASH.fullmatch(text)
    if not found:
        return False
    cost, block, lanes = map(int, found.groups())
    memory = 128 * cost * block
    return cost & (cost - 1) == 0 and 16 * 2**20 <= memory <= 64 * 2**20 and 1 <= lanes <= 16


def upper(value: object) -> object:
    """Text in upper case; anything else as it is."""
    return value.upper() if isinstance(value, str) else value


def _written(pattern: str, advice: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {advice}")
        return value

    return AfterValidator(check)


def _sid(prefix: str) -> AfterValidator:
    return _written(f"{prefix}[0-9a-fA-F]{{32}}", f"{prefix} and 32 hexadecimal digits")


AccountSid = Annotated[str, _sid("AC")]
ApiKeySid = Annotated[str, _sid("SK")]
WorkflowSid = Annotated[str, _sid("WW")]
Phone = Annotated[str, _written(r"\+[1-9][0-9]{6,14}", "in E.164 form: a plus and 7 to 15 digits, nothing between")]
Origin = Annotated[str, AfterValidator(origin)]
PublicOrigin = Annotated[str, AfterValidator(public_origin)]
ModelBase = Annotated[str, AfterValidator(model_base)]
Database = Annotated[str, AfterValidator(database)]
CardTypes = Annotated[str, AfterValidator(card_types)]
LanguageKeys = Annotated[dict[str, str], BeforeValidator(language_keys)]
ConsoleUsers = Annotated[SecretStr, AfterValidator(console_users)]
Upper = BeforeValidator(upper)
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
