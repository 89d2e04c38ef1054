"""The way out of this machine: aiohttp's connections, and what the environment says of certificates and proxies.

aiohttp's own look at the environment stays off: an entry of `.netrc` would clash with the credentials of ours that a
request carries, and it would ask for the proxies on every request, in a thread. They are looked up once.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

import aiohttp
import certifi
from yarl import URL

from payagent.errors import SettingsError

KEPT_SECONDS = 5.0
"""A connection that rested longer may be gone at the other end."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """What a request is sent by: None, or a proxy with the headers that are for itself alone."""

    url: URL | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)


def open_session(
    origin: str, *, environment: bool, timeouts: aiohttp.ClientTimeout, connections: int
) -> aiohttp.ClientSession:
    """Connections to `origin`, opened inside the running loop; the caller closes them. At most so many; 0 is no bound.

    No cookie is kept. `environment`: the certificates that it names count.
    """
    tls = trusted(environment=environment) if origin.startswith("https:") else True
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEPT_SECONDS, ssl=tls)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeouts, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


def trusted(*, environment: bool) -> ssl.SSLContext:
    """Whose certificates count: those the environment names, else certifi's. Chain and host name are checked."""
    named = os.environ if environment else {}
    file, directory = named.get("SSL_CERT_FILE"), named.get("SSL_CERT_DIR")
    if not file and not directory:
        file = certifi.where()
    return ssl.create_default_context(cafile=file, capath=None if file else directory)


def proxy_to(origin: URL) -> Proxy:
    """The environment's proxy on the way there; its password stays out of the URL.

    Raises:
        SettingsError: it cannot be used.
    """
    named = getproxies()
    found = named.get(origin.scheme) or named.get("all")
    if not found or proxy_bypass(origin.host or ""):
        return Proxy()
    proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in ("http", "https"):
        way = f"the way to {origin.host} is by an http:// or https:// proxy only"
        raise SettingsError([f"{origin.scheme.upper()}_PROXY or ALL_PROXY: {way}"])
    told = {"Proxy-Authorization": aiohttp.encode_basic_auth(proxy.user, proxy.password or "")} if proxy.user else None
    return Proxy(proxy.with_user(None), told)
