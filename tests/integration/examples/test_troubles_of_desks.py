"""A trouble on each desk of docs/examples is found; what is no trouble, as a weekend, is not."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from example_desks import SECRETS, Outside, settings_of

from collectors.exchange.venue import Pace
from db.anomalies import AnomalyFilter
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis
from domain.incident import Incident
from service.settings import Settings
from service.wiring import Service, build_service

pytestmark = [pytest.mark.endurance, pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")]
# A Wednesday, in New York's hours.
NOON = datetime(2026, 3, 4, 17, tzinfo=UTC)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-the-desk")
    # The pace of the real venue is kept elsewhere.
    monkeypatch.setattr(Pace, "wait", lambda _self, _seconds: None)
    with ExitStack() as stack:
        yield Outside(stack, tmp_path, NOON, traded=timedelta(hours=6))
    structlog.reset_defaults()


@contextmanager
def serving(settings: Settings, outside: Outside) -> Iterator[Service]:
    service = build_service(settings, clock=lambda: outside.now)
    try:
        service.parts.windows.load(outside.now)
        service.parts.investigations.start()
        yield service
    finally:
        service.parts.sources.close()
        service.parts.investigations.stop()
        service.parts.database.close()


def cycle(service: Service, outside: Outside, span: timedelta = timedelta()) -> None:
    """A cycle after some time."""
    outside.pass_by(span)
    slot = service.parts.claim(outside.now)
    assert slot is not None
    done = service.parts.pipeline.run_cycle(slot, outside.now)
    assert done.status == "done", done.error


def found(service: Service) -> list[Anomaly]:
    return list(service.parts.stores.anomalies.list(AnomalyFilter(), 500, None).items)


def told(service: Service, metric: str) -> tuple[Incident, Diagnosis]:
    """The incident that a metric leads or joins, and what was said about it."""
    mine = {one.incident_id for one in found(service) if one.affected_metrics[0].startswith(metric)}
    assert mine, [(one.rule, one.affected_metrics[0]) for one in found(service)]
    incident = service.parts.stores.incidents.get(str(min(one for one in mine if one)))
    assert incident.diagnosis_id is not None
    return incident, service.parts.stores.diagnoses.get(incident.diagnosis_id)


def test_a_gateway_that_gets_slow_is_found_on_the_market_makers_desk(
    outside: Outside, tmp_path: Path
) -> None:
    settings = settings_of("market-maker.toml", outside, tmp_path)
    minute = timedelta(minutes=1)
    with serving(settings, outside) as service:
        for _ in range(3):
            cycle(service, outside, minute)
        outside.slow_since = outside.now + minute
        for _ in range(4):
            cycle(service, outside, minute)
        _, diagnosis = told(service, "order_ack_latency_ms")
        first = diagnosis.primary_hypothesis
        assert first is not None
        assert (first.cause, first.component) == ("venue_gateway_latency", "gateway:bybit")


def test_an_error_that_was_never_seen_is_found_in_the_log_of_the_single_bot(
    outside: Outside, tmp_path: Path
) -> None:
    settings = settings_of("single-bot.toml", outside, tmp_path)
    log = outside.folder / "desk.log"
    five = timedelta(minutes=5)

    def write(lines: int, level: str, text: str) -> None:
        with log.open("a") as file:
            for k in range(lines):
                at = outside.now - timedelta(seconds=4 * (lines - k))
                file.write(f"{at:%Y-%m-%dT%H:%M:%S}.000Z {level} {text.format(k)}\n")

    with serving(settings, outside) as service:
        for _ in range(56):
            outside.pass_by(five)
            write(30, "INFO", "order {} filled")
            cycle(service, outside)
        outside.pass_by(five)
        write(20, "INFO", "order {} filled")
        write(40, "ERROR", "order {} refused: margin is insufficient")
        cycle(service, outside)
        incident, diagnosis = told(service, "log_novelty")
        assert incident.severity in {"medium", "high", "critical"}
        assert any("margin is insufficient" in (one.quoted or "") for one in diagnosis.evidence)


def test_a_share_that_crashes_is_found_on_the_desk_of_equities(outside: Outside, tmp_path: Path) -> None:
    settings = settings_of("stat-arb.toml", outside, tmp_path, lookback_hours=72)
    with serving(settings, outside) as service:
        cycle(service, outside)
        cycle(service, outside, timedelta(minutes=5))
        began = outside.now
        outside.quotes.crash("AAPL", began, 0.9)
        for _ in range(4):
            cycle(service, outside, timedelta(minutes=5))
        since = [one for one in found(service) if one.timestamp >= began - timedelta(minutes=10)]
        rules = {one.rule for one in since if 'symbol="AAPL"' in one.affected_metrics[0]}
        assert rules & {"return", "price", "volatility"}, since
        assert not [one for one in since if 'symbol="MSFT"' in one.affected_metrics[0]]


def test_nights_and_a_weekend_are_no_silence_on_the_desk_of_equities(
    outside: Outside, tmp_path: Path
) -> None:
    settings = settings_of("stat-arb.toml", outside, tmp_path, lookback_hours=72)
    # Files stop with the session too, and nobody writes them here: only what the market does counts.
    kept = [one for one in settings.sources if one.kind in {"equities", "host"}]
    settings = settings.model_copy(update={"sources": kept})
    outside.pass_by(timedelta(days=1, hours=3))
    with serving(settings, outside) as service:
        # From Thursday afternoon to Monday noon.
        while outside.now < NOON + timedelta(days=5):
            cycle(service, outside, timedelta(minutes=5))
        silent = [one for one in found(service) if one.method in {"stale", "frozen"}]
        assert not silent, [(one.rule, one.affected_metrics[0], one.timestamp) for one in silent]
