"""Many sources at once, some of them ill in every way: the others and the cycle do not notice."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

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

from collectors.build import build_runner
from collectors.runner import SourceResult
from collectors.settings import SourceSettings
from domain.cycle import SourceState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ILL: dict[str, Respond] = {
    "hang": hang,
    "drip-header": drip_header,
    "drip-body": drip_body,
    "reset": reset,
    "cut": cut,
    "endless": endless,
    "bomb": bomb,
    "garbage": garbage,
    "error-500": reply(b"", status="500 Oops"),
    "error-401": reply(b"", status="401 No"),
    "error-404": reply(b"", status="404 No"),
    "busy": reply(b"", status="429 Slow down", Retry_After="30"),
    "page": reply(b"<html>login</html>", content_type="text/html"),
    "redirect": reply(b"", status="302 Found", Location="http://169.254.169.254/"),
    "json": reply_json({"status": "success", "data": {}}),
}


class States:
    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def get(self, name: str) -> SourceState | None:
        return SourceState.model_validate_json(self.states[name]) if name in self.states else None

    def put(self, state: SourceState) -> None:
        self.states[state.name] = state.model_dump_json()


def source(**values: object) -> SourceSettings:
    base = {"deadline_seconds": 1, "retries": 1, "step_seconds": 60}
    parsed: SourceSettings = TypeAdapter(SourceSettings).validate_python({**base, **values})
    return parsed


@pytest.fixture
def ill() -> Iterator[dict[str, RawServer]]:
    with ExitStack() as stack:
        servers = {}
        for name, respond in ILL.items():
            servers[name] = RawServer()
            servers[name].respond = respond
            stack.callback(servers[name].close)
        yield servers


def kinds(name: str, url: str) -> list[SourceSettings]:
    shared = {"url": url, "allow_private_addresses": True, "max_bytes": 1_000_000}
    return [
        source(kind="openmetrics", name=f"exporter-{name}", **shared),
        source(kind="prometheus", name=f"prometheus-{name}", queries=[{"query": "up"}], **shared),
        source(kind="news", name=f"news-{name}", **shared),
    ]


def test_ill_sources_cost_a_cycle_no_more_than_their_deadline(
    ill: dict[str, RawServer], server: RawServer, tmp_path: Path
) -> None:
    server.respond = reply(b"up 1\n")
    path = tmp_path / "desk.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT '2026-03-01 11:00' AS timestamp, 1 AS value")
    connection.close()
    well = [
        source(kind="openmetrics", name="well", url=server.url, allow_private_addresses=True),
        source(kind="sql", name="sql", url=f"sqlite:///{path}", query="SELECT * FROM t", metric="x"),
        source(kind="host", name="host", host="box"),
    ]
    sick = [one for name, ill_server in ill.items() for one in kinds(name, ill_server.url)]
    runner = build_runner([*sick, *well], {}, rng=random.Random(1))
    began = time.monotonic()
    first = {result.name: result for result in runner.run(NOW, 5)}
    second = {result.name: result for result in runner.run(NOW + timedelta(seconds=60), 5)}
    assert time.monotonic() - began < 6
    for name in ("well", "sql", "host"):
        assert first[name].health.status == "ok"
        assert len(first[name].samples) > 0
    for one in sick:
        result = second[one.name]
        assert result.health.status == "failed", one.name
        assert result.health.last_error
        assert "169.254" not in result.health.last_error
        assert (len(result.samples), result.events) == (0, ())
    runner.close()


def prometheus_of_minutes(url: str) -> SourceSettings:
    return source(
        kind="prometheus",
        name="prom",
        url=url,
        allow_private_addresses=True,
        queries=[{"query": "up"}],
        backfill_hours=1,
        breaker_failures=2,
    )


def every_minute(connection: object, head: str) -> None:
    query = parse_qs(urlsplit(head.split(" ")[1]).query)
    values = [[at, "1"] for at in range(int(query["start"][0]), int(query["end"][0]) + 1, 60)]
    result = [{"metric": {"__name__": "up"}, "values": values}]
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    reply_json(document)(connection, head)  # type: ignore[arg-type]


def test_after_an_outage_and_a_restart_no_minute_is_missing_and_none_comes_twice(server: RawServer) -> None:
    states = States()
    settings = prometheus_of_minutes(server.url)
    runner = build_runner([settings], {}, states, rng=random.Random(1))
    seen: list[datetime] = []

    def cycle(at: datetime) -> SourceResult:
        (result,) = runner.run(at)
        seen.extend(time for _, time, _ in result.samples)
        runner.acknowledge(result)
        return result

    server.respond = every_minute
    cycle(NOW)
    server.respond = reply(b"", status="502 Bad")
    for minute in range(5, 30, 5):
        cycle(NOW + timedelta(minutes=minute))
    runner.close()
    server.respond = every_minute
    runner = build_runner([settings], {}, states, rng=random.Random(1))
    assert cycle(NOW + timedelta(minutes=45)).health.status == "ok"
    assert seen == [NOW - timedelta(minutes=59 - k) for k in range(105)]


def test_states_are_plain_json(server: RawServer) -> None:
    states = States()
    server.respond = reply(b"<rss><channel><item><title>a</title></item></channel></rss>")
    feed = source(kind="news", name="feed", url=server.url, allow_private_addresses=True)
    runner = build_runner([feed], {}, states)
    (result,) = runner.run(NOW)
    assert len(result.events) == 1
    runner.acknowledge(result)
    (again,) = build_runner([feed], {}, states).run(NOW + timedelta(minutes=1))
    assert again.events == ()


def test_disabled_sources_are_left_alone(server: RawServer) -> None:
    off = source(kind="news", name="feed", url=server.url, enabled=False)
    assert build_runner([off], {}).run(NOW) == []
