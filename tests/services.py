"""What a machine may lend to the tests, and what only it can prove; what is not there is skipped and named.

A test that needs one is marked `@pytest.mark.needs("postgresql")`. Run as a program, this prints the files that the
coverage gate leaves out here (`omit`), since nothing on this machine can run them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Service:
    """One service: whether it is here, how to get it, and the source files that only its tests reach."""

    name: str
    found: Callable[[], bool]
    get: str
    code: tuple[str, ...] = ()


def postgres_program(name: str) -> Path | None:
    """PostgreSQL's program of that name; Debian keeps them off the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = next((place / name for place in places if (place / name).exists()), None)
    return found or (Path(which) if (which := shutil.which(name)) else None)


def chromium() -> str | None:
    """Debian's Chromium, or another of that name."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


SERVICES = (
    Service(
        "postgresql",
        lambda: postgres_program("initdb") is not None,
        "apt install postgresql",
        ("src/payagent/*/postgres.py", "src/payagent/*/postgres_*.py"),
    ),
    Service("chromium", lambda: chromium() is not None, "apt install chromium"),
    Service("graphviz", lambda: shutil.which("dot") is not None, "apt install graphviz"),
)


def missing() -> list[Service]:
    """The services this machine does not have."""
    return [service for service in SERVICES if not service.found()]


if __name__ == "__main__":
    for service in missing():
        left_out = f", and {', '.join(service.code)} is left out of the coverage gate" if service.code else ""
        print(f"{service.name} is not here ({service.get}): its tests are skipped{left_out}", file=sys.stderr)
    print(",".join(code for service in missing() for code in service.code))
