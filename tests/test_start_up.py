"""What a command loads before it is needed: nothing that takes long. No clock: the modules are named."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "openai", "twilio", "starlette", "uvicorn", "pydantic", "httpx", "aiohttp", "asyncpg", "sqlite3", "structlog",
    "transitions", "prometheus_client", "num2words", "dateutil", "opentelemetry", "payagent.flow", "payagent.wiring",
)  # fmt: skip

LOADED = """
import sys
from payagent.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted(sys.modules))
"""


def loaded(*arguments: str) -> set[str]:
    """The heavy modules that a command has loaded when it is over."""
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    names = done.stdout.rpartition("LOADED")[2].split()
    return {heavy for heavy in HEAVY for name in names if name == heavy or name.startswith(f"{heavy}.")}


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["verify", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """A person who asks what there is does not wait for what they may never use (a command's options are typer's)."""
    assert loaded(*arguments) - ({"pydantic"} if arguments[1:] else set()) == set()


def test_the_look_sees_what_is_loaded() -> None:
    """So that the tests above cannot pass by looking away."""
    assert "pydantic" in loaded("call", "--list")


def test_a_line_s_modules_do_not_need_the_sdks() -> None:
    """They take the longest of all to load, so each is loaded when it is used and not before; httpx is the doctor's."""
    code = "import sys; import payagent.wiring; print({'openai', 'twilio.rest', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
