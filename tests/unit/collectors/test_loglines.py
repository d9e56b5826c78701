"""Lines of logs in the formats that desks write."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.loglines import Line, LineParser, level_of
from domain.timestamps import to_microseconds

NOON = to_microseconds(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "level", "component", "message"),
    [
        (
            "2026-03-01T12:00:00.000Z WARN gateway:bybit order rejected",
            "WARN",
            "gateway:bybit",
            "order rejected",
        ),
        ("2026-03-01 12:00:00,000 - ERROR - [db.pool] timeout", "ERROR", "db.pool", "timeout"),
        ("[2026-03-01T13:00:00+0100] [warn] nginx: upstream gone", "WARN", "nginx", "upstream gone"),
        ("2026-03-01 12:00:00 CRITICAL risk: halt", "CRITICAL", "risk", "halt"),
        (
            '{"ts": "2026-03-01T12:00:00Z", "level": "error", "logger": "feed", "msg": "gap"}',
            "ERROR",
            "feed",
            "gap",
        ),
        ('{"time": 1772366400000, "level": 30, "name": "gw", "msg": "ok"}', "INFO", "gw", "ok"),
        ("2026-03-01T12:00:00Z a plain message", "INFO", "", "a plain message"),
    ],
)
def test_a_line_tells_time_level_component_and_message(
    line: str, level: str, component: str, message: str
) -> None:
    assert LineParser(None, UTC).parse(line) == Line(NOON, level, component, message)


@pytest.mark.parametrize(
    ("line", "level", "component", "message"),
    [
        (
            "2026-03-01 12:00:00,000 - freqtrade.worker - ERROR - Too many visits",
            "ERROR",
            "",
            "freqtrade.worker - Too many visits",
        ),
        (
            "2026-03-01 12:00:00,000 - 4711 - hummingbot.core.clock - WARNING - late tick",
            "WARN",
            "",
            "hummingbot.core.clock - late tick",
        ),
        ("2026-03-01 12:00:00 | bot | CRITICAL | no funds", "CRITICAL", "", "bot - no funds"),
        ("2026-03-01 12:00:00,000 - gateway:okx - ERROR - lost", "ERROR", "gateway:okx", "lost"),
        (
            "2026-03-01 12:00:00,000 [main] ERROR com.desk.Hedger - boom",
            "ERROR",
            "",
            "com.desk.Hedger - boom",
        ),
        ("2026-03-01 12:00:00.000 4711 ERROR [desk.pool] gone", "ERROR", "desk.pool", "gone"),
        ("2026/03/01 12:00:00 [error] 7#0: *1 upstream timed out", "ERROR", "", "7#0: *1 upstream timed out"),
        (
            'time=2026-03-01T12:00:00Z level=error msg="no \\"ack\\" came" venue=okx',
            "ERROR",
            "",
            'no "ack" came',
        ),
        (
            "ts=2026-03-01T12:00:00.000Z caller=main.go:7 level=warn component=tsdb msg=slow",
            "WARN",
            "tsdb",
            "slow",
        ),
        ("\x1b[32m2026-03-01 12:00:00.000\x1b[0m | \x1b[31mERROR   \x1b[0m | boom", "ERROR", "", "boom"),
        # No level, whatever the words of the message are.
        ("2026-03-01 12:00:00 no error and no WARN at all", "INFO", "", "no error and no WARN at all"),
        ("2026-03-01 12:00:00 order 17 - ERROR - is its note", "INFO", "", "order 17 - ERROR - is its note"),
    ],
)
def test_the_level_is_found_where_common_loggers_put_it(
    line: str, level: str, component: str, message: str
) -> None:
    assert LineParser(None, UTC).parse(line) == Line(NOON, level, component, message)


def test_a_line_without_a_time_is_read_all_the_same() -> None:
    assert LineParser(None, UTC).parse("ERROR:root:boom") == Line(None, "ERROR", "root", "boom")
    assert LineParser(None, UTC).parse("just words") == Line(None, "INFO", "", "just words")


def test_a_time_without_offset_is_read_in_the_configured_zone() -> None:
    line = LineParser(None, ZoneInfo("Europe/Berlin")).parse("2026-03-01 13:00:00 INFO x")
    assert line is not None
    assert line.micros == NOON


def test_a_configured_pattern_wins() -> None:
    parser = LineParser(r"^(?P<component>\w+)\|(?P<level>\w+)\|(?P<message>.*)$", UTC)
    assert parser.parse("risk|err|limit hit") == Line(None, "ERROR", "risk", "limit hit")


@pytest.mark.parametrize(
    "line", ["", "   ", "\tat com.desk.Main", "  File x", "Traceback (most recent call last):"]
)
def test_lines_of_a_stack_trace_belong_to_the_line_before(line: str) -> None:
    assert LineParser(None, UTC).parse(line) is None


def test_escape_sequences_are_taken_out() -> None:
    line = LineParser(None, UTC).parse("\x1b[31mERROR\x1b[0m boom\x00")
    assert line is not None
    assert "\x1b" not in line.message
    assert "\x00" not in line.message


@pytest.mark.parametrize(
    ("word", "level"), [("warning", "WARN"), ("Fatal", "CRITICAL"), ("nonsense", "INFO")]
)
def test_levels_have_five_names(word: str, level: str) -> None:
    assert level_of(word) == level


SHAPES = [
    ("Mar  1 12:00:00 vps systemd[1]: Started x.", Line(NOON, "INFO", "systemd", "Started x.")),
    ("<11>Mar  1 12:00:00 vps gateway: lost", Line(NOON, "ERROR", "gateway", "lost")),
    ("<34>1 2026-03-01T12:00:00.000Z vps maker 7 ID4 - halted", Line(NOON, "CRITICAL", "maker", "halted")),
    ("2026-03-01T12:00:00+00:00 vps CRON[7]: (root) CMD (x)", Line(NOON, "INFO", "CRON", "(root) CMD (x)")),
    ("2026-03-01T12:00:00Z ERROR risk: boom", Line(NOON, "ERROR", "risk", "boom")),
    ("2026-03-01T12:00:00Z INFO gateway:okx up", Line(NOON, "INFO", "gateway:okx", "up")),
    (
        '10.0.0.4 - - [01/Mar/2026:13:00:00 +0100] "GET /api HTTP/1.1" 200 17 "-" "x"',
        Line(NOON, "INFO", "", '"GET /api HTTP/1.1" 200 17 "-" "x"'),
    ),
    (
        '10.0.0.4 - bob [01/Mar/2026:12:00:00 +0000] "GET /api HTTP/1.1" 502 17',
        Line(NOON, "WARN", "", '"GET /api HTTP/1.1" 502 17'),
    ),
]


@pytest.mark.parametrize(("line", "told"), SHAPES)
def test_lines_of_syslog_and_of_web_servers_are_understood(line: str, told: Line) -> None:
    assert LineParser(None, UTC).parse(line, datetime(2026, 3, 1, 12, 5, tzinfo=UTC)) == told


def test_a_time_without_a_year_is_of_the_last_such_day() -> None:
    parser, line = LineParser(None, UTC), "Dec 31 23:59:00 vps app: late"
    after = parser.parse(line, datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    assert after is not None
    assert after.micros == to_microseconds(datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    unread = parser.parse(line)
    assert unread is not None
    assert unread.micros is None
    for now, known in ((datetime(2026, 3, 1, tzinfo=UTC), False), (datetime(2028, 3, 1, tzinfo=UTC), True)):
        leap = parser.parse("Feb 29 10:00:00 vps app: x", now)
        assert leap is not None
        assert (leap.micros is not None) is known


@given(st.text(max_size=300))
def test_no_line_breaks_the_parser(line: str) -> None:
    parsed = LineParser(None, UTC).parse(line)
    assert parsed is None or parsed.message
