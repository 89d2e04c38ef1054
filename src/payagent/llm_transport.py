"""What requests to the model go out through: aiohttp, under the SDK (`AioTransport`) or straight (`send`).

The SDK does what it is there for (retries, errors), but neither a request that simply succeeds nor the pieces of its
answer need pass its layers: both ways end in aiohttp's own answer. Waits are the caller's to bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import aiohttp
import httpx2

ANSWER = "payagent_answer"
KEPT_SECONDS = 5.0
"""A connection that rested longer may be gone at the other end (httpx's own rule)."""


class AioTransport(httpx2.AsyncBaseTransport):
    """Opens connections when they are needed. `trust_env`: the environment's proxies and certificates count."""

    def __init__(self, *, trust_env: bool) -> None:
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer as soon as its head is there; its body is read from it, or by `answer_of`.

        Raises:
            httpx2.NetworkError: there is none; the SDK knows by this kind that it may try again.
        """
        url, headers, body = str(request.url), request.headers.multi_items(), await request.aread()
        try:
            answer = await self.send(request.method, url, headers, body or None)
        except aiohttp.ClientError as error:
            raise httpx2.NetworkError(type(error).__name__, request=request) from error
        # aiohttp has undone what this header tells of.
        told = [(name, value) for name, value in answer.raw_headers if name.lower() != b"content-encoding"]
        return httpx2.Response(
            answer.status, headers=told, stream=_Body(answer), request=request, extensions={ANSWER: answer}
        )

    async def send(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | None
    ) -> aiohttp.ClientResponse:
        """Send a request past the SDK: the answer as soon as its head is there, whatever its status.

        Raises:
            aiohttp.ClientError: there is none.
        """
        if self._session is None:
            self._session = self._open()
        return await self._session.request(method, url, headers=headers, data=body, allow_redirects=False)

    async def aclose(self) -> None:
        """Let the connections go."""
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        trusted = httpx2.create_ssl_context(trust_env=self._trust_env)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS, ssl=trusted)
        no_end = aiohttp.ClientTimeout(total=None)
        return aiohttp.ClientSession(connector=connector, trust_env=self._trust_env, timeout=no_end)


class _Body(httpx2.AsyncByteStream):
    """The body, for whoever reads it through the response; closing it half read closes the connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._answer.content.iter_any():
            yield data

    async def aclose(self) -> None:
        self._answer.release()


def answer_of(response: httpx2.Response) -> aiohttp.ClientResponse:
    """The answer as aiohttp has it, of one that came by `AioTransport`; at its end `content.readany` gives b""."""
    answer: aiohttp.ClientResponse = response.extensions[ANSWER]
    return answer
