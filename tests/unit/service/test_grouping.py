"""Anomalies become incidents by time and by the cause graph, never by the order in which they arrive."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.anomaly import Anomaly
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


def anomaly(series: str, minutes: float, number: int = 0) -> Anomaly:
    at = START + timedelta(minutes=minutes)
    return Anomaly(
        id=f"A-{number}",
        timestamp=at,
        detected_at=at + STEP,
        anomaly_type="level_shift",
        severity="medium",
        confidence=0.9,
        rule="r",
        method="combined",
        score=5.0,
        direction="up",
        affected_metrics=(series,),
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
