"""Delivery over REST: what waits and why, how each receiver fares, and trying again what was refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_desk import NOW, Desk, running_desk, token_settings

from api.alert_port import DeliveryState, ReceiverState
from db.records import AlertIntent

STATE = DeliveryState(
    status="refusing",
    pending=2,
    parked=1,
    oldest_pending_seconds=75.0,
    receivers=(
        ReceiverState(name="slack", status="refusing", parked=1, sent=4, last_error="channel_not_found"),
        ReceiverState(name="webhook:pager", status="retrying", pending=2, last_error="HTTP 503"),
    ),
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path, tokens=token_settings()) as running:
        running.service.alerts.state = STATE
        payload = {"incident_id": "I-1", "severity": "high", "group": "g", "counted": True}
        intents = [
            AlertIntent("slack", "first_notification", "a", payload, NOW, "incident:I-1"),
            AlertIntent("webhook:pager", "grew", "b", payload, NOW, "incident:I-1"),
        ]
        running.stores.outbox.add(intents, "I-1", NOW)
        running.stores.outbox.park(1, "channel_not_found")
        yield running


def test_a_refused_alert_is_shown_with_its_reason(desk: Desk) -> None:
    answer = desk.client.get("/api/v1/alerts", params={"state": "parked"}, headers=desk.as_role("viewer"))
    (alert,) = answer.json()["items"]
    assert (alert["receiver"], alert["incident_id"], alert["reason"]) == (
        "slack",
        "I-1",
        "first_notification",
    )
    assert (alert["state"], alert["error"], alert["sent_at"]) == ("parked", "channel_not_found", None)


def test_alerts_are_listed_by_receiver_and_incident_page_by_page(desk: Desk) -> None:
    headers = desk.as_role("viewer")
    page = desk.client.get("/api/v1/alerts", params={"limit": 1}, headers=headers).json()
    more = {"limit": 1, "cursor": page["next_cursor"]}
    rest = desk.client.get("/api/v1/alerts", params=more, headers=headers).json()
    assert [one["reason"] for one in (*page["items"], *rest["items"])] == ["grew", "first_notification"]
    for params, count in (({"receiver": "slack"}, 1), ({"incident_id": "I-1"}, 2), ({"receiver": "x"}, 0)):
        found = desk.client.get("/api/v1/alerts", params=params, headers=headers).json()["items"]
        assert len(found) == count


@pytest.mark.parametrize(
    ("params", "status"),
    [({"state": "lost"}, 422), ({"incident_id": "I-x"}, 404), ({"limit": 0}, 422), ({"cursor": "%"}, 422)],
)
def test_bad_questions_about_alerts_are_refused(desk: Desk, params: dict[str, str], status: int) -> None:
    answer = desk.client.get("/api/v1/alerts", params=params, headers=desk.as_role("viewer"))
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_refused_messages_are_tried_again_by_an_operator(desk: Desk) -> None:
    for role, receiver, status in (
        ("viewer", "slack", 403),
        ("operator", "slack", 200),
        ("operator", "nobody", 404),
    ):
        answer = desk.client.post(
            f"/api/v1/alerts/{receiver}/retry",
            headers=desk.as_role(role),  # type: ignore[arg-type]
        )
        assert answer.status_code == status
    assert desk.service.alerts.retried == ["slack"]
    assert desk.stores.audit.list(subject="slack").items[0].action == "alerts.retried"


def test_the_delivery_is_shown_in_health_to_those_with_a_token_and_in_the_meters(desk: Desk) -> None:
    assert desk.client.get("/health").json() == {"status": "ok"}
    seen = desk.client.get("/health", headers=desk.as_role("viewer")).json()["alerts"]
    assert (seen["status"], seen["parked"], seen["receivers"][0]["last_error"]) == (
        "refusing",
        1,
        "channel_not_found",
    )
    assert desk.client.get("/api/v1/alerts/delivery", headers=desk.as_role("viewer")).json() == seen
    meters = desk.client.get("/metrics", headers=desk.as_role("viewer")).text
    assert 'analyst_alerts{state="parked"} 1.0' in meters
    assert "analyst_alert_age_seconds 75.0" in meters


def test_a_verdict_given_over_rest_reaches_those_who_were_told(desk: Desk) -> None:
    body = {"verdict": "incorrect", "actual_cause": "bad_deploy"}
    answer = desk.client.post("/api/v1/diagnoses/D-1/feedback", json=body, headers=desk.as_role("operator"))
    assert answer.status_code == 201
    assert [one.actual_cause for one in desk.service.alerts.verdicts] == ["bad_deploy"]
