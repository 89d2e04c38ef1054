"""A server on this machine that answers as it is told, and writes down what reached it.

It speaks just enough HTTP/1.1 to read a request. What goes wrong goes wrong at its sockets: a port where nobody
listens, a connection closed, reset or left alone at the moment that an `Answer` names.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

Then = Literal["keep", "close", "reset", "be silent", "speak TLS"]
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a close that does not wait: the other end sees a reset."""


@dataclass(frozen=True)
class Answer:
    """Bytes to send when a request has been read whole, and what becomes of its connection then."""

    data: bytes = b""
    then: Then = "keep"


@dataclass(frozen=True)
class Asked:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


NOBODY = Answer(b"nobody listens")
"""For one try, the port is closed."""

SLAMMED = Answer(b"the door is slammed")
"""One connection is accepted and reset, unread."""


def answer(status: int, body: Any = None, then: Then = "keep", **headers: str) -> Answer:
    """A whole HTTP answer; the body is JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Answer("\r\n".join([*lines, "", ""]).encode() + data, then)


@dataclass
class ScriptedTwilio:
    """`will` says how the next requests are answered; `asked` is what came."""

    tls: ssl.SSLContext | None = None
    tunnelled: ssl.SSLContext | None = None  # for one in the part of a proxy: who it is at the far end of the tunnel
    script: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    _writers: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._bound = _bind(0)
        self.port = self._bound.getsockname()[1]
        await self.get_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()
        self._bound.close()
        for writer in self._writers.values():
            writer.transport.abort()
        if self._writers:
            await asyncio.wait(self._writers)

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def will(self, *script: Answer) -> None:
        """Answer the next requests so, in turn."""
        self.script = list(script)
        await self.get_ready()

    async def get_ready(self) -> None:
        """Open or close the port for the next try."""
        if self.script and self.script[0] is NOBODY:
            del self.script[0]
            self._stop()
        elif not self._server:
            self._server = await asyncio.start_server(self._serve, sock=self._bound, ssl=self.tls)

    async def let_go(self, *, reset: bool = False) -> None:
        """Close the kept connections; the loop has not looked at them since, so the client does not know it yet."""
        for writer in self._writers.values():
            _close(writer, reset=reset)
        await asyncio.sleep(0)

    def _stop(self) -> None:
        """Close the port and keep it: bound without listening, it refuses."""
        if self._server:
            self._server.close()
            self._server, self._bound = None, _bind(self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me
        self.connections += 1
        self._writers[me] = writer
        try:
            if self.script[:1] == [SLAMMED]:
                del self.script[0]
                _close(writer, reset=True)
                return
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                self.arrived.set()
                given = self.script.pop(0) if self.script else answer(500, "the script has no more answers")
                writer.write(given.data)
                match given.then:
                    case "close" | "reset":
                        await writer.drain()
                        _close(writer, reset=given.then == "reset")
                        return
                    case "speak TLS":
                        assert self.tunnelled
                        await writer.start_tls(self.tunnelled)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()
            del self._writers[me]


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
    else:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, body)
