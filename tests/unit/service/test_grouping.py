"""Anomalies become incidents by time and by the cause graph, never by the order in which they arrive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.anomaly import Anomaly, AnomalyType, Severity
from domain.incident import Incident, lead_anomaly, start_of
from domain.topology import Topology
from service.grouping import Grouping

START = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)
STEP = timedelta(minutes=5)
DESK = Topology.of(
    [
        ("gateway:bybit", "strategy:mm"),
        ("strategy:mm", "desk"),
        ("strategy:carry", "desk"),
        ("gateway:okx", "strategy:carry"),
    ]
)


def anomaly(
    series: str,
    minutes: float,
    number: int = 0,
    severity: Severity = "medium",
    kind: AnomalyType = "level_shift",
) -> Anomaly:
    at = START + timedelta(minutes=minutes)
    return Anomaly(
        id=f"A-{number}",
        timestamp=at,
        detected_at=at + STEP,
        anomaly_type=kind,
        severity=severity,
        confidence=0.9,
        rule="r",
        method="combined",
        score=5.0,
        direction="up",
        affected_metrics=(series,),
        data_sources=("pnl_data",) if series.startswith("pnl") else (),
    )


MM = anomaly('pnl{strategy="mm"}', 0, 1)
GATEWAY = anomaly('order_ack_latency_ms{venue="bybit"}', 5, 2)
CARRY = anomaly('pnl{strategy="carry"}', 5, 3)


def groups(*anomalies: Anomaly, topology: Topology = DESK) -> set[frozenset[str]]:
    plans = Grouping(topology, timedelta(minutes=30), STEP)(anomalies, [])
    return {frozenset(plan.anomalies) for plan in plans}


def test_a_gateway_and_the_strategy_that_uses_it_are_one_incident() -> None:
    assert groups(MM, GATEWAY) == {frozenset({"A-1", "A-2"})}


def test_strategies_that_share_only_the_desk_are_two_incidents() -> None:
    assert groups(MM, CARRY) == {frozenset({"A-1"}), frozenset({"A-3"})}


def test_without_a_graph_what_starts_together_belongs_together() -> None:
    assert groups(MM, CARRY, topology=Topology()) == {frozenset({"A-1", "A-3"})}


def test_the_same_series_hours_later_is_another_incident() -> None:
    assert len(groups(MM, anomaly('pnl{strategy="mm"}', 300, 9))) == 2


@given(st.permutations([MM, GATEWAY, CARRY, anomaly('pnl{strategy="mm"}', 300, 9)]))
def test_the_order_of_arrival_does_not_matter(order: list[Anomaly]) -> None:
    assert groups(*order) == groups(MM, GATEWAY, CARRY, anomaly('pnl{strategy="mm"}', 300, 9))


def test_a_strong_anomaly_is_not_swallowed_by_a_weak_incident_before_it() -> None:
    weak = anomaly('order_queue_depth{venue="bybit"}', -20, 8, "low")
    incident = Incident(id="I-1", title="t", severity="low", started_at=weak.timestamp)
    plans = Grouping(DESK, timedelta(minutes=30), STEP)([GATEWAY], [(incident, [weak])])
    assert [plan.incident_id for plan in plans] == [None]


def test_weak_anomalies_around_it_join_a_strong_one() -> None:
    weak = anomaly('order_queue_depth{venue="bybit"}', 10, 8, "low")
    assert groups(weak, GATEWAY) == {frozenset({"A-8", "A-2"})}


def test_what_comes_late_joins_downstream_and_not_upstream() -> None:
    late_loss = anomaly('pnl{strategy="mm"}', 60, 8)
    late_gateway = anomaly('order_ack_latency_ms{venue="bybit"}', 65, 9)
    assert groups(GATEWAY, late_loss) == {frozenset({"A-2", "A-8"})}
    assert groups(MM, late_gateway) == {frozenset({"A-1"}), frozenset({"A-9"})}


def test_an_anomaly_joins_the_incident_that_began_nearest_in_time() -> None:
    second = anomaly('order_ack_latency_ms{venue="okx"}', 60, 8)
    loss = anomaly('pnl{strategy="carry"}', 65, 9)
    early = anomaly('inventory_usd{strategy="carry"}', 0, 7)
    assert groups(early, second, loss) == {frozenset({"A-7"}), frozenset({"A-8", "A-9"})}


def test_money_leads_where_it_is_strong_and_a_named_trouble_before_a_shift_or_a_set() -> None:
    latency = anomaly('order_ack_latency_ms{venue="bybit"}', 5, 2, "high", "execution_delay")
    joint = anomaly('orders{strategy="mm"}', 0, 3, "critical", "multivariate")
    shift = anomaly('order_queue_depth{venue="bybit"}', 0, 4, "critical")
    weak_loss = anomaly('pnl{strategy="mm"}', 0, 5, "low", "sudden_loss")
    loss = anomaly('pnl{strategy="mm"}', 0, 6, "medium", "sudden_loss")
    assert lead_anomaly([latency, joint, shift, weak_loss]) == latency
    assert lead_anomaly([latency, joint, shift, loss]) == loss


def test_once_the_cause_is_known_a_late_anomaly_out_of_its_reach_is_another_incident() -> None:
    strong = {"severity": "high"}
    known = Incident(id="I-1", title="t", severity="high", started_at=GATEWAY.timestamp)
    host = anomaly('network_errors{host="edge"}', 5, 7)
    members = [GATEWAY.model_copy(update=strong), host.model_copy(update=strong)]
    topology = Topology.of([("host:edge", "gateway:bybit"), ("host:edge", "database:trades")])
    late = anomaly('db_pool_wait_ms{database="trades"}', 60, 8).model_copy(update=strong)

    def home(causes: dict[str, str]) -> str | None:
        grouping = Grouping(topology, timedelta(minutes=30), STEP, causes)
        return grouping([late], [(known, members)])[0].incident_id

    assert home({}) == "I-1"
    assert home({"I-1": "gateway:bybit"}) is None


def test_a_strong_anomaly_joins_an_incident_before_a_chain_of_weak_finds() -> None:
    weak = anomaly('order_queue_depth{venue="bybit"}', 0, 8, "low")
    chain = Incident(id="I-1", title="t", severity="low", started_at=weak.timestamp)
    real = Incident(id="I-2", title="t", severity="medium", started_at=GATEWAY.timestamp)
    plans = Grouping(DESK, timedelta(minutes=30), STEP)([MM], [(chain, [weak]), (real, [GATEWAY])])
    assert [plan.incident_id for plan in plans] == ["I-2"]


def test_one_symbol_on_two_venues_is_one_market() -> None:
    desk = Topology.of(
        [
            ("market:okx:SOL", "feed:okx"),
            ("market:bybit:SOL", "feed:bybit"),
            ("market:bybit:BTC", "strategy:x"),
        ]
    )
    here = anomaly('volume_usd{symbol="SOL",venue="okx"}', 0, 1)
    there = anomaly('volume_usd{symbol="SOL",venue="bybit"}', 5, 2)
    other = anomaly('volume_usd{symbol="BTC",venue="bybit"}', 5, 3)
    assert groups(here, there, topology=desk) == {frozenset({"A-1", "A-2"})}
    assert len(groups(here, other, topology=desk)) == 2


def test_a_set_of_series_belongs_wherever_one_of_them_does() -> None:
    joint = MM.model_copy(
        update={
            "id": "A-9",
            "method": "pca",
            "affected_metrics": ('fees{strategy="carry"}', *MM.affected_metrics),
        }
    )
    assert groups(GATEWAY, joint) == {frozenset({"A-2", "A-9"})}


def test_the_smeared_onset_of_a_level_shift_does_not_begin_an_incident() -> None:
    smeared = MM.model_copy(update={"id": "A-9", "method": "changepoint", "timestamp": START - 4 * STEP})
    assert start_of([smeared, MM, GATEWAY]) == START
    assert start_of([smeared]) == START - 4 * STEP


def test_a_lone_weak_anomaly_that_was_over_before_does_not_begin_an_incident() -> None:
    over = {"ended_at": START - 5 * STEP, "status": "resolved"}
    blip = anomaly('network_errors{host="trade-1"}', -30, 9).model_copy(update=over)
    worse = anomaly('order_ack_latency_ms{venue="okx"}', 0, 8, severity="critical")
    assert start_of([blip, MM, worse]) == START
    assert start_of([blip, MM]) == blip.timestamp
    going_on = anomaly('network_errors{host="trade-1"}', -30, 9)
    assert start_of([going_on, worse]) == going_on.timestamp
    assert start_of([blip.model_copy(update={"severity": "critical"}), worse]) == blip.timestamp


def test_thousands_that_move_at_once_are_compared_by_their_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    related = Grouping._related

    def counted(*arguments: Any) -> bool:
        nonlocal compared
        compared += 1
        return related(*arguments)

    monkeypatch.setattr(Grouping, "_related", counted)
    many = [anomaly(f'cpu{{host="h{k % 20}",core="{k}"}}', 0, k) for k in range(3_000)]
    assert groups(*many) == {frozenset(one.id for one in many)}
    assert compared < 20 * 20
