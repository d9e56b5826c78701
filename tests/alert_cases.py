"""Incidents, anomalies and diagnoses as tests of alerts need them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.history import History
from alerts.outbox import AlertIntent, Story
from alerts.policy import Decision, Target
from alerts.settings import AlertSettings
from domain.anomaly import Anomaly, Severity
from domain.diagnosis import Action, Diagnosis, Hypothesis
from domain.incident import Incident
from domain.money import Impact

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SLACK = Target("slack", "in_place", "medium")
HOOK = Target("slack", "important", "medium")


def anomaly(n: int = 1, severity: Severity = "high", **changes: Any) -> Anomaly:
    fields: dict[str, Any] = {
        "id": f"A-{n}",
        "timestamp": NOW - timedelta(minutes=25),
        "detected_at": NOW,
        "anomaly_type": "execution_delay",
        "severity": severity,
        "confidence": 0.9,
        "z_score": 8.2,
        "rule": f"ack latency {n}",
        "method": "robust_zscore",
        "score": 9.0,
        "direction": "up",
        "value": 412.0,
        "expected": {"low": 20.0, "high": 60.0},
        "affected_metrics": (f'order_ack_latency_ms{{venue="venue{n}"}}',),
        "data_sources": ("trading_metrics",),
    }
    return Anomaly(**{**fields, **changes})


def incident(n: int = 1, severity: Severity = "high", **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": f"I-{n}",
        "title": f"Order acknowledgements slow on venue{n}",
        "severity": severity,
        "started_at": NOW - timedelta(minutes=25),
        "anomaly_ids": (f"A-{n}",),
    }
    return Incident(**{**fields, **changes})


def diagnosis(**changes: Any) -> Diagnosis:
    fields: dict[str, Any] = {
        "id": "D-1",
        "status": "done",
        "outcome": "cause_found",
        "timestamp": NOW,
        "start_time": NOW - timedelta(minutes=25),
        "end_time": NOW,
        "primary_hypothesis": hypothesis("H1", "Gateway to bybit is slow", 0.78, "gateway:bybit"),
        "alternative_hypotheses": (
            hypothesis("H2", "Bad deploy", 0.12),
            hypothesis("H3", "Volatility regime shift", 0.06),
        ),
        "immediate_actions": (Action(n=1, text="Route orders to okx"), Action(n=2, text="Call bybit")),
        "impact": Impact(amount=-41_200, low=-52_000, high=-30_100),
    }
    return Diagnosis(**{**fields, **changes})


def hypothesis(identifier: str, title: str, confidence: float, component: str | None = None) -> Hypothesis:
    return Hypothesis(
        id=identifier,
        title=title,
        cause="venue_gateway_latency",
        component=component,
        description="",
        confidence=confidence,
    )


def story(n: int = 1, severity: Severity = "high", **changes: Any) -> Story:
    return Story(incident(n, severity, **changes), (anomaly(n, severity),))


def settings(**changes: Any) -> AlertSettings:
    return AlertSettings(allow_hosts=("127.0.0.1",), **changes)


def intent(n: int = 1, **changes: Any) -> AlertIntent:
    fields: dict[str, Any] = {
        "receiver": "slack",
        "subject": f"incident:I-{n}",
        "incident_id": f"I-{n}",
        "reason": "first_notification",
        "severity": "high",
        "group": f"ack latency {n}",
        "decided_at": NOW,
        "not_before": NOW,
        "counted": True,
    }
    return AlertIntent(**{**fields, **changes})


def told(*intents: AlertIntent) -> History:
    history = History()
    for one in intents:
        history.add(one)
    return history


def outcome(decision: Decision) -> tuple[str, str]:
    return decision.verdict, decision.reason.value
