"""What the model's SDK sends its requests through: aiohttp, with the answer's stream within reach.

The SDK does what it is there for (authorisation, retries, errors), but a streamed answer need not pass its layers piece
by piece: `content_of` is aiohttp's own stream of it. Waits are the caller's to bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import httpx2

CONTENT = "payagent_content"
KEPT_SECONDS = 5.0
"""A connection that rested longer may be gone at the other end (httpx's own rule)."""


class AioTransport(httpx2.AsyncBaseTransport):
    """Opens connections when they are needed. `trust_env`: the environment's proxies and certificates count."""

    def __init__(self, *, trust_env: bool) -> None:
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer as soon as its head is there; its body is read from it, or by `content_of`.

        Raises:
            httpx2.NetworkError: there is none; the SDK knows by this kind that it may try again.
        """
        if self._session is None:
            self._session = self._open()
        try:
            answer = await self._session.request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
            )
        except aiohttp.ClientError as error:
            raise httpx2.NetworkError(type(error).__name__, request=request) from error
        # aiohttp has undone what this header tells of.
        headers = [(name, value) for name, value in answer.raw_headers if name.lower() != b"content-encoding"]
        return httpx2.Response(
            answer.status, headers=headers, stream=_Body(answer), request=request, extensions={CONTENT: answer.content}
        )

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


def content_of(response: httpx2.Response) -> aiohttp.StreamReader:
    """The stream of an answer that came by `AioTransport`; its `readany` gives b"" at the end."""
    content: aiohttp.StreamReader = response.extensions[CONTENT]
    return content
