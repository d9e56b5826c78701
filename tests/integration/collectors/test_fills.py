"""Fills that are dropped into a folder: every one counted exactly once, however it came."""

import csv
import math
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.build import build_collector, check_source
from collectors.collector import Collected, Collector, Position
from collectors.fills.settings import FillsSource
from domain.errors import SourceError
from domain.timestamps import from_microseconds, to_microseconds

NOW = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
STEP = 300
NAMES = (
    "id",
    "timestamp",
    "strategy",
    "venue",
    "symbol",
    "side",
    "amount",
    "price",
    "fee",
    "mid",
    "arrival_mid",
)
Stored = dict[tuple[str, datetime], float]
FillRow = dict[str, Any]


def settings(folder: Path, **more: object) -> FillsSource:
    values = {
        "kind": "fills",
        "name": "fills",
        "paths": [str(folder / "*.csv"), str(folder / "*.parquet")],
        "step_seconds": STEP,
        "sharpe_hours": 1,
        **more,
    }
    return FillsSource.model_validate(values)


def fill(number: int, minutes_ago: float, **more: object) -> FillRow:
    """A fill some minutes before NOW."""
    return {
        "id": f"f{number}",
        "timestamp": (NOW - timedelta(minutes=minutes_ago)).isoformat(),
        "strategy": "mm",
        "venue": "bybit",
        "symbol": "BTC/USDT:USDT",
        "side": "buy",
        "amount": 1,
        "price": 100,
        "fee": 0.1,
        "mid": "",
        "arrival_mid": "",
        **more,
    }


def write(path: Path, rows: list[FillRow], names: tuple[str, ...] = NAMES) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def append(path: Path, rows: list[FillRow]) -> None:
    with path.open("a", newline="") as file:
        csv.DictWriter(file, NAMES).writerows(rows)


def read(collector: Collector, since: Position, now: datetime, stored: Stored | None = None) -> Collected:
    page: Collected = collector.collect(since, now)
    while page.more:
        page = collector.collect(page.position, now)
    if stored is not None:
        stored.update({(one.name, at): value for one, at, value in page.samples})
    return page


def total(stored: Stored, metric: str) -> float:
    return sum(value for (name, _), value in stored.items() if name.split("{")[0] == metric)


def notes(page: Collected) -> str:
    return "\n".join(page.notes)


def test_gains_are_split_and_add_up(tmp_path: Path) -> None:
    rows = [
        fill(1, 30, amount=2, price=101.5, mid=101, arrival_mid=100, fee=0.3),
        fill(2, 20, side="sell", amount=2, price=104, mid=103.5, arrival_mid=103.5, fee=0.3),
    ]
    write(tmp_path / "a.csv", rows)
    stored: Stored = {}
    read(build_collector(settings(tmp_path), {}), Position(), NOW, stored)
    assert total(stored, "pnl") == pytest.approx(2 * (104 - 101.5) - 0.6)
    parts = [total(stored, f"pnl_{name}") for name in ("price", "spread", "slippage", "fees", "funding")]
    assert sum(parts) == pytest.approx(total(stored, "pnl"))
    assert parts[1:] == pytest.approx([-1 + 1, -2 + 0, -0.6, 0])
    labels = '{strategy="mm",symbol="BTC/USDT:USDT",venue="bybit"}'
    position = {at: value for (name, at), value in stored.items() if name == f"position_units{labels}"}
    assert [value for _, value in sorted(position.items())][-6:] == [2, 2, 0, 0, 0, 0]
    slippage = {at: v for (name, at), v in stored.items() if name.startswith("slippage_bps")}
    assert next(iter(slippage.values())) == pytest.approx(3 / 203 * 1e4)
    assert total(stored, "traded_usd") == pytest.approx(203 + 208)


def test_nothing_is_said_of_the_time_before_the_first_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, [fill(1, 130), fill(2, 20)])
    stored: Stored = {}
    collector = build_collector(settings(tmp_path), {})
    page = read(collector, Position(), NOW, stored)
    begun = NOW - timedelta(minutes=135)
    assert {name for (name, at) in stored if at < begun} == set(), "zeros that nobody measured"
    assert min(at for _, at in stored) < begun + timedelta(minutes=10)
    ratios = sorted(at for name, at in stored if name.startswith("rolling_sharpe"))
    assert begun + timedelta(minutes=55) < ratios[0] < begun + timedelta(minutes=65)
    # A file with what came before reaches further back.
    append(path, [fill(3, 190)])
    read(collector, page.position, NOW + timedelta(minutes=5), stored)
    first = min(at for _, at in stored)
    assert NOW - timedelta(minutes=190) <= first < NOW - timedelta(minutes=180)


def test_a_ratio_over_an_hour_waits_for_an_hour_of_records_at_every_read(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [fill(1, 40), fill(2, 20, price=101)])
    collector, position = build_collector(settings(tmp_path), {}), Position()
    first = []
    for minutes in range(0, 40, 5):
        stored: Stored = {}
        position = read(collector, position, NOW + timedelta(minutes=minutes), stored).position
        first += [minutes for name, _ in stored if name.startswith("rolling_sharpe")][:1]
    assert first[0] == 20


def test_a_cell_that_is_not_over_is_left_for_later(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [fill(1, 1), fill(2, 30)])
    stored: Stored = {}
    collector = build_collector(settings(tmp_path), {})
    page = read(collector, Position(), NOW, stored)
    assert total(stored, "fills") == 1
    assert max(at for _, at in stored) < NOW
    read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "fills") == 2


def test_a_last_line_that_is_half_written_does_not_count_with_half_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, [fill(1, 30)])
    whole = path.read_bytes()
    append(path, [fill(2, 25, amount=1234)])
    grown = path.read_bytes()
    names = list(NAMES)
    assert names.index("amount") < names.index("price")
    cut = len(grown) - len(b"34,100,0.1,,\r\n")
    path.write_bytes(grown[:cut])
    collector = build_collector(settings(tmp_path), {})
    stored: Stored = {}
    page = read(collector, Position(), NOW, stored)
    assert total(stored, "fills") == 1
    for _ in range(2):
        page = read(collector, page.position, NOW, stored)
    path.write_bytes(grown)
    os.utime(path, ns=(1, 2))
    read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "fills") == 2
    assert total(stored, "traded_usd") == 100 + 123_400
    assert whole


def test_a_file_that_is_rewritten_counts_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, [fill(1, 60, amount=5), fill(2, 50)])
    collector = build_collector(settings(tmp_path), {})
    stored: Stored = {}
    page = read(collector, Position(), NOW, stored)
    write(path, [fill(1, 60, amount=1), fill(3, 40)])
    page = read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "fills") == 2
    assert total(stored, "traded_usd") == 200


def test_the_same_fill_in_two_files_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [fill(1, 60), fill(2, 50)])
    write(tmp_path / "b.csv", [fill(2, 50), fill(3, 40)])
    stored: Stored = {}
    read(build_collector(settings(tmp_path), {}), Position(), NOW, stored)
    assert total(stored, "fills") == 3


def test_a_late_fill_changes_the_cells_since_then(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [fill(1, 60, price=100), fill(2, 10, side="sell", price=110)])
    collector = build_collector(settings(tmp_path), {})
    stored: Stored = {}
    page = read(collector, Position(), NOW, stored)
    assert total(stored, "pnl") == pytest.approx(10 - 0.2)
    write(tmp_path / "late.csv", [fill(3, 59, price=100), fill(4, 9, side="sell", price=110)])
    read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "pnl") == pytest.approx(20 - 0.4)


def test_parquet_is_read_and_a_half_written_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "trade_id": [1, 2],
            "ts": pa.array(
                [NOW - timedelta(minutes=30), NOW - timedelta(minutes=20)], pa.timestamp("ns", "UTC")
            ),
            "symbol": ["BTC", "BTC"],
            "qty": [1.5, -1.5],
            "px": pa.array([100.0, 102.0]),
        }
    )
    pq.write_table(table, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    columns = {"id": "trade_id", "timestamp": "ts", "amount": "qty", "price": "px"}
    collector = build_collector(settings(tmp_path, columns=columns, strategy="arb", venue="nyse"), {})
    stored: Stored = {}
    page = read(collector, Position(), NOW, stored)
    assert "not readable now: a.parquet" in notes(page)
    assert not total(stored, "fills")
    path.write_bytes(whole)
    page = read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "fills") == 2
    assert total(stored, "pnl") == pytest.approx(3)
    assert {name for name, _ in stored if name.startswith("pnl{")} == {
        'pnl{strategy="arb",symbol="BTC",venue="nyse"}'
    }
    path.write_bytes(whole[:100])
    page = read(collector, page.position, NOW + timedelta(minutes=10), stored)
    assert total(stored, "fills") == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": ""}, "no id"),
        ({"timestamp": "yesterday"}, "timestamp is not a time"),
        ({"amount": "many"}, "amount is no number"),
        ({"amount": "NaN"}, "amount is no number"),
        ({"fee": "inf"}, "fee is no number"),
        ({"price": ""}, "a fill without a price"),
        ({"price": "-3"}, "a fill without a price"),
        ({"side": "sideways"}, "neither buy nor sell"),
        ({"amount": "0"}, "neither amount nor funding"),
        ({"symbol": ""}, "no symbol"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_with_its_reason(
    tmp_path: Path, change: FillRow, says: str
) -> None:
    write(tmp_path / "a.csv", [fill(1, 30), fill(2, 20, **change), fill(3, 10)])
    stored: Stored = {}
    page = read(build_collector(settings(tmp_path), {}), Position(), NOW, stored)
    assert total(stored, "fills") == 2
    assert says in notes(page)


def test_funding_is_money_without_a_trade(tmp_path: Path) -> None:
    rows = [fill(1, 60), {**fill(2, 30), "amount": 0, "side": "", "price": "", "fee": "", "funding": -0.5}]
    write(tmp_path / "a.csv", rows, (*NAMES, "funding"))
    stored: Stored = {}
    read(build_collector(settings(tmp_path), {}), Position(), NOW, stored)
    assert total(stored, "pnl_funding") == -0.5
    assert total(stored, "fills") == 1
    assert total(stored, "pnl") == pytest.approx(-0.6)


def test_fees_in_another_currency_count_at_its_mark_and_in_none_that_is_unknown(tmp_path: Path) -> None:
    names = (*NAMES, "fee_currency")
    rows = [
        fill(1, 60, fee=0.5, fee_currency="USDT"),
        fill(2, 50, fee=0.001, fee_currency="BTC"),
        fill(3, 40, fee=0.2, fee_currency="BNB"),
        fill(4, 20, fee=0.1, fee_currency="bnb"),
        fill(5, 10, fee=7, fee_currency="OKB"),
    ]
    write(tmp_path / "a.csv", rows, names)
    marks = tmp_path / "marks" / "marks.csv"
    marks.parent.mkdir()
    at = [(NOW - timedelta(minutes=one)).isoformat() for one in (45, 30)]
    marks.write_text(f"timestamp,symbol,price\n{at[0]},BNB/USDT,600\n{at[1]},BNB/USDT,650\n")
    stored: Stored = {}
    page = read(build_collector(settings(tmp_path, mark_paths=[str(marks)]), {}), Position(), NOW, stored)
    assert total(stored, "pnl_fees") == pytest.approx(-(0.5 + 0.001 * 100 + 0.2 * 600 + 0.1 * 650))
    assert total(stored, "fills") == 5
    assert "1 fees left out: paid in OKB, whose price is not known" in notes(page)


def test_the_rate_of_fees_is_told_where_something_was_traded(tmp_path: Path) -> None:
    rows = [
        fill(1, 30, amount=2, fee=0.3),
        fill(2, 28, side="sell", fee=0.1),
        fill(3, 12, price=200, fee=-0.1),
    ]
    write(tmp_path / "a.csv", rows)
    stored: Stored = {}
    read(build_collector(settings(tmp_path), {}), Position(), NOW, stored)
    rates = [value for (name, _), value in sorted(stored.items(), key=str) if name.startswith("fee_bps")]
    assert rates == pytest.approx([0.4 / 300 * 1e4, -0.1 / 200 * 1e4])


def test_what_rounding_leaves_is_neither_a_changed_rate_nor_a_position_that_does_not_match(
    tmp_path: Path,
) -> None:
    rows = [fill(k, 60 - k, amount=0.1 * (k % 7 + 1), price=97 + k / 3) for k in range(40)]
    for row in rows:
        row["fee"] = row["amount"] * row["price"] * 5.5e-4
    write(tmp_path / "a.csv", rows)
    held = math.fsum(row["amount"] for row in rows)
    at = (NOW - timedelta(minutes=15)).isoformat()
    (tmp_path / "positions").mkdir()
    place = tmp_path / "positions" / "p.csv"
    place.write_text(f"timestamp,symbol,venue,amount\n{at},BTC/USDT:USDT,bybit,{held}\n")
    stored: Stored = {}
    read(build_collector(settings(tmp_path, position_paths=[str(place)]), {}), Position(), NOW, stored)
    assert {value for (name, _), value in stored.items() if name.startswith("fee_bps")} == {5.5}
    assert [value for (name, _), value in stored.items() if name.startswith("position_mismatch")] == [0.0]


def test_positions_are_valued_at_marks_and_compared_with_what_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    write(folder / "a.csv", [fill(1, 60, amount=3)])
    at = [(NOW - timedelta(minutes=m)).isoformat() for m in (50, 40, 20)]
    place = {"venue": "bybit", "symbol": "BTC/USDT:USDT"}
    write(
        tmp_path / "marks",
        [{"timestamp": t, "price": p, **place} for t, p in zip(at, (101, 103, 102), strict=True)],
        ("timestamp", "venue", "symbol", "price"),
    )
    write(
        tmp_path / "positions",
        [{"timestamp": at[1], "amount": 3, **place}, {"timestamp": at[2], "amount": 2.5, **place}],
        ("timestamp", "venue", "symbol", "amount"),
    )
    stored: Stored = {}
    more = {"mark_paths": [str(tmp_path / "marks")], "position_paths": [str(tmp_path / "positions")]}
    read(build_collector(settings(folder, **more), {}), Position(), NOW, stored)
    assert total(stored, "pnl_price") == pytest.approx(3 * 2)
    off = sorted((at, value) for (name, at), value in stored.items() if name.startswith("position_mismatch"))
    assert [value for _, value in off] == pytest.approx([0, -0.5 * 102])
    drawdowns = [v for (name, _), v in stored.items() if name.startswith("drawdown_usd")]
    assert max(drawdowns) == pytest.approx(3)
    exposure = sorted((at, v) for (name, at), v in stored.items() if name.startswith("gross_exposure_usd"))
    assert exposure[-1][1] == 3 * 102


def test_orders_tell_their_number_ratios_and_delay(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    write(folder / "a.csv", [fill(1, 60)])
    sent = NOW - timedelta(minutes=30)
    names = ("id", "timestamp", "strategy", "venue", "status", "amount", "filled", "acknowledged")
    orders = [
        {
            "id": k,
            "timestamp": sent.isoformat(),
            "strategy": "mm",
            "venue": "bybit",
            "status": s,
            "amount": 2,
            "filled": f,
            "acknowledged": (sent + timedelta(milliseconds=delay)).isoformat(),
        }
        for k, (s, f, delay) in enumerate(
            [("closed", 2, 10), ("canceled", 1, 30), ("rejected", 0, 20), ("open", 0, 40)]
        )
    ]
    path = tmp_path / "orders"
    write(path, orders, names)
    collector = build_collector(settings(folder, order_paths=[str(path)]), {})
    stored: Stored = {}
    page = read(collector, Position(), NOW, stored)
    assert total(stored, "orders") == 4
    assert total(stored, "fill_ratio") == pytest.approx(3 / 6)
    assert total(stored, "order_reject_ratio") == 0.25
    assert total(stored, "order_ack_latency_ms") == 25
    orders[3]["filled"] = 2
    write(path, orders, names)
    read(collector, page.position, NOW + timedelta(minutes=5), stored)
    assert total(stored, "orders") == 4
    assert total(stored, "fill_ratio") == pytest.approx(5 / 6)


def test_too_many_fills_and_an_empty_folder_are_errors_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file matches"):
        read(build_collector(settings(tmp_path), {}), Position(), NOW)
    write(tmp_path / "a.csv", [fill(k, 30) for k in range(150)])
    answer = check_source(settings(tmp_path, max_fills=100), {}, NOW)
    assert (answer.ok, answer.answer) == (False, "150 rows are more than max_fills = 100")
    assert check_source(settings(tmp_path), {}, NOW).ok
    with pytest.raises(ValidationError, match="'ident' is none of"):
        settings(tmp_path, columns={"ident": "x"})
    with pytest.raises(ValidationError, match="sharpe_hours"):
        settings(tmp_path, sharpe_hours=100)


class Desk:
    """Trades at random, and writes its fills down in every way that files go wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.written: dict[str, FillRow] = {}
        self.unwritten: list[FillRow] = []
        self.files: dict[str, list[FillRow]] = {}
        self.number = 0

    def trade(self, now: datetime) -> None:
        for _ in range(self.rng.randrange(4)):
            self.number += 1
            price = round(100 + 5 * math.sin(self.number / 7), 2)
            row = fill(
                self.number,
                0,
                timestamp=(now - timedelta(seconds=self.rng.randrange(600))).isoformat(),
                strategy=self.rng.choice(["mm", "arb"]),
                side=self.rng.choice(["buy", "sell"]),
                amount=self.rng.randrange(1, 5),
                price=price,
                mid=self.rng.choice(["", price + 0.1]),
                fee=0.01,
            )
            self.unwritten.append(row)

    def drop(self) -> None:
        """Write some of the fills; late ones stay for another time."""
        late = [row for row in self.unwritten if self.rng.random() < 0.2]
        now = [row for row in self.unwritten if row not in late]
        self.unwritten = late
        name = self.rng.choice(["a.csv", "b.csv", "c.csv"])
        rows = self.files.setdefault(name, [])
        rows += now
        self.written.update({str(row["id"]): row for row in now})
        path = self.folder / name
        if self.rng.random() < 0.3 or not path.exists():
            again = self.rng.sample(list(self.written.values()), min(3, len(self.written)))
            write(path, [*rows, *[row for row in again if row not in rows]])
        else:
            append(path, now)


@given(seed=st.integers(0, 10_000))
@hypothesis_settings(max_examples=8, deadline=None)
def test_every_fill_counts_exactly_once_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Late, doubled, rewritten and growing files, restarts, and pages lost before they were stored."""
    folder = tmp_path_factory.mktemp("drops")
    desk, rng = Desk(folder, seed), random.Random(seed)
    write(folder / "a.csv", [])
    desk.files["a.csv"] = []
    configured = settings(folder, settle_hours=2)
    collector = build_collector(configured, {})
    position, stored, now = Position(), {}, NOW
    for _ in range(40):
        now += timedelta(seconds=STEP)
        desk.trade(now)
        desk.drop()
        if rng.random() < 0.15:
            collector = build_collector(configured, {})
        page = read(collector, position, now)
        if rng.random() < 0.8:
            stored.update({(one.name, at): value for one, at, value in page.samples})
            position = page.position
    desk.rng = random.Random(1)
    while desk.unwritten:
        desk.drop()
    now += timedelta(seconds=STEP)
    page = read(collector, position, now)
    stored.update({(one.name, at): value for one, at, value in page.samples})
    rows = list(desk.written.values())
    assert total(stored, "fills") == len(rows)
    assert total(stored, "traded_usd") == pytest.approx(
        sum(float(r["amount"]) * float(r["price"]) for r in rows)
    )
    assert total(stored, "pnl_fees") == pytest.approx(-0.01 * len(rows))
    assert total(stored, "pnl") == pytest.approx(naive_gains(rows, now), abs=1e-6)


def naive_gains(rows: list[FillRow], now: datetime) -> float:
    """Cash plus what is held at the last price, book by book, in the order of time."""
    until = to_microseconds(now) // (STEP * 1_000_000) * STEP * 1_000_000
    cash: dict[object, float] = {}
    held: dict[object, float] = {}
    last: dict[object, float] = {}
    for row in sorted(rows, key=lambda one: (str(one["timestamp"]), str(one["id"]))):
        assert to_microseconds(datetime.fromisoformat(str(row["timestamp"]))) < until
        sign = 1 if row["side"] == "buy" else -1
        book, amount, price = row["strategy"], sign * float(row["amount"]), float(row["price"])
        cash[book] = cash.get(book, 0.0) - amount * price - 0.01
        held[book] = held.get(book, 0.0) + amount
        last[book] = float(row["mid"] or price)
    return sum(cash[book] + held[book] * last[book] for book in cash)


def test_settled_books_go_on_from_where_they_stood_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, [fill(1, 300, amount=2, price=100), fill(2, 290, side="sell", amount=1, price=110)])
    configured = settings(tmp_path, settle_hours=1)
    stored: Stored = {}
    page = read(build_collector(configured, {}), Position(), NOW, stored)
    page = read(build_collector(configured, {}), page.position, NOW + timedelta(minutes=5), stored)
    write(tmp_path / "b.csv", [fill(3, -7, side="sell", amount=1, price=120)])
    path.unlink()
    read(build_collector(configured, {}), page.position, NOW + timedelta(minutes=15), stored)
    labels = '{strategy="mm",symbol="BTC/USDT:USDT",venue="bybit"}'
    positions = sorted((at, v) for (name, at), v in stored.items() if name == f"position_units{labels}")
    assert [value for _, value in positions][-1] == 0
    assert total(stored, "pnl") == pytest.approx(10 + 20 - 0.3)
    assert np.isfinite(list(stored.values())).all()
    assert from_microseconds(page.position.cursor["settled"]) <= NOW - timedelta(minutes=55)
