"""Servers that misbehave, one test per kind of fault: feeds, status pages, announcements, calendars, Loki."""

import json
import logging
import random
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter
from raw_server import (
    RawServer,
    Respond,
    bomb,
    cut,
    drip_body,
    drip_header,
    endless,
    garbage,
    hang,
    reply,
    reply_json,
    reset,
)

from collectors.build import build_runner, check_source
from collectors.runner import SourceResult, SourceRunner
from collectors.settings import SourceSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NANOS = int(NOW.timestamp()) * 10**9
ITEM = "<item><title>Bitcoin slides as funding turns</title><guid>{}</guid><pubDate>{}</pubDate></item>"
KINDS: dict[str, dict[str, Any]] = {
    "feed": {"kind": "news"},
    "statuspage": {"kind": "news", "format": "statuspage"},
    "announcements": {"kind": "news", "format": "json"},
    "calendar": {"kind": "calendar"},
    "loki": {"kind": "loki", "query": '{a="b"}', "delay_seconds": 0},
}


def rss(*items: tuple[str, str]) -> bytes:
    return f"<rss><channel>{''.join(ITEM.format(*one) for one in items)}</channel></rss>".encode()


def streams(*lines: tuple[int, str]) -> object:
    values = [[str(nanos), text] for nanos, text in lines]
    result = [{"stream": {"app": "gateway"}, "values": values}]
    return {"status": "success", "data": {"resultType": "streams", "result": result}}


GOOD: dict[str, Respond] = {
    "feed": reply(rss(("1", "Sun, 01 Mar 2026 11:00:00 GMT")), content_type="application/rss+xml"),
    "statuspage": reply_json(
        {"incidents": [{"id": "i", "name": "Slow", "created_at": "2026-03-01T11:00:00Z"}]}
    ),
    "announcements": reply_json(
        {"items": [{"id": 1, "title": "Delisting", "published_at": 1_772_362_800_000}]}
    ),
    "calendar": reply(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:CPI\r\nDTSTART:20260301T110000Z\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n",
        content_type="text/calendar",
    ),
    "loki": reply_json(streams((NANOS - 3_000 * 10**9, "order 1 filled"))),
}


def source(name: str, url: str, **more: object) -> SourceSettings:
    values = {
        "name": name,
        "url": url,
        "allow_private_addresses": True,
        "deadline_seconds": 1,
        "retries": 0,
        "max_bytes": 200_000,
        **KINDS[name.split(".", maxsplit=1)[0]],
        **more,
    }
    parsed: SourceSettings = TypeAdapter(SourceSettings).validate_python(values)
    return parsed


class Fleet:
    """One server for all kinds, or one each, and a runner over them; a well source stands beside them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.servers: dict[str, RawServer] = {}
        self.runner: SourceRunner | None = None
        self.well = self.server(reply(b"up 1\n"))

    def server(self, respond: Respond) -> RawServer:
        server = RawServer()
        server.respond = respond
        self._stack.callback(server.close)
        return server

    def serve(self, **answers: Respond) -> None:
        """Start a source per answer, named KIND.NAME with a dot for two underscores."""
        settings = []
        for name, respond in answers.items():
            self.servers[name.replace("__", ".")] = self.server(respond)
        settings = [source(name, server.url) for name, server in self.servers.items()]
        well = TypeAdapter(SourceSettings).validate_python(
            {"kind": "openmetrics", "name": "well", "url": self.well.url, "allow_private_addresses": True}
        )
        self.runner = build_runner([*settings, well], {}, rng=random.Random(1))
        self._stack.callback(self.runner.close)

    def read(self, at: datetime) -> dict[str, SourceResult]:
        assert self.runner is not None
        found = {}
        for result in self.runner.run(at, 10):
            self.runner.acknowledge(result)
            found[result.name] = result
        assert found["well"].health.status == "ok"
        assert len(found.pop("well").samples) == 1
        return found


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack)


def everywhere(**modes: Respond) -> dict[str, Respond]:
    return {f"{kind}__{mode}": respond for kind in KINDS for mode, respond in modes.items()}


def test_f105_a_source_that_is_down_is_failed_after_two_reads_and_shows_its_age(fleet: Fleet) -> None:
    fleet.serve(**GOOD)
    assert {one.health.status for one in fleet.read(NOW).values()} == {"ok"}
    ill = [reset, *(reply(b"", status=status) for status in ("500 Oops", "401 No", "404 Gone", "502 Bad"))]
    for server, respond in zip(fleet.servers.values(), ill, strict=True):
        server.respond = respond
    assert {one.health.status for one in fleet.read(NOW + timedelta(minutes=5)).values()} == {"stale"}
    for one in fleet.read(NOW + timedelta(minutes=10)).values():
        assert one.health.status == "failed"
        assert one.health.last_success_at == NOW
        assert one.health.lag_seconds is not None
        assert one.health.lag_seconds >= 500
        assert one.health.last_error
    for name, server in fleet.servers.items():
        server.respond = GOOD[name]
    back = fleet.read(NOW + timedelta(minutes=30))
    assert {one.health.status for one in back.values()} == {"ok"}


def test_f106_whoever_hangs_or_drips_costs_a_cycle_its_own_deadline_at_most(fleet: Fleet) -> None:
    fleet.serve(**everywhere(hang=hang, drip=drip_body, header=drip_header))
    began = time.monotonic()
    found = fleet.read(NOW)
    assert time.monotonic() - began < 5
    for one in found.values():
        assert (len(one.samples), one.events) == (0, ())
        assert one.health.last_error
    began = time.monotonic()
    fleet.read(NOW + timedelta(minutes=5))
    assert time.monotonic() - began < 5


def test_f107_an_answer_that_is_broken_is_refused_whole_and_what_was_known_stays(fleet: Fleet) -> None:
    modes = {
        "cut": cut,
        "json": reply(b'{"items": [', content_type="application/json"),
        "page": reply(b"<!DOCTYPE html><html>Sign in</html>", content_type="text/html"),
        "schema": reply_json({"data": {"v2": []}}),
        "garbage": garbage,
        "empty": reply(b""),
        "utf16": reply("\ufeff<rss/>".encode("utf-16")),
        "charset": reply(b'<?xml version="1.0" encoding="klingon"?><rss><channel/></rss>'),
        "entities": reply(
            b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><rss>&b;</rss>'
        ),
        "nested": reply(b"<rss>" + b"<a>" * 20_000),
        "deep_json": reply(b"[" * 100_000, content_type="application/json"),
    }
    fleet.serve(**everywhere(**modes))
    for name, one in fleet.read(NOW).items():
        assert (len(one.samples), one.events) == (0, ()), name
        assert one.health.last_error, name
        assert one.position is None, name


def test_f107_the_wrong_length_and_the_wrong_type_do_not_matter_where_the_content_is_whole(
    fleet: Fleet,
) -> None:
    def too_long(connection: Any, head: str) -> None:
        body = rss(("1", "Sun, 01 Mar 2026 11:00:00 GMT"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body)

    body = rss(("1", "Sun, 01 Mar 2026 11:00:00 GMT"))
    fleet.serve(feed__short=too_long, feed__typed=reply(body, content_type="image/png"))
    found = fleet.read(NOW)
    assert found["feed.short"].events == ()
    assert "not well-formed" in str(found["feed.short"].health.last_error)
    assert len(found["feed.typed"].events) == 1


def test_f108_strange_times_and_ids_are_put_right_or_left_out(fleet: Fleet) -> None:
    feed = rss(
        ("1", "Sun, 01 Mar 2026 11:00:00 GMT"),
        ("1", "Sun, 01 Mar 2026 11:00:00 GMT"),
        ("2", "Mon, 02 Mar 2026 11:59:00 GMT"),
        ("3", "Sun, 01 Mar 2036 11:00:00 GMT"),
        ("4", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("5", "yesterday"),
        ("6", "Sat, 28 Feb 2026 11:00:00 GMT"),
    )
    lines = streams(
        (NANOS - 500 * 10**9, "order 2 filled"),
        (NANOS - 3_000 * 10**9, "order 1 filled"),
        (NANOS - 500 * 10**9, "order 2 filled"),
        (NANOS + 86_400 * 10**9, "order 3 filled"),
        (-5, "order 4 filled"),
    )
    fleet.serve(feed=reply(feed, content_type="text/xml"), loki=reply_json(lines))
    found = fleet.read(NOW)
    events = found["feed"].events
    assert [one.timestamp for one in events] == sorted(one.timestamp for one in events)
    assert len(events) == 5
    assert max(one.timestamp for one in events) == NOW
    counted = sum(value for one, _, value in found["loki"].samples if one.key.metric == "log_lines" and value)
    assert counted == 3
    assert any("another time than was asked for" in note for note in found["loki"].notes)
    again = fleet.read(NOW + timedelta(minutes=5))
    assert again["feed"].events == ()


def test_f109_what_is_no_number_is_a_gap_and_no_zero(fleet: Fleet) -> None:
    fleet.well.respond = reply(b"up 1\n")
    server = fleet.server(reply(b'spread_bps{v="a"} NaN\nspread_bps{v="b"} +Inf\nspread_bps{v="c"} 1.5\n'))
    settings = TypeAdapter(SourceSettings).validate_python(
        {"kind": "openmetrics", "name": "x", "url": server.url, "allow_private_addresses": True}
    )
    (result,) = build_runner([settings], {}).run(NOW)
    assert [(one.key.label("v"), value) for one, _, value in result.samples] == [("c", 1.5)]
    assert any("gaps" in note for note in result.notes)


def test_f110_a_busy_server_is_left_alone_for_as_long_as_it_says(fleet: Fleet) -> None:
    fleet.serve(**dict.fromkeys(KINDS, reply(b"", status="429 Slow down", Retry_After="700")))
    fleet.read(NOW)
    asked = {name: len(server.requests) for name, server in fleet.servers.items()}
    assert set(asked.values()) == {1}
    for minute in (5, 10):
        for one in fleet.read(NOW + timedelta(minutes=minute)).values():
            assert one.health.next_try_at is not None
            assert one.health.next_try_at >= NOW + timedelta(seconds=700)
    assert {name: len(server.requests) for name, server in fleet.servers.items()} == asked
    fleet.read(NOW + timedelta(minutes=30))
    assert {len(server.requests) for server in fleet.servers.values()} == {2}


def test_f111_endless_answers_and_bombs_leave_memory_flat(fleet: Fleet) -> None:
    fleet.serve(**everywhere(endless=endless, bomb=bomb))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for one in fleet.read(NOW).values():
        assert one.events == ()
        assert one.health.last_error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    assert grown < 200


def test_f112_no_redirect_is_followed(fleet: Fleet) -> None:
    sink = fleet.server(reply(b"secret"))
    inner = reply(b"", status="302 Found", Location=sink.url)
    metadata = reply(
        b"", status="307 Temporary Redirect", Location="http://169.254.169.254/latest/meta-data/"
    )
    fleet.serve(**everywhere(inner=inner, metadata=metadata))
    for one in fleet.read(NOW).values():
        assert "redirects" in str(one.health.last_error)
        assert "169.254" not in str(one.health.last_error)
    assert sink.requests == []


def test_f112_a_private_address_is_not_read_unless_it_is_allowed(fleet: Fleet) -> None:
    server = fleet.server(GOOD["feed"])
    for kind in KINDS:
        answer = check_source(source(kind, server.url, allow_private_addresses=False), {}, NOW)
        assert not answer.ok
        assert "private" in answer.answer
    assert server.requests == []


SECRET = "s3cr3t-t0ken-0123456789"


@pytest.mark.parametrize("kind", KINDS)
def test_f113_a_secret_is_in_no_error_note_or_log(
    fleet: Fleet, kind: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = reply(f"no access for {SECRET}".encode(), status="403 Forbidden")
    server = fleet.server(echo)
    environ = {"FEED_URL": f"{server.url}/{SECRET}?key={SECRET}", "TOKEN": SECRET}
    settings = source(kind, "", url_env="FEED_URL", bearer_token_env="TOKEN", retries=1)
    with caplog.at_level(logging.DEBUG):
        runner = build_runner([settings], environ, rng=random.Random(1))
        told = []
        for minute, respond in enumerate((echo, reply(SECRET.encode()), reset, GOOD[kind])):
            server.respond = respond
            told += [
                json.dumps(result.health.model_dump(mode="json")) + str(result.notes)
                for result in runner.run(NOW + timedelta(hours=minute))
            ]
        told.append(check_source(settings, environ, NOW).answer)
        runner.close()
    assert SECRET in server.requests[0]
    shown = "".join(told) + caplog.text + "".join(capsys.readouterr())
    assert SECRET not in shown
