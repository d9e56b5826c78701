"""Announcements reach every open page, late ones included, and nobody waits for a slow reader."""

import asyncio
import threading

from api.live import LiveEvent, LiveFeed


async def _take(feed: LiveFeed, n: int, after: int | None) -> list[LiveEvent]:
    found: list[LiveEvent] = []
    async with asyncio.timeout(5):
        async for event in feed.follow(after):
            found.append(event)
            if len(found) == n:
                break
    return found


async def test_an_event_of_another_thread_reaches_every_reader() -> None:
    feed = LiveFeed()
    readers = [asyncio.create_task(_take(feed, 1, None)) for _ in range(3)]
    await asyncio.sleep(0.01)
    threading.Thread(target=feed.publish, args=("cycle.finished", {"id": 7})).start()
    for found in await asyncio.gather(*readers):
        assert [(event.name, event.data) for event in found] == [("cycle.finished", {"id": 7})]


async def test_a_reader_that_comes_back_gets_what_it_missed() -> None:
    feed = LiveFeed()
    for number in range(5):
        feed.publish("anomaly.created", {"id": number})
    assert [event.seq for event in await _take(feed, 2, after=3)] == [4, 5]


async def test_a_reader_that_missed_too_much_is_told_of_the_gap() -> None:
    feed = LiveFeed(kept=3)
    for number in range(10):
        feed.publish("anomaly.created", {"id": number})
    found = await _take(feed, 4, after=2)
    assert [event.name for event in found] == ["gap", *["anomaly.created"] * 3]
    assert found[0].data == {"missed": 5}
    assert [event.seq for event in found[1:]] == [8, 9, 10]


async def test_closing_the_feed_ends_its_streams() -> None:
    feed = LiveFeed()
    reader = asyncio.create_task(_take(feed, 1, None))
    await asyncio.sleep(0.01)
    assert feed.readers == 1
    feed.close()
    assert await reader == []
    assert feed.readers == 0
