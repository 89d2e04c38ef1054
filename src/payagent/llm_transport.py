"""What requests to the model go out through: aiohttp, under the SDK (`AioTransport`) or straight (`send`).

The SDK does what it is there for (retries, errors), but neither a request that simply succeeds nor the pieces of its
answer need pass its layers: both ways end in aiohttp's own answer. Waits are the caller's to bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import aiohttp
import httpx2
from yarl import URL

from payagent.outbound import Proxy, open_session, proxy_to

ANSWER = "payagent_answer"
NO_BOUND = 0
NO_END = aiohttp.ClientTimeout(total=None)


class AioTransport(httpx2.AsyncBaseTransport):
    """Opens connections to `origin` when they are needed; `environment`: its proxies and certificates count.

    Raises:
        SettingsError: the environment names a proxy that cannot be used.
    """

    def __init__(self, origin: str, *, environment: bool) -> None:
        self._origin = origin
        self._environment = environment
        self._proxy = proxy_to(URL(origin)) if environment else Proxy()
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
            self._session = open_session(
                self._origin, environment=self._environment, timeouts=NO_END, connections=NO_BOUND
            )
        return await self._session.request(
            method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            proxy=self._proxy.url,
            proxy_headers=self._proxy.headers,
        )

    async def aclose(self) -> None:
        """Let the connections go."""
        if self._session:
            await self._session.close()


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
