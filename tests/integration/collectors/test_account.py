"""An account at a venue: ccxt's real client, signed requests over real sockets."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fake_account import FakeAccount
from fake_venue import price, refused
from raw_server import reply

from collectors.build import build_collector, check_source
from collectors.collector import Collected, Position
from collectors.exchange.venue import Venue
from collectors.fills.account import AccountCollector
from collectors.fills.settings import AccountSource
from domain.errors import ConfigurationError, SourceError

NOW = datetime(2026, 3, 1, 12, 7, 31, tzinfo=UTC)
BTC = "BTC/USDT:USDT"
KEYS = {"VENUE_KEY": "public-key-of-the-desk", "VENUE_SECRET": "very-secret-signing-key"}
Stored = dict[tuple[str, datetime], float]


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def ago(minutes: float) -> int:
    return ms(NOW - timedelta(minutes=minutes))


@pytest.fixture
def venue() -> Iterator[FakeAccount]:
    one = FakeAccount(ms(NOW))
    yield one
    one.close()


def settings(fake: FakeAccount, **more: object) -> AccountSource:
    values = {
        "kind": "account",
        "name": "desk",
        "venue": "bybit",
        "symbols": [BTC],
        "base_url": fake.url,
        "allow_private_addresses": True,
        "api_key_env": "VENUE_KEY",
        "secret_env": "VENUE_SECRET",
        "step_seconds": 300,
        "settle_hours": 3,
        "sharpe_hours": 1,
        "call_seconds": 2,
        **more,
    }
    return AccountSource.model_validate(values)


def collector(fake: FakeAccount, **more: object) -> AccountCollector:
    configured = settings(fake, **more)
    client = Venue(
        configured, configured.symbols, {"apiKey": KEYS["VENUE_KEY"], "secret": KEYS["VENUE_SECRET"]}
    )
    client.client.rateLimit = 0.01
    return AccountCollector(configured, client)


def keep(page: Collected, stored: Stored) -> Position:
    stored.update({(one.name, at): value for one, at, value in page.samples})
    return page.position


def total(stored: Stored, metric: str) -> float:
    return sum(value for (name, _), value in stored.items() if name.split("{")[0] == metric)


def newest(stored: Stored, metric: str, strategy: str = "desk") -> float:
    found = [
        (at, value)
        for (name, at), value in stored.items()
        if name.split("{")[0] == metric and (f'strategy="{strategy}"' in name or "strategy=" not in name)
    ]
    return max(found)[1]


def test_fills_and_funding_become_gains_that_add_up(venue: FakeAccount) -> None:
    venue.trade(1, ago(60), 2, price("BTCUSDT", ago(60)))
    venue.trade(2, ago(30), -1, price("BTCUSDT", ago(30)))
    venue.pay_funding(1, ago(45), 3.5)
    stored: Stored = {}
    keep(collector(venue).collect(Position(), NOW), stored)
    mark = price("BTCUSDT", ms(datetime(2026, 3, 1, 12, 5, tzinfo=UTC)) - 1)
    gains = -2 * price("BTCUSDT", ago(60)) + price("BTCUSDT", ago(30)) + mark - 1.0 - 3.5
    assert total(stored, "pnl") == pytest.approx(gains, abs=1e-6)
    assert total(stored, "pnl_funding") == -3.5
    assert total(stored, "pnl_fees") == -1.0
    parts = sum(total(stored, f"pnl_{part}") for part in ("price", "fees", "funding"))
    assert parts == pytest.approx(total(stored, "pnl"), abs=1e-6)
    assert newest(stored, "position_units") == 1
    assert newest(stored, "gross_exposure_usd") == pytest.approx(mark)
    assert newest(stored, "position_mismatch_usd") == pytest.approx(0, abs=1e-6)
    assert newest(stored, "cash_usd") == 1000.5
    assert {name for name, _ in stored if name.startswith("balance")} == {
        'balance{asset="USDT",venue="bybit"}'
    }


def test_a_position_from_before_the_first_read_is_taken_over(venue: FakeAccount) -> None:
    venue.position = 5
    venue.trade(1, ago(60), 2, 50_000)
    stored: Stored = {}
    keep(collector(venue).collect(Position(), NOW), stored)
    positions = sorted((at, v) for (name, at), v in stored.items() if name.startswith("position_units"))
    assert (positions[0][1], positions[-1][1]) == (5, 7)


def test_every_fill_counts_once_over_restarts_lost_pages_and_late_reports(venue: FakeAccount) -> None:
    stored: Stored = {}
    position, now, one = Position(), NOW, collector(venue, settle_hours=1)
    late: list[tuple[int, int]] = []
    for number in range(36):
        now += timedelta(minutes=5)
        venue.now_ms = ms(now)
        for delayed in late:
            venue.trade(delayed[0], delayed[1], 1, 50_000)
        late = [(1_000 + number, ms(now - timedelta(minutes=1)))] if number % 5 == 0 else []
        venue.trade(number, ms(now - timedelta(minutes=2)), 1 if number % 2 else -1, 50_000)
        if number % 7 == 3:
            one = collector(venue, settle_hours=1)
        page = one.collect(position, now)
        if number % 4 != 2:
            position = keep(page, stored)
    venue.now_ms = ms(now + timedelta(minutes=5))
    keep(one.collect(position, now + timedelta(minutes=5)), stored)
    assert total(stored, "fills") == len(venue.executions) == 36 + 7
    assert newest(stored, "position_units") == venue.position
    assert newest(stored, "position_mismatch_usd") == pytest.approx(0, abs=1e-6)


def test_a_full_page_is_asked_for_again_in_halves(venue: FakeAccount) -> None:
    for number in range(57):
        venue.trade(number, ago(170 - 2.5 * number), 1, 50_000)
    stored: Stored = {}
    keep(collector(venue, page_rows=10, orders=False).collect(Position(), NOW), stored)
    assert total(stored, "fills") == 57


def test_a_venue_whose_pages_are_shorter_than_asked_for_costs_no_fill(venue: FakeAccount) -> None:
    venue.most_rows = 50
    for number in range(170):
        venue.trade(number, ago(175 - number), 1, 50_000)
    venue.pay_funding(1, ago(45), 3.5)
    stored: Stored = {}
    page = collector(venue, orders=False).collect(Position(), NOW)
    keep(page, stored)
    assert not page.notes
    assert total(stored, "fills") == 170
    assert newest(stored, "position_units") == 170


def test_pages_that_were_longer_before_tell_that_a_shorter_one_is_whole(venue: FakeAccount) -> None:
    for number in range(90):
        venue.trade(number, ago(175 - number), 1, 50_000)
    stored: Stored = {}
    one = collector(venue, page_rows=1_000, orders=False)
    keep(one.collect(Position(), NOW), stored)
    assert total(stored, "fills") == 90
    assert sum(path == "/v5/execution/list" for path, _ in venue.asked) < 10


@pytest.mark.parametrize(
    ("cap", "page_rows", "whole"), [(50, 100, False), (1_000, 60, False), (100, 100, True)]
)
def test_more_fills_of_one_moment_than_a_page_holds_are_told_and_not_taken_for_all(
    venue: FakeAccount, cap: int, page_rows: int, whole: bool
) -> None:
    venue.most_rows = cap
    for number in range(75):
        venue.trade(number, ago(60), 1, 50_000)
    stored: Stored = {}
    page = collector(venue, page_rows=page_rows, orders=False).collect(Position(), NOW)
    keep(page, stored)
    assert total(stored, "fills") == (75 if whole else 0)
    told = any("fills of one moment are more than a page holds" in note for note in page.notes)
    assert told is not whole


def test_a_venue_that_cannot_be_asked_in_halves_is_told_after_few_calls(venue: FakeAccount) -> None:
    venue.most_rows, venue.minds_end = 50, False
    for number in range(70):
        venue.trade(number, ago(175 - number), 1, 50_000)
    page = collector(venue, orders=False).collect(Position(), NOW)
    assert any("fills cannot be asked for up to a time" in note for note in page.notes)
    assert sum(path == "/v5/execution/list" for path, _ in venue.asked) < 5


@pytest.mark.parametrize("n_open", [20, 80])
def test_many_open_orders_do_not_cost_the_fills(venue: FakeAccount, n_open: int) -> None:
    venue.most_rows = 50
    venue.trade(1, ago(60), 1, 50_000)
    for number in range(n_open):
        venue.order(number, ago(32), "New", 2, 0)
    stored: Stored = {}
    page = collector(venue).collect(Position(), NOW)
    keep(page, stored)
    assert total(stored, "fills") == 1
    assert total(stored, "orders") == min(n_open, 50)
    assert any("open orders left out" in note for note in page.notes) is (n_open > 50)


def test_strategies_are_told_by_the_prefix_of_the_orders_own_id(venue: FakeAccount) -> None:
    venue.trade(1, ago(60), 1, 50_000, link="mm-17")
    venue.trade(2, ago(50), -1, 50_000, link="mm-fast-3")
    venue.trade(3, ago(40), 1, 50_000)
    stored: Stored = {}
    keep(collector(venue, strategies={"mm-": "mm", "mm-fast-": "fast"}).collect(Position(), NOW), stored)
    assert (newest(stored, "position_units", "mm"), newest(stored, "position_units", "fast")) == (1, -1)
    assert newest(stored, "position_units") == 1


def test_orders_tell_how_many_were_filled_and_rejected(venue: FakeAccount) -> None:
    for number, (status, amount, filled) in enumerate(
        [("Filled", 2, 2), ("Cancelled", 2, 0), ("Rejected", 2, 0), ("Filled", 1, 1)]
    ):
        venue.order(number, ago(32), status, amount, filled)
    stored: Stored = {}
    keep(collector(venue).collect(Position(), NOW), stored)
    assert total(stored, "orders") == 4
    assert total(stored, "order_reject_ratio") == 0.25
    assert total(stored, "fill_ratio") == pytest.approx(3 / 5)


def test_a_position_that_the_fills_do_not_explain_is_told_in_money(venue: FakeAccount) -> None:
    one = collector(venue)
    stored: Stored = {}
    position = keep(one.collect(Position(), NOW), stored)
    venue.position += 0.5
    later = NOW + timedelta(minutes=5)
    venue.now_ms = ms(later)
    keep(one.collect(position, later), stored)
    assert newest(stored, "position_mismatch_usd") == pytest.approx(
        0.5 * price("BTCUSDT", ms(later)), rel=0.001
    )


def test_fees_in_an_unknown_coin_are_left_out_with_a_note(venue: FakeAccount) -> None:
    venue.trade(1, ago(60), 1, 50_000, feeCoin="BNB")
    venue.trade(2, ago(50), 1, 50_000, feeCoin="BTC", execFee="0.001")
    stored: Stored = {}
    page = collector(venue).collect(Position(), NOW)
    keep(page, stored)
    assert total(stored, "pnl_fees") == pytest.approx(-50)
    assert "1 fees left out: paid in BNB, whose price is not known" in page.notes


def test_fees_in_another_coin_count_at_its_price_then(venue: FakeAccount) -> None:
    venue.symbols = ("BTCUSDT", "BNBUSDT")
    one = collector(venue)
    venue.trade(1, ago(60), 1, 50_000, feeCoin="BNB", execFee="2")
    stored: Stored = {}
    page = one.collect(Position(), NOW)
    keep(page, stored)
    # The last bar that was over when the fee was paid.
    closed = ago(60) // 300_000 * 300_000 - 1
    assert total(stored, "pnl_fees") == pytest.approx(-2 * price("BNBUSDT", closed))
    assert not any("fees" in note for note in page.notes)
    later = NOW + timedelta(minutes=5)
    venue.now_ms = ms(later)
    venue.trade(2, ms(NOW), 1, 50_000, feeCoin="BNB", execFee="1")
    keep(one.collect(page.position, later), stored)
    closed = ms(NOW) // 300_000 * 300_000 - 1
    assert newest(stored, "pnl_fees") == pytest.approx(-price("BNBUSDT", closed))


@pytest.mark.parametrize(
    ("read_only", "rights", "says"),
    [
        (1, {"Wallet": []}, None),
        (0, {"ContractTrade": ["Order"]}, "the key may trade: a key that may only read is enough"),
        (0, {"Wallet": ["AccountTransfer", "Withdraw"]}, "the key may trade and withdraw"),
    ],
)
def test_the_check_warns_of_a_key_that_may_do_more_than_read(
    venue: FakeAccount, read_only: int, rights: dict[str, list[str]], says: str | None
) -> None:
    venue.read_only, venue.rights = read_only, rights
    found = check_source(settings(venue), KEYS, NOW)
    assert found.ok
    assert "\n" not in found.answer
    assert (says or "warning") in found.answer if says else "warning" not in found.answer


def test_keys_are_in_no_address_no_log_and_no_error(
    venue: FakeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    venue.trade(1, ago(60), 1, 50_000)
    with caplog.at_level(logging.DEBUG):
        collector(venue).collect(Position(), NOW)
        leaky = f"bad signature for {KEYS['VENUE_KEY']} with {KEYS['VENUE_SECRET']}"
        venue.spoil("/v5/execution/list", refused(10004, leaky))
        with pytest.raises(SourceError) as error:
            collector(venue).collect(Position(), NOW)
    assert error.value.permanent
    targets = "\n".join(head.split("\r\n")[0] for head in venue.heads)
    for secret in KEYS.values():
        assert secret not in targets + caplog.text + str(error.value)
    assert "very-secret-signing-key" not in "\n".join(venue.heads)
    assert "public-key-of-the-desk" in "\n".join(venue.heads)


def test_a_missing_key_is_named_by_its_variable(venue: FakeAccount) -> None:
    with pytest.raises(ConfigurationError, match="VENUE_SECRET is not set"):
        build_collector(settings(venue), {"VENUE_KEY": "x"})


def test_nothing_is_told_where_the_venue_breaks_off_in_the_middle(venue: FakeAccount) -> None:
    venue.trade(1, ago(60), 1, 50_000)
    venue.spoil("/v5/position/list", reply(b"", status="502 Bad Gateway"))
    with pytest.raises(SourceError, match="HTTP 502"):
        collector(venue).collect(Position(), NOW)
