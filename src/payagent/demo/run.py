"""Starts the lab on loopback, shows it in a browser, and serves it until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from payagent.demo.app import build
from payagent.demo.booth import Leisure
from payagent.demo.guard import Guard
from payagent.demo.rooms import Rooms
from payagent.lab.serving import bind, serve
from payagent.rehearsal import RealModel

DEFAULT_PORT = 3033


@asynccontextmanager
async def lab(
    directory: Path,
    port: int = 0,
    *,
    real_model: RealModel | None = None,
    rate: float = 1.0,
    leisure: Leisure = Leisure(),  # noqa: B008 - it is frozen
) -> AsyncIterator[str]:
    """The lab, served for as long as the block lasts; yields its address. Records are kept in `directory`.

    Raises:
        OSError: the port is taken.
    """
    listener = bind(port)
    port = listener.socket.getsockname()[1]
    rooms = Rooms(directory, f"demo-{port}", real_model, rate, leisure)
    try:
        async with serve(Guard(build(rooms), port), listener) as origin:
            try:
                yield origin
            finally:
                await rooms.close()  # ends the streams of news, which the server would wait for
    finally:
        listener.socket.close()


async def show(
    directory: Path, port: int, *, real_model: RealModel | None, browser: bool, tell: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or a SIGTERM, in a browser if there is one and it is wanted.

    Raises:
        OSError: the port is taken.
    """
    told_to_end = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, told_to_end.set)
    async with lab(directory, port, real_model=real_model) as origin:
        opened = browser and has_display() and await asyncio.to_thread(webbrowser.open, origin)
        tell(f"The lab is at {origin}" + ("" if opened else ": open it in a browser on this machine."))
        tell("Ctrl-C ends it.")
        await told_to_end.wait()
        tell("\nThe lab is closed.")


def has_display() -> bool:
    """Whether a browser could show anything here."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
