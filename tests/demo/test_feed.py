"""The feed of one tab: numbered, from any thread, forgetting a call that is over."""

from __future__ import annotations

import asyncio

from payagent.demo.feed import Feed


async def read(feed: Feed, after: int = 0) -> list[tuple[int, str]]:
    return [(item.number, item.data["kind"]) async for item in feed.after(after)]


async def test_what_is_added_is_read_in_order_until_the_end() -> None:
    """From another thread as well, and while somebody is reading."""
    feed = Feed(asyncio.get_running_loop())
    feed.add("one", a=1)
    reading = asyncio.create_task(read(feed))
    await asyncio.to_thread(feed.add, "two")
    await asyncio.to_thread(feed.add, "three")
    await asyncio.to_thread(feed.close)

    assert await reading == [(1, "one"), (2, "two"), (3, "three")]


async def test_whoever_lost_the_connection_goes_on_where_it_was() -> None:
    """A number of another feed, which this one has not reached, starts from the beginning."""
    feed = Feed(asyncio.get_running_loop())
    for kind in ("one", "two", "three"):
        feed.add(kind)
    feed.close()

    assert await read(feed, after=2) == [(3, "three")]
    assert len(await read(feed, after=77)) == 3


async def test_a_new_call_forgets_the_one_before() -> None:
    """Its numbers go on, so that nobody takes it for what was shown."""
    feed = Feed(asyncio.get_running_loop())
    for kind in ("call", "step", "call", "step"):
        feed.add(kind)
    feed.close()

    assert await read(feed) == [(3, "call"), (4, "step")]


def test_news_for_a_loop_that_is_gone_is_no_error() -> None:
    """The page's server stops before the last line does."""
    loop = asyncio.new_event_loop()
    feed = Feed(loop)
    loop.close()

    feed.add("late")
    feed.close()
