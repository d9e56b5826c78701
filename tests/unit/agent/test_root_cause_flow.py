"""A slow order gateway is found, priced and told in six steps, with and without the cause graph."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose, to_diagnosis
from agent.topology import default_edges
from domain.diagnosis import STEP_NAMES, DiagnosisRequest
from domain.errors import InvalidInput
from domain.series import Series, SeriesKey, SourceName, Window
from domain.topology import Strategy, Topology
from prompts.runbook import load_runbooks

START = datetime(2026, 3, 1, tzinfo=UTC)
ONSET = 200
STEP = 60
STRATEGIES = (
    Strategy(name="maker", venues=("okx",), symbols=("BTC",), host="h1"),
    Strategy(name="carry", venues=("bybit",), symbols=("ETH",), host="h2"),
)


def _series(metric: str, source: SourceName = "trading_metrics", **labels: str) -> Series:
    return Series(id=0, key=SeriesKey.of(metric, labels), source=source, step_s=STEP)


def desk(seed: int = 1, columns: int = 220) -> Window:
    """A small desk with nothing wrong."""
    rng = np.random.default_rng(seed)
    levels: list[tuple[Series, float, float]] = []
    for strategy, venue, symbol in (("maker", "okx", "BTC"), ("carry", "bybit", "ETH")):
        levels += [
            (_series("pnl", "pnl_data", strategy=strategy, venue=venue, symbol=symbol), 10, 4),
            (_series("fill_ratio", strategy=strategy, venue=venue), 0.4, 0.02),
            (_series("hedge_lag_ms", strategy=strategy), 20, 2),
            (_series("slippage_bps", strategy=strategy, venue=venue), 0.4, 0.05),
            (_series("order_ack_latency_ms", venue=venue), 10, 1),
            (_series("order_reject_ratio", venue=venue), 0.01, 0.003),
            (_series("depth_usd", "market_data", venue=venue, symbol=symbol), 1e6, 5e4),
            (_series("spread_bps", "market_data", venue=venue, symbol=symbol), 1.0, 0.05),
            (_series("feed_messages", "market_data", venue=venue), 900, 30),
        ]
    levels += [(_series("cpu_percent", "system_metrics", host=host), 30, 3) for host in ("h1", "h2")]
    levels.sort(key=lambda one: one[0].key)
    values = np.array([level + spread * rng.standard_normal(columns) for _, level, spread in levels])
    return Window(tuple(one[0] for one in levels), STEP, START, values)


def slow_gateway(window: Window) -> Window:
    """Make the okx gateway slow from the onset on, with what follows from it."""
    values = window.values.copy()
    for metric, factor in (
        ("order_ack_latency_ms", 12.0),
        ("hedge_lag_ms", 3.0),
        ("fill_ratio", 0.5),
        ("pnl", -2.0),
    ):
        for i, one in enumerate(window.series):
            if one.key.metric == metric and "okx" in one.name + ("okx" if "maker" in one.name else ""):
                values[i, ONSET:] *= factor
    return Window(window.series, window.step_s, window.start, values)


def case_of(window: Window, topology: Topology) -> Case:
    pnl = next(one.name for one in window.series if one.key.metric == "pnl" and "maker" in one.name)
    return Case((pnl,), window.time_at(ONSET), window.end, window, topology=topology)


def investigate(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    return diagnose(Investigation.begin(request, gather(case, EvidenceSettings()), load_runbooks()))


def test_a_slow_gateway_is_found_along_the_cause_graph() -> None:
    done = investigate(case_of(slow_gateway(desk()), default_edges(STRATEGIES)))
    assert done.outcome == "cause_found"
    assert done.hypotheses[0].cause == "venue_gateway_latency"
    assert done.hypotheses[0].component == "gateway:okx"


def test_without_a_cause_graph_a_slow_gateway_is_at_least_the_best_lead() -> None:
    done = investigate(case_of(slow_gateway(desk()), Topology()))
    named = [one for one in done.hypotheses if one.cause != "unknown"]
    assert named[0].cause == "venue_gateway_latency"
    assert named[0].confidence <= 0.65


def test_a_quiet_desk_is_no_fault_or_inconclusive() -> None:
    for seed in range(10):
        done = investigate(case_of(desk(seed), default_edges(STRATEGIES)))
        assert done.outcome in {"no_fault", "inconclusive"}, seed


def test_a_diagnosis_has_six_steps_and_confidences_that_sum_to_one() -> None:
    case = case_of(slow_gateway(desk()), default_edges(STRATEGIES))
    diagnosis = to_diagnosis(investigate(case), timestamp=case.end)
    assert [step.name for step in diagnosis.steps] == list(STEP_NAMES)
    first = diagnosis.primary_hypothesis
    assert first is not None
    total = first.confidence + sum(one.confidence for one in diagnosis.alternative_hypotheses)
    assert total == pytest.approx(1.0)
    assert len(diagnosis.alternative_hypotheses) <= 3
    assert diagnosis.impact is not None
    assert diagnosis.impact.low < diagnosis.impact.amount < diagnosis.impact.high < 0
    assert diagnosis.executive_summary.startswith("-$")
    assert len(diagnosis.executive_summary.split()) <= 80
    cited = {identifier for step in diagnosis.steps for identifier in step.evidence_ids}
    assert cited <= {one.id for one in diagnosis.evidence}


def test_an_investigation_survives_a_checkpoint_as_json() -> None:
    done = investigate(case_of(slow_gateway(desk()), default_edges(STRATEGIES)))
    assert Investigation.model_validate_json(done.model_dump_json()) == done


def test_a_case_must_not_end_before_it_starts() -> None:
    window = desk()
    with pytest.raises(InvalidInput, match="after the start"):
        Case((), window.end, window.start + timedelta(seconds=1), window)
