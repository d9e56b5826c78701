"""Grafana Loki over HTTP on loopback: paging, times to the nanosecond, labels, tenants, refusals."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from loki_server import LokiServer
from raw_server import RawServer, reply, reply_json

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_logs import LokiSource
from domain.errors import ConfigurationError, SourceError

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
BASE = int(START.timestamp()) * 1_000_000_000
CELL = 300_000_000_000


@pytest.fixture
def loki(server: RawServer) -> LokiServer:
    return LokiServer(server)


class Reader:
    def __init__(self, url: str, environ: dict[str, str] | None = None, **more: object) -> None:
        values = {
            "kind": "loki",
            "name": "lines",
            "url": url,
            "query": '{app="gateway"}',
            "allow_private_addresses": True,
            "delay_seconds": 0,
            "template_series": 0,
            **more,
        }
        self.settings = LokiSource.model_validate(values)
        self.environ = environ or {}
        self.position = Position()
        self.notes: list[str] = []

    def page(self, cell: float) -> Collected:
        page = build_collector(self.settings, self.environ).collect(self.position, START + cell * STEP)
        cursor = json.loads(json.dumps(page.position.cursor))
        self.position = Position(page.position.watermark, cursor)
        self.notes += page.notes
        return page

    def read(self, cell: float) -> dict[tuple[str | None, str | None, int], float]:
        found: dict[tuple[str | None, str | None, int], float] = {}
        more = True
        while more:
            page = self.page(cell)
            more = page.more
            for one, at, value in page.samples:
                if one.key.metric == "log_lines" and value:
                    key = (one.key.label("component"), one.key.label("level"), (at - START) // STEP)
                    found[key] = value
        return found


def test_lines_are_counted_by_the_labels_of_their_stream(loki: LokiServer) -> None:
    loki.lines = [
        (BASE + 5, "order 1 filled", {"app": "gateway", "level": "info"}),
        (BASE + 6, "order 2 rejected", {"app": "gateway", "level": "error"}),
        (BASE + 7, "ERROR maker: quoting stopped", {"app": "maker"}),
        (BASE + 8, "no label names me", {"region": "eu"}),
        (BASE + CELL - 1, "the last nanosecond", {"app": "gateway", "detected_level": "warn"}),
    ]
    assert Reader(loki.server.url).read(1) == {
        ("gateway", "INFO", 0): 1,
        ("gateway", "ERROR", 0): 1,
        ("maker", "ERROR", 0): 1,
        ("lines", "INFO", 0): 1,
        ("gateway", "WARN", 0): 1,
    }


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("limit", [4, 7, 100])
def test_every_line_is_read_once_whatever_the_limit(loki: LokiServer, direction: str, limit: int) -> None:
    loki.lines = [(BASE + k // 3 * 10**9, f"line {k} of many", {"app": "a"}) for k in range(40)]
    reader = Reader(loki.server.url, page_lines=limit, direction=direction)
    assert reader.read(1) == {("a", "INFO", 0): 40}
    loki.lines += [(BASE + CELL + k, f"line {k} of more", {"app": "a"}) for k in range(9)]
    assert reader.read(2) == {("a", "INFO", 1): 9}
    assert reader.notes == []


def test_more_lines_of_one_nanosecond_than_a_page_holds_are_noted_and_passed(loki: LokiServer) -> None:
    loki.lines = [(BASE, f"line {k}", {"app": "a"}) for k in range(9)]
    loki.lines.append((BASE + 1, "after", {"app": "a"}))
    reader = Reader(loki.server.url, page_lines=4)
    assert sum(reader.read(1).values()) == 5
    assert any("one nanosecond" in note for note in reader.notes)


def test_after_an_outage_lines_are_read_from_where_it_began(loki: LokiServer) -> None:
    reader = Reader(loki.server.url, backfill_hours=24)
    loki.lines = [(BASE, "before", {"app": "a"})]
    reader.read(1)
    loki.lines += [(BASE + k * CELL, f"during {k}", {"app": "a"}) for k in range(1, 30)]
    answer = loki.server.respond
    loki.server.respond = reply(b"no healthy upstream", status="503 Service Unavailable")
    with pytest.raises(SourceError, match="HTTP 503"):
        reader.page(15)
    loki.server.respond = answer
    cells = Counter(cell for (_, _, cell) in reader.read(30))
    assert cells == Counter(dict.fromkeys(range(1, 30), 1))


def test_the_tenant_and_the_token_come_from_the_environment(loki: LokiServer) -> None:
    environ = {"LOKI_TOKEN": "glc_0123456789", "LOKI_TENANT": "desk-7"}
    reader = Reader(loki.server.url, environ, bearer_token_env="LOKI_TOKEN", tenant_env="LOKI_TENANT")
    reader.read(1)
    (head,) = loki.server.requests
    assert "X-Scope-OrgID: desk-7" in head
    assert "Authorization: Bearer glc_0123456789" in head
    with pytest.raises(ConfigurationError, match="LOKI_TENANT"):
        Reader(loki.server.url, {"LOKI_TOKEN": "x"}, tenant_env="LOKI_TENANT").read(1)
    plain = Reader(loki.server.url, tenant="fixed")
    plain.read(1)
    assert "X-Scope-OrgID: fixed" in loki.server.requests[-1]


def test_a_refused_query_is_shown_and_a_metric_query_is_no_log(loki: LokiServer) -> None:
    with pytest.raises(SourceError, match="max entries limit"):
        Reader(loki.server.url, page_lines=10_000).read(1)
    matrix = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    loki.server.respond = reply_json(matrix)
    with pytest.raises(SourceError, match="unexpected shape"):
        Reader(loki.server.url, query='rate({a="b"}[1m])').read(1)


@pytest.mark.parametrize(
    "values", [[["x", "text"]], [["1"]], [["1", 2]], "text", [None], [["1", "a", "b", "c", "d"], 1]]
)
def test_a_page_of_another_shape_is_refused_whole(loki: LokiServer, values: object) -> None:
    good = {"stream": {"app": "a"}, "values": [[str(BASE), "fine"]]}
    result = [good, {"stream": {}, "values": values}]
    loki.server.respond = reply_json(
        {"status": "success", "data": {"resultType": "streams", "result": result}}
    )
    with pytest.raises(SourceError, match="unexpected shape"):
        Reader(loki.server.url).read(1)
