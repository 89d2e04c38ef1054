"""The line under test as it is run: `payagent serve` with stand-ins beyond it, and Twilio's end of its front doors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.processes import Server, free_port, python, running

AUTH_TOKEN = "ab" * 16
PAYAGENT = str(Path(sys.executable).parent / "payagent")


def signed(url: str, form: Mapping[str, str] | None = None) -> str:
    """`X-Twilio-Signature`: HMAC-SHA1 over the URL and the sorted fields."""
    text = url + "".join(f"{name}{value}" for name, value in sorted((form or {}).items()))
    return base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), text.encode(), hashlib.sha1)).decode()


def environment(port: int, model: str, rest: str = "http://127.0.0.1:9", **more: str) -> dict[str, str]:
    """All that `payagent serve` needs to know."""
    path = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return path | {
        "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_API_KEY": "SK" + "0b" * 16,
        "TWILIO_API_SECRET": "cd" * 16,
        "TRANSFER_PHONE_NUMBER": "+15550177",
        "TWILIO_API_BASE_URL": rest,
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": f"{model}/v1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        **more,
    }


@asynccontextmanager
async def serving(folder: Path, model: str, rest: str = "http://127.0.0.1:9", **more: str) -> AsyncIterator[Server]:
    """The line, up."""
    async with several(folder, model, rest, 1, **more) as server:
        yield server


@asynccontextmanager
async def several(folder: Path, model: str, rest: str, workers: int, **more: str) -> AsyncIterator[Server]:
    """The line with that many workers, each free to take any core when there are several."""
    port, cores = free_port(), range(os.cpu_count() or 1) if workers > 1 else ()
    command = [PAYAGENT, "serve", *(("--workers", str(workers)) if workers > 1 else ())]
    async with running(command, environment(port, model, rest, **more), port, folder, cores) as server:
        yield server


@asynccontextmanager
async def floor(folder: Path, model: str, rest: str = "", **more: str) -> AsyncIterator[Server]:
    """The floor, up."""
    port = free_port()
    path = str(Path(__file__).parent.parent)
    told = dict(os.environ) | {"MODEL": model, "REST": rest, "PORT": str(port), "PYTHONPATH": path, **more}
    async with running(python("-m", "bench.floor"), told, port, folder) as server:
        yield server


@asynccontextmanager
async def relay(http: aiohttp.ClientSession, server: Server, n: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Call number `n` with its relay set up; on the floor the ring is answered without a word."""
    call_sid, url = f"CA{n:032x}", f"{server.origin}/api/incoming-call"
    form = {"CallSid": call_sid, "AccountSid": "AC" + "0a" * 16, "From": f"+1555{n:07d}", "CallStatus": "ringing"}
    async with http.post(url, data=form, headers={"X-Twilio-Signature": signed(url, form)}) as answer:
        token = re.search(r'name="token" value="([^"]+)"', await answer.text())
    where = f"ws{server.origin.removeprefix('http')}/relay"
    async with http.ws_connect(where, headers={"X-Twilio-Signature": signed(where)}) as socket:
        setup = {"type": "setup", "sessionId": f"VX{n:032x}", "callSid": call_sid, "from": form["From"]}
        parameters = {"customParameters": {"token": token[1] if token else ""}}
        await socket.send_str(json.dumps(setup | parameters))
        yield socket


async def hang_up(http: aiohttp.ClientSession, server: Server, n: int) -> None:
    """Call number `n` is over: what Twilio asks when its caller has hung up."""
    url = f"{server.origin}/api/action"
    form = {"CallSid": f"CA{n:032x}", "AccountSid": "AC" + "0a" * 16, "CallStatus": "completed"}
    form |= {"SessionId": f"VX{n:032x}", "SessionStatus": "completed", "SessionDuration": "9"}
    async with http.post(url, data=form, headers={"X-Twilio-Signature": signed(url, form)}) as answer:
        answer.raise_for_status()
