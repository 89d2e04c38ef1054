"""A socket between the journal and PostgreSQL that can be cut at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class BreakingLine:
    """Passes everything on until what the client sends holds `word`; then it cuts, once.

    `delivered`: what was sent still reaches the server, whose answer is lost; else neither gets through. `meanwhile` is
    done before the client sees that the line is cut.
    """

    def __init__(self, upstream: Path) -> None:
        self.word = b""
        self.delivered = True
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.cuts = 0
        self.running: set[asyncio.Task[None]] = set()
        self._upstream = upstream

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client has come."""
        self.running.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        answers = asyncio.create_task(_pass_on(up_reader, writer))
        with suppress(ConnectionError):
            while sent := await reader.read(65536):
                if self.word and self.word in sent:
                    await self._cut(sent, answers, up_reader, up_writer)
                    break
                up_writer.write(sent)
        for end in (up_writer, writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()
        await asyncio.gather(answers, return_exceptions=True)

    async def _cut(
        self,
        sent: bytes,
        answers: asyncio.Task[None],
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self.word, self.cuts = b"", self.cuts + 1
        answers.cancel()
        await asyncio.gather(answers, return_exceptions=True)
        if self.delivered:
            up_writer.write(sent)
            await up_reader.read(1)  # it has answered, so it is done; nobody hears of it
        if self.meanwhile:
            await self.meanwhile()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while answer := await reader.read(65536):
            writer.write(answer)
    writer.close()


@asynccontextmanager
async def breaking_line(url: str, folder: Path) -> AsyncIterator[tuple[BreakingLine, str]]:
    """The line, and the URL that leads through it to the database at `url`."""
    upstream = Path(parse_qs(urlsplit(url).query)["host"][0])
    line = BreakingLine(upstream / ".s.PGSQL.5432")
    server = await asyncio.start_unix_server(line.serve, folder / ".s.PGSQL.5432")
    try:
        yield line, url.replace(str(upstream), str(folder))
    finally:
        server.close()
        await asyncio.gather(*line.running)
