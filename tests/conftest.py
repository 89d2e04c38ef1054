"""What every test gets: anyio on asyncio, a clean environment, and a wall around the network.

A test is a plain `def` or `async def`, no marker needed (`anyio_mode = "auto"` in pyproject.toml); fixtures may be
async too. A socket to anywhere but this machine raises, so that a stub which does not bite fails loudly.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from card_search import left_behind
from logging_state import forget
from postgres_server import postgres_server, postgres_url  # noqa: F401
from services import SERVICES, missing

from payagent.settings import Settings

pytest_plugins = ["payagent.testing.plugin"]

SKIP_NOTHING = "PAYAGENT_SKIP_NOTHING"
"""Set where every service is there (CI): a skipped test is then a failure."""

PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}  # a proxy would stand between a test and its own server


class NetworkBarred(BaseException):
    """A test tried to leave this machine; not an Exception, so that no handler under test swallows it."""


def pytest_report_header() -> list[str]:
    """Name what is not here."""
    return [f"not here: {service.name} ({service.get}); its tests are skipped" for service in missing()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a service that this machine does not have."""
    known, gone = {service.name for service in SERVICES}, {service.name for service in missing()}
    for item in items:
        for mark in item.iter_markers("needs"):
            assert mark.args[0] in known, f"{item.nodeid}: no service is called {mark.args[0]}"
            if mark.args[0] in gone:
                item.add_marker(pytest.mark.skip(f"needs {mark.args[0]}"))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where nothing may be skipped, a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get(SKIP_NOTHING) and skipped and exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests were skipped, and {SKIP_NOTHING} is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def no_card_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When all is done, no file that the program wrote anywhere in the run holds a card number used in it."""
    yield
    assert left_behind(tmp_path_factory.getbasetemp()) == []


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio only: uvicorn and the program do too."""
    return "asyncio"


def is_local(family: int, address: Any) -> bool:
    """Whether the address is on this machine: a Unix socket, `localhost` or a loopback number."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = address[0]
    try:
        return host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def loggers_forget() -> Iterator[None]:
    """A test that configures logging leaves no logger of ours bound to that configuration."""
    yield
    if structlog.is_configured():
        forget()


@pytest.fixture(autouse=True)
def bar_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach loopback and Unix addresses only, and look up no foreign name."""

    def guarded(name: str) -> None:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if not is_local(self.family, address):
                raise NetworkBarred(f"a test tried to connect to {address!r}")
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, connect)

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not is_local(socket.AF_INET, (name,)):
            raise NetworkBarred(f"a test tried to look up {host!r}")
        return look_up(host, *args, **kwargs)

    guarded("connect")
    guarded("connect_ex")
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no proxy of the developer's own shell reaches a test."""
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name.upper() in PROXIES:
            monkeypatch.delenv(name)
