"""Foreign databases: SQLite and a real PostgreSQL."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import postgres_server
import pytest
from raw_server import RawServer, Respond, hang, reset
from sqlalchemy import create_engine, text

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings import SqlSource
from domain.errors import ConfigurationError, SourceError
from domain.series import Series

NOW = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
PNL = """
    SELECT filled_at AS timestamp, strategy, venue, pnl
    FROM fills WHERE filled_at >= :since AND filled_at < :until ORDER BY filled_at
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    binaries = postgres_server.find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL binaries")
    with postgres_server.running(binaries) as server:
        yield server.url()


@pytest.fixture
def fills(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with one fill a minute for an hour; the strategies take turns."""
    url = (
        f"sqlite:///{tmp_path}/desk.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    )
    engine = create_engine(url)
    kind = "TEXT" if request.param == "sqlite" else "TIMESTAMPTZ"
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS fills"))
        connection.execute(
            text(f"CREATE TABLE fills (filled_at {kind}, strategy TEXT, venue TEXT, pnl NUMERIC)")
        )
        for k in range(60):
            at = UNTIL - timedelta(minutes=60 - k)
            connection.execute(
                text("INSERT INTO fills VALUES (:at, :strategy, 'bybit', :pnl)"),
                {
                    "at": at.replace(tzinfo=None).isoformat(" ") if request.param == "sqlite" else at,
                    "strategy": ("mm_btc", "arb_eth")[k % 2],
                    "pnl": k,
                },
            )
    yield url
    engine.dispose()


both = pytest.mark.parametrize(
    "fills", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def settings(url: str, **more: object) -> SqlSource:
    values = {
        "kind": "sql",
        "name": "desk",
        "url": url,
        "query": PNL,
        "values": {"pnl": "pnl"},
        "label_columns": ["strategy", "venue"],
        "unit": "USD",
        "deadline_seconds": 5,
        **more,
    }
    return SqlSource.model_validate(values)


def collect(configured: SqlSource, since: datetime | None = None, now: datetime = NOW) -> Collected:
    return build_collector(configured, {}).collect(Position(since), now)


def rows(page: Collected) -> list[tuple[Series, datetime, float]]:
    """What came from the rows of the query; the server's clock is no row."""
    return [one for one in page.samples if one[0].key.metric != "source_clock_offset_ms"]


@both
def test_rows_become_samples_up_to_the_last_full_cell(fills: str) -> None:
    page = collect(settings(fills))
    assert len(rows(page)) == 60
    assert page.position.watermark == UNTIL
    assert sorted({series.name for series, _, _ in rows(page)}) == [
        'pnl{strategy="arb_eth",venue="bybit"}',
        'pnl{strategy="mm_btc",venue="bybit"}',
    ]
    assert {(series.source, series.unit) for series, _, _ in rows(page)} == {("pnl_data", "USD")}


@both
def test_the_cell_before_the_watermark_is_read_again(fills: str) -> None:
    page = collect(settings(fills), UNTIL - timedelta(minutes=10))
    times = [at for _, at, _ in rows(page)]
    assert (min(times), max(times)) == (UNTIL - timedelta(minutes=15), UNTIL - timedelta(minutes=1))


@both
def test_nothing_is_asked_before_a_further_cell_is_full(fills: str) -> None:
    page = collect(settings(fills), UNTIL)
    assert len(page.samples) == 0
    assert page.position == Position(UNTIL)


@both
def test_a_long_stretch_comes_in_pages(fills: str) -> None:
    collector = build_collector(settings(fills, max_rows=25), {})
    position, seen, pages, more = Position(), set(), 0, True
    while more:
        page = collector.collect(position, NOW)
        seen |= {at for _, at, _ in rows(page)}
        position, more, pages = page.position, page.more, pages + 1
    assert len(seen) == 60
    assert pages > 2


@both
def test_one_cell_with_too_many_rows_is_an_error_and_no_endless_loop(fills: str) -> None:
    first = collect(settings(fills, max_rows=3))
    with pytest.raises(SourceError, match="max_rows"):
        collect(settings(fills, max_rows=3), first.position.watermark)


@both
def test_a_query_cannot_write(fills: str) -> None:
    query = "WITH gone AS (DELETE FROM fills RETURNING *) SELECT now() AS timestamp, 1 AS value FROM gone"
    with pytest.raises(SourceError) as caught:
        collect(settings(fills, query=query, values={"value": "x"}, label_columns=[]))
    assert caught.value.permanent
    assert len(rows(collect(settings(fills)))) == 60


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM fills", "SELECT 1; DROP TABLE fills", "PRAGMA user_version", "", "UPDATE x SET y = 1"],
)
def test_only_a_single_select_is_configured(query: str) -> None:
    with pytest.raises(ValueError, match="query"):
        settings("sqlite:///x", query=query)


@both
def test_a_missing_column_is_named_with_those_there_are(fills: str) -> None:
    with pytest.raises(SourceError, match="no column 'gain'; there are: timestamp, strategy, venue, pnl"):
        collect(settings(fills, values={"gain": "pnl"}))


@both
def test_a_missing_table_is_hopeless_and_said_in_one_line(fills: str) -> None:
    with pytest.raises(SourceError) as caught:
        collect(settings(fills, query="SELECT * FROM nowhere"))
    assert caught.value.permanent
    assert "nowhere" in caught.value.reason
    assert "\n" not in caught.value.reason


@both
def test_a_query_that_takes_too_long_is_ended(fills: str) -> None:
    slow = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)"
        " SELECT count(*) AS pnl FROM n"
    )
    began = time.monotonic()
    with pytest.raises(SourceError):
        collect(settings(fills, query=slow, deadline_seconds=0.5))
    assert time.monotonic() - began < 5


@both
def test_rows_can_be_events(fills: str) -> None:
    query = "SELECT filled_at AS timestamp, 'filled by ' || strategy AS said, strategy FROM fills"
    configured = settings(
        fills,
        query=query,
        values={},
        text_column="said",
        source="events",
        label_columns=["strategy"],
        labels={"kind": "notice"},
    )
    page = collect(configured)
    assert len(page.events) == 60
    assert (page.events[0].text, page.events[0].kind) == ("filled by mm_btc", "notice")


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ("'2026-03-01T11:30:00Z'", "rfc3339"),
        ("1772364600", "unix"),
        ("1772364600000", "unix_ms"),
        ("'2026-03-01 11:30:00'", "text"),
    ],
)
def test_times_are_bound_in_the_form_of_the_column(tmp_path: Path, column: str, form: str) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT {column} AS at, 1.5 AS value")
    connection.close()
    configured = settings(
        f"sqlite:///{path}",
        query="SELECT * FROM t WHERE at >= :since AND at < :until",
        time_column="at",
        time_unit="ms" if form == "unix_ms" else "s",
        values={},
        metric="x",
        label_columns=[],
        bind_time_as=form,
    )
    ((_, at, value),) = collect(configured, UNTIL - timedelta(minutes=60)).samples
    assert (at, value) == (datetime(2026, 3, 1, 11, 30, tzinfo=UTC), 1.5)
    assert len(collect(configured, UNTIL - timedelta(minutes=10)).samples) == 0


@pytest.mark.parametrize("at", ["'2026-03-01T11:30:00Z'", "1772364600"])
def test_times_of_an_unlike_form_are_an_error_and_not_silence(tmp_path: Path, at: str) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT {at} AS timestamp, 1.5 AS value")
    connection.close()
    query = "SELECT * FROM t WHERE timestamp >= :since AND timestamp < :until"
    configured = settings(f"sqlite:///{path}", query=query, values={}, metric="x", label_columns=[])
    with pytest.raises(SourceError, match="set bind_time_as"):
        collect(configured, UNTIL - timedelta(minutes=60))
    quiet = collect(configured, UNTIL - timedelta(minutes=10))
    assert (len(quiet.samples), quiet.position.watermark) == (0, UNTIL)


def test_values_and_times_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (timestamp, metric, value)")
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?)",
            [
                ("2026-03-01 11:00", "a", 1),
                ("soon", "a", 2),
                ("2026-03-01 11:01", "a", None),
                ("2026-03-01 11:02", "", 3),
            ],
        )
    connection.close()
    configured = settings(
        f"sqlite:///{path}", query="SELECT * FROM t", values={}, metric_column="metric", label_columns=[]
    )
    page = collect(configured)
    assert len(page.samples) == 1
    assert len(page.notes) == 3


def test_a_mistyped_path_is_an_error_and_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="unable to open"):
        collect(settings(f"sqlite:///{tmp_path}/nope.db"))
    assert not list(tmp_path.iterdir())


def test_a_database_that_is_down_is_worth_another_try() -> None:
    with pytest.raises(SourceError) as caught:
        collect(settings("postgresql+psycopg://desk@127.0.0.1:1/x"))
    assert not caught.value.permanent


@pytest.mark.parametrize("respond", [hang, reset])
def test_a_database_that_hangs_is_given_up(server: RawServer, respond: Respond) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        collect(settings(f"postgresql+psycopg://desk@127.0.0.1:{server.port}/x", deadline_seconds=1))
    assert not caught.value.permanent
    assert time.monotonic() - began < 5


def test_a_password_is_never_told() -> None:
    configured = settings("postgresql+psycopg://desk@127.0.0.1:1/x", password_env="PW")
    collector = build_collector(configured, {"PW": "hunter2hunter2"})
    with pytest.raises(SourceError) as caught:
        collector.collect(Position(), NOW)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="must not contain a password"):
        settings("postgresql://desk:hunter2@127.0.0.1/x")


@pytest.mark.parametrize(("url", "part"), [("nonsense", "database URL"), ("oracle9://x/y", "driver")])
def test_an_unusable_url_is_a_configuration_error(url: str, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part):
        build_collector(settings(url), {})


def test_an_unknown_bind_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="binds :from"):
        build_collector(settings("sqlite:///x", query="SELECT 1 WHERE x > :from"), {})


@pytest.mark.postgres
def test_the_clock_of_the_server_is_compared(postgres: str) -> None:
    query = "SELECT now() AS at, 1 AS pnl WHERE :since < :until"
    found = collect(settings(postgres, query=query, time_column="at", label_columns=[]))
    offsets = [value for series, _, value in found.samples if series.key.metric == "source_clock_offset_ms"]
    # It runs on this host.
    assert offsets == [0.0]


@pytest.mark.parametrize("odd", ["infinity", "-infinity", "200000-01-01", "0044-03-15 BC"])
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_row_whose_time_only_postgres_knows_costs_no_other(postgres: str, odd: str, kind: str) -> None:
    usual = f"SELECT '2026-03-01 11:00+00'::timestamptz::{kind} AS timestamp, 1 AS value"
    query = f"{usual} UNION ALL SELECT '{odd}'::{kind}, 2"
    page = collect(settings(postgres, query=query, values={"value": "x"}, label_columns=[]))
    assert [value for one, _, value in page.samples if one.key.metric == "x"] == [1.0]
    assert any(note.startswith("1 rows refused: the time") for note in page.notes)
