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
        "first_seen": "2026-03-01T12:00:00+00:00",
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


STATUS = {
    "page": {"id": "x", "name": "Bybit"},
    "incidents": [
        {
            "id": "i1",
            "name": "Delayed order acknowledgements",
            "status": "resolved",
            "impact": "major",
            "created_at": "2026-03-01T08:00:00.000Z",
            "shortlink": "https://stspg.io/i1",
            "components": [{"id": "c", "name": "Order gateway"}],
            "incident_updates": [
                {
                    "id": "u2",
                    "status": "resolved",
                    "body": "Fixed.",
                    "created_at": "2026-03-01T09:00:00.000Z",
                },
                {
                    "id": "u1",
                    "status": "investigating",
                    "body": "We are looking into <b>delays</b> on BTCUSDT.",
                    "display_at": "2026-03-01T08:05:00.000Z",
                },
            ],
        },
        {"id": "i2", "name": "Planned work", "status": "scheduled", "created_at": "2026-02-28T08:00:00Z"},
    ],
}


def test_a_status_page_tells_every_update_of_an_incident_once(server: RawServer) -> None:
    server.respond = reply_json(STATUS)
    more: dict[str, Any] = {
        "format": "statuspage",
        "event_kind": "notice",
        "source": "events",
        "labels": {"venue": "bybit"},
    }
    page = collect(server, **more)
    assert "GET /api/v2/incidents.json" in server.requests[0]
    assert [(event.timestamp.hour, event.text) for event in page.events] == [
        (8, "Planned work (scheduled)"),
        (8, "Delayed order acknowledgements (investigating) \u2014 We are looking into delays on BTCUSDT."),
        (9, "Delayed order acknowledgements (resolved) \u2014 Fixed."),
    ]
    labels = page.events[1].labels
    assert (labels["impact"], labels["status"], labels["affected"]) == (
        "major",
        "investigating",
        "Order gateway",
    )
    assert (labels["symbol"], labels["venue"], page.events[1].kind) == ("BTC", "bybit", "notice")
    assert collect(server, page.position.cursor, **more).events == ()


ANNOUNCEMENTS = {
    "result": {
        "list": [
            {
                "title": "Delisting of ABCUSDT Perpetual Contract",
                "description": "Trading ends soon.",
                "url": "https://announcements.test/1",
                "dateTimestamp": 1_772_355_600_000,
                "tags": ["Derivatives"],
            }
        ]
    }
}
FIELDS = {
    "items": "result.list",
    "id": "url",
    "summary": "description",
    "time": "dateTimestamp",
    "time_unit": "ms",
}


def test_announcements_are_read_by_path_expressions(server: RawServer) -> None:
    server.respond = reply_json(ANNOUNCEMENTS)
    (event,) = collect(server, format="json", fields=FIELDS, symbols={"ABC": []}).events
    assert event.timestamp == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert event.text == "Delisting of ABCUSDT Perpetual Contract \u2014 Trading ends soon."
    assert (event.labels["symbol"], event.labels["link"]) == ("ABC", "https://announcements.test/1")


def test_announcements_that_are_nested_without_end_are_refused(server: RawServer) -> None:
    server.respond = reply(b"[" * 200_000 + b"]" * 200_000, content_type="application/json")
    with pytest.raises(SourceError, match="unexpected shape"):
        collect(server, format="json", fields=FIELDS)


@pytest.mark.parametrize(
    "document",
    [{}, {"result": {"list": None}}, {"result": {"list": [{"title": {"en": "x"}}]}}, [], "text", 7],
)
def test_announcements_of_another_shape_are_refused_whole(server: RawServer, document: object) -> None:
    server.respond = reply_json(document)
    with pytest.raises(SourceError, match="unexpected shape"):
        collect(server, format="json", fields=FIELDS)


@pytest.mark.parametrize("document", [{}, {"incidents": {}}, {"incidents": [{"id": 1}]}])
def test_a_status_page_of_another_shape_is_refused_whole(server: RawServer, document: object) -> None:
    server.respond = reply_json(document)
    with pytest.raises(SourceError, match="unexpected shape"):
        collect(server, format="statuspage")


def test_a_path_that_is_none_is_refused_when_it_is_configured() -> None:
    with pytest.raises(ValueError, match="JMESPath"):
        settings("http://x.test", format="json", fields={"items": "a[["})


def test_one_headline_from_two_feeds_is_one_event(server: RawServer) -> None:
    title = "Bitcoin slides as funding turns negative"
    server.respond = xml(f"<rss><channel><item><title>{title}</title><guid>a</guid></item></channel></rss>")
    (first,) = collect(server).events
    server.respond = xml(
        f"<rss><channel><item><title>{title.upper()}.</title><guid>7</guid></item></channel></rss>"
    )
    (second,) = collect(server, name="other").events
    assert first.dedupe_key == second.dedupe_key
    (notice,) = collect(server, event_kind="notice").events
    assert notice.dedupe_key != first.dedupe_key
