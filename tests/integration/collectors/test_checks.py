"""What a check of a source says."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from raw_server import RawServer, reply_json

from collectors.build import check_source
from collectors.settings import PrometheusSource, SqlSource
from collectors.settings_logs import LogSource

NOW = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes_ago", "answer"),
    [
        ([5], "1 samples of 1 series"),
        ([90, 200], "nothing of the last 15 min; a first read: 2 samples of 1 series"),
        ([], "nothing of the last 15 min; a first read: 0 samples of 0 series"),
    ],
)
def test_a_source_that_is_rarely_written_is_told_from_one_that_brings_nothing(
    tmp_path: Path, minutes_ago: list[int], answer: str
) -> None:
    path = tmp_path / "desk.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE rows (at, value)")
        at = [f"{NOW - timedelta(minutes=one):%Y-%m-%dT%H:%M:%SZ}" for one in minutes_ago]
        connection.executemany("INSERT INTO rows VALUES (?, 1.5)", [(one,) for one in at])
    values = {
        "kind": "sql",
        "name": "rows",
        "source": "pnl_data",
        "url": f"sqlite:///{path}",
        "query": "SELECT at, value FROM rows WHERE at >= :since AND at < :until ORDER BY at",
        "bind_time_as": "rfc3339",
        "time_column": "at",
        "values": {"value": "pnl"},
    }
    assert check_source(SqlSource.model_validate(values), {}, NOW).answer == answer


def test_lines_of_a_cell_that_is_not_over_are_told(tmp_path: Path) -> None:
    path = tmp_path / "desk.log"
    path.write_text(f"{NOW - timedelta(minutes=1):%Y-%m-%d %H:%M:%S} INFO order 1 filled\n")
    values = {"kind": "logs", "name": "desk", "paths": [str(path)], "step_seconds": 300}
    answer = check_source(LogSource.model_validate(values), {}, NOW).answer
    assert answer.startswith("nothing of the last 15 min; a first read: 5 samples of 5 series"), answer


def test_the_clock_of_a_server_is_nothing_that_was_asked_for(server: RawServer) -> None:
    data = {"resultType": "matrix", "result": []}
    server.respond = reply_json({"status": "success", "data": data}, Date=f"{NOW:%a, %d %b %Y %H:%M:%S} GMT")
    values = {
        "kind": "prometheus",
        "name": "prom",
        "url": server.url,
        "allow_private_addresses": True,
        "queries": [{"query": "up"}],
    }
    answer = check_source(PrometheusSource.model_validate(values), {}, NOW).answer
    assert answer == "nothing of the last 15 min; a first read: 0 samples of 0 series"
