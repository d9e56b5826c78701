"""Feeds over real sockets, well-meant and hostile."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from raw_server import RawServer, Respond, cut, reply, reply_json

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_news import NewsSource
from domain.errors import SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Desk news</title>
<item><title>Bitcoin &amp;amp; Ether fall</title><guid>1</guid><link>https://news.test/1</link>
<pubDate>Sun, 01 Mar 2026 11:30:00 GMT</pubDate>
<description><![CDATA[<p>Sharp <b>drop</b>]]></description></item>
<item><title>Maintenance</title><link>javascript:alert(1)</link><dc:date>2026-03-01T10:00:00+01:00</dc:date>
<category>venue:bybit</category></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><id>urn:1</id><title>Fork</title>
<link rel="self" href="https://x.test/self"/><link href="https://x.test/1"/><updated>2026-03-01T11:00:00Z</updated>
<summary>soon</summary></entry></feed>"""


def settings(url: str, **more: object) -> NewsSource:
    values = {
        "kind": "news",
        "name": "feed",
        "url": url,
        "allow_private_addresses": True,
        "deadline_seconds": 2,
    }
    return NewsSource.model_validate({**values, **more})


def collect(server: RawServer, cursor: Mapping[str, Any] | None = None, **more: object) -> Collected:
    return build_collector(settings(server.url, **more), {}).collect(Position(None, cursor or {}), NOW)


def xml(text: str | bytes) -> Respond:
    return reply(text if isinstance(text, bytes) else text.encode(), content_type="application/rss+xml")


def test_rss_items_become_events_without_markup(server: RawServer) -> None:
    server.respond = xml(RSS)
    page = collect(server, symbols={"BTC": ["bitcoin"], "ETH": ["ether"]})
    first, second = page.events
    assert (first.timestamp, first.text) == (datetime(2026, 3, 1, 9, tzinfo=UTC), "Maintenance")
    assert (first.labels["component"], "link" in first.labels) == ("venue:bybit", False)
    assert second.text == "Bitcoin & Ether fall \u2014 Sharp drop"
    assert second.labels == {
        "kind": "news",
        "feed": "feed",
        "symbols": "BTC,ETH",
        "link": "https://news.test/1",
    }
    assert second.source == "news"


def test_atom_items_become_events(server: RawServer) -> None:
    server.respond = xml(ATOM)
    (event,) = collect(server).events
    assert (event.text, event.labels["link"]) == ("Fork \u2014 soon", "https://x.test/1")


def test_json_feed_items_become_events(server: RawServer) -> None:
    items = [
        {
            "id": 7,
            "title": "Deployed",
            "content_text": "1.2",
            "date_published": "2026-03-01T11:00:00Z",
            "tags": ["deploy", "strategy:mm_btc"],
        }
    ]
    server.respond = reply_json({"version": "https://jsonfeed.org/version/1.1", "items": items})
    (event,) = collect(server, event_kind="deploy", source="events").events
    assert (event.text, event.kind, event.source) == ("Deployed \u2014 1.2", "deploy", "events")
    assert event.labels["component"] == "strategy:mm_btc"


def test_an_item_is_told_once(server: RawServer) -> None:
    server.respond = xml(RSS)
    first = collect(server)
    again = collect(server, first.position.cursor)
    assert (len(first.events), len(again.events)) == (2, 0)
    assert {event.dedupe_key for event in first.events} == {
        event.dedupe_key for event in collect(server).events
    }


def test_an_item_without_a_time_or_from_the_future_is_dated_now(server: RawServer) -> None:
    item = "<item><title>{}</title><pubDate>{}</pubDate></item>"
    dated = (
        item.format("a", "") + item.format("b", "Sun, 01 Mar 2099 11:30:00 GMT") + item.format("c", "soon")
    )
    server.respond = xml(f"<rss><channel>{dated}</channel></rss>")
    assert {event.timestamp for event in collect(server).events} == {NOW}


def test_old_items_are_left_out_and_many_are_capped(server: RawServer) -> None:
    old = "<item><title>x</title><pubDate>Sun, 01 Feb 2026 11:30:00 GMT</pubDate></item>"
    items = "".join(f"<item><title>t{k}</title></item>" for k in range(20))
    server.respond = xml(f"<rss><channel>{old}{items}</channel></rss>")
    page = collect(server, max_items=5)
    assert len(page.events) == 4
    assert page.notes == ("16 items left out: max_items",)


LAUGHS = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))


@pytest.mark.parametrize(
    ("respond", "part"),
    [
        (xml(f'<!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]><rss><channel>&a9;</channel></rss>'), "document type"),
        (xml('<!DOCTYPE x SYSTEM "file:///etc/passwd"><rss/>'), "document type"),
        (xml("<rss><channel><item><title>x</title>"), "not well-formed"),
        (xml("<a>" * 100 + "</a>" * 100), "nested"),
        (xml("<page>hello</page>"), "no RSS or Atom"),
        (reply(b"<!DOCTYPE html><html>login</html>", content_type="text/html"), "web page"),
        (reply(b"{", content_type="application/json"), "not JSON"),
        (reply_json({"items": {}}), "unexpected shape"),
        (reply_json({"items": [1]}), "unexpected shape"),
        (xml(b"\xff\xfe\x00"), "not well-formed"),
        (xml('<?xml version="1.0" encoding="martian"?><rss/>'), "not well-formed"),
        (cut, "broke off"),
    ],
)
def test_a_feed_that_is_broken_or_dangerous_is_refused_whole(
    server: RawServer, respond: Respond, part: str
) -> None:
    server.respond = respond
    with pytest.raises(SourceError, match=part):
        collect(server)


def test_an_empty_feed_is_fine(server: RawServer) -> None:
    server.respond = xml("<rss><channel/></rss>")
    page = collect(server)
    assert (page.events, page.notes) == ((), ("the feed holds no items",))
