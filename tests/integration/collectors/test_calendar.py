"""A calendar over HTTP: events known in advance, told at their time, once, whatever the server then does."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from raw_server import RawServer, reply

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_news import CalendarSource
from domain.errors import SourceError
from domain.event import Event

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ics(*events: str, more: str = "") -> bytes:
    body = "\r\n".join(
        f"BEGIN:VEVENT\r\nUID:{number}@desk\r\nDTSTAMP:20260101T000000Z\r\n{one}\r\nEND:VEVENT"
        for number, one in enumerate(events)
    )
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//desk//EN\r\n{more}{body}\r\nEND:VCALENDAR\r\n"
    return text.encode()


class Reader:
    def __init__(self, server: RawServer, **more: object) -> None:
        values = {
            "kind": "calendar",
            "name": "economy",
            "url": server.url,
            "allow_private_addresses": True,
            "deadline_seconds": 3,
            **more,
        }
        self.server = server
        self.collector = build_collector(CalendarSource.model_validate(values), {})
        self.position = Position()
        self.notes: tuple[str, ...] = ()

    def serve(self, body: bytes, status: str = "200 OK") -> None:
        self.server.respond = reply(body, content_type="text/calendar", status=status)

    def page(self, at: datetime) -> Collected:
        page = self.collector.collect(self.position, at)
        self.position = Position(page.position.watermark, json.loads(json.dumps(page.position.cursor)))
        self.notes = page.notes
        return page

    def told(self, at: datetime) -> list[tuple[str, datetime]]:
        return [(event.text, event.timestamp) for event in self.page(at).events]


CPI = "SUMMARY:US CPI\r\nDTSTART:20260301T133000Z\r\nDTEND:20260301T140000Z\r\nCATEGORIES:high,US"


def test_an_event_is_known_before_its_time_and_told_at_it(server: RawServer) -> None:
    reader = Reader(server)
    reader.serve(ics(CPI))
    assert reader.told(NOW) == []
    assert reader.notes == ("next: US CPI at 2026-03-01 13:30Z",)
    assert reader.position.cursor["upcoming"]
    assert reader.told(NOW + timedelta(minutes=89)) == []
    (event,) = reader.page(NOW + timedelta(minutes=90)).events
    assert event.timestamp == NOW + timedelta(minutes=90)
    assert (event.kind, event.labels["categories"], event.source) == ("calendar", "high,US", "events")
    assert reader.told(NOW + timedelta(minutes=95)) == []


def test_a_server_that_is_down_at_the_time_of_an_event_costs_nothing(server: RawServer) -> None:
    reader = Reader(server)
    reader.serve(ics(CPI))
    reader.told(NOW)
    reader.serve(b"", status="503 Service Unavailable")
    page = reader.page(NOW + timedelta(minutes=91))
    assert [event.text for event in page.events] == ["US CPI"]
    assert page.more
    with pytest.raises(SourceError, match="503"):
        reader.page(NOW + timedelta(minutes=91))
    with pytest.raises(SourceError, match="503"):
        reader.page(NOW + timedelta(minutes=96))


def test_what_happened_before_the_first_look_is_told_late_and_what_is_old_is_not(server: RawServer) -> None:
    reader = Reader(server)
    reader.serve(
        ics("SUMMARY:Earlier\r\nDTSTART:20260301T090000Z", "SUMMARY:Old\r\nDTSTART:20260201T090000Z")
    )
    assert reader.told(NOW) == [("Earlier", datetime(2026, 3, 1, 9, tzinfo=UTC))]


def test_zones_whole_days_and_times_without_a_zone(server: RawServer) -> None:
    reader = Reader(server, timezone="America/New_York")
    reader.serve(
        ics(
            "SUMMARY:Zoned\r\nDTSTART;TZID=Europe/Berlin:20260302T100000",
            "SUMMARY:Floating\r\nDTSTART:20260302T100000",
            "SUMMARY:Day\r\nDTSTART;VALUE=DATE:20260302",
        )
    )
    reader.told(NOW)
    found = dict(reader.told(NOW + timedelta(hours=23)) + reader.told(NOW + timedelta(hours=30)))
    assert found == {
        "Zoned": datetime(2026, 3, 2, 9, tzinfo=UTC),
        "Floating": datetime(2026, 3, 2, 15, tzinfo=UTC),
        "Day": datetime(2026, 3, 2, 5, tzinfo=UTC),
    }


def test_cancelled_and_moved_events_are_not_told_at_their_old_time(server: RawServer) -> None:
    reader = Reader(server)
    reader.serve(ics(CPI))
    reader.told(NOW)
    reader.serve(ics(f"{CPI}\r\nSTATUS:CANCELLED"))
    assert reader.told(NOW + timedelta(hours=2)) == []


def test_a_rule_recurs_with_its_exceptions_across_a_clock_change(server: RawServer) -> None:
    """Weekly at 14:30 Berlin time; the clocks change on 29 March."""
    reader = Reader(server, ahead_days=40)
    reader.serve(
        ics(
            "SUMMARY:Rate decision\r\nDTSTART;TZID=Europe/Berlin:20260305T143000\r\n"
            "RRULE:FREQ=WEEKLY\r\nEXDATE;TZID=Europe/Berlin:20260312T143000"
        )
    )
    told: list[datetime] = []
    for day in range(36):
        told += [at for _, at in reader.told(NOW + timedelta(days=day))]
    assert [(at.month, at.day, at.hour) for at in told] == [(3, 5, 13), (3, 19, 13), (3, 26, 13), (4, 2, 12)]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=HOURLY;BYMINUTE=0,1,2,3,4,5;BYSECOND=0,1,2,3,4,5",
        # Rules that go nowhere, or fit nowhere until the year 9999.
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=13",
    ],
)
def test_a_rule_that_never_rests_is_refused_and_the_others_stay(server: RawServer, rule: str) -> None:
    reader = Reader(server)
    reader.serve(ics(f"SUMMARY:Bomb\r\nDTSTART:19700101T000000Z\r\nRRULE:{rule}", CPI))
    began = time.process_time()
    assert reader.told(NOW) == []
    assert time.process_time() - began < 3
    assert "1 events refused" in reader.notes[0]
    assert reader.told(NOW + timedelta(hours=2)) == [("US CPI", NOW + timedelta(minutes=90))]


def test_only_what_was_asked_for_is_told_and_memory_is_bounded(server: RawServer) -> None:
    reader = Reader(server, only=("cpi", "fomc"), max_events=2)
    hours = [f"SUMMARY:FOMC {k}\r\nDTSTART:20260301T{k:02}0000Z" for k in range(13, 23)]
    reader.serve(ics("SUMMARY:Lunch\r\nDTSTART:20260301T130000Z", *hours))
    reader.told(NOW)
    assert [row[2] for row in reader.position.cursor["upcoming"]] == ["FOMC 13", "FOMC 14"]


def test_events_name_symbols_and_venues(server: RawServer) -> None:
    reader = Reader(server)
    reader.serve(ics("SUMMARY:Bybit maintenance of BTCUSDT\r\nDTSTART:20260301T110000Z"))
    (event,) = reader.page(NOW).events
    assert isinstance(event, Event)
    assert (event.labels["venue"], event.labels["component"]) == ("bybit", "venue:bybit")
    assert event.labels["symbol"] == "BTC"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login</html>",
        b"",
        b"{}",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VTODO\r\n",
        b"BEGIN:VCALENDAR\r\n\xff\xfe\r\nEND:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" * 2_000,
    ],
)
def test_what_is_no_calendar_is_refused_whole_and_what_was_known_stays(
    server: RawServer, body: bytes
) -> None:
    reader = Reader(server)
    reader.serve(ics(CPI))
    reader.told(NOW)
    reader.serve(body)
    with pytest.raises(SourceError):
        reader.page(NOW + timedelta(minutes=5))
    assert reader.told(NOW + timedelta(minutes=91)) == [("US CPI", NOW + timedelta(minutes=90))]


@pytest.mark.parametrize(
    "bad",
    [
        "SUMMARY:X\r\nDTSTART:notatime",
        "SUMMARY:X",
        "SUMMARY:X\r\nDTSTART:20260301T130000Z\r\nRRULE:FREQ=WEEKLY;UNTIL=never",
        "SUMMARY:X\r\nDTSTART:00010101T000000Z",
        "SUMMARY:X\r\nDTSTART:99991231T235959Z",
    ],
)
def test_one_malformed_event_costs_no_other(server: RawServer, bad: str) -> None:
    reader = Reader(server)
    reader.serve(ics(bad, CPI))
    reader.told(NOW)
    assert ("US CPI", NOW + timedelta(minutes=90)) in reader.told(NOW + timedelta(minutes=91))
