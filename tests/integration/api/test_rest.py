"""The REST calls, black box, over a real socket and a real database."""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api_desk import LATENCY, NOW, PNL, Desk, anomaly, running_desk, token_settings

from api.settings import TokenSettings
from db.detections import CycleWriter
from db.records import IncidentPlan
from domain.cycle import SourceHealth
from domain.timestamps import format_rfc3339

AT = format_rfc3339(NOW)
RULE: dict[str, Any] = {
    "name": "late",
    "metric": "*_latency_ms",
    "method": "robust_zscore",
    "direction": "up",
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running_desk(tmp_path) as running:
        yield running


def get(desk: Desk, path: str, **params: Any) -> Any:
    answer = desk.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pushed_samples_are_there_for_every_reader(desk: Desk) -> None:
    sample = {"metric": "cpu", "labels": {"host": "a"}, "timestamp": AT, "value": 0.5, "unit": "%"}
    answer = desk.client.post("/api/v1/samples", json={"samples": [sample]})
    assert answer.json() == {"accepted": 1, "replaced": 0, "rejected": []}
    (series,) = get(desk, "series", metric="cpu")["items"]
    assert (series["name"], series["labels"], series["unit"]) == ('cpu{host="a"}', {"host": "a"}, "%")
    found = get(desk, f"series/{series['id']}/samples")
    assert [(one["timestamp"], one["value"]) for one in found["items"]] == [(AT, 0.5)]
    assert desk.service.arrivals == 1


def test_events_are_stored_once_however_often_they_come(desk: Desk) -> None:
    event = {"timestamp": AT, "source": "events", "text": "deploy 7f3", "labels": {"kind": "deploy"}}
    lines = "\n".join([json.dumps(event)] * 2)
    answer = desk.client.post(
        "/api/v1/events", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.json() == {"accepted": 2, "replaced": 1, "rejected": []}
    stored = desk.stores.events.between(NOW, NOW.replace(minute=1))
    assert [one.text for one in stored] == ["deploy 7f3"]


def test_no_sample_at_all_is_not_a_success(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/samples", json={"samples": []})
    assert answer.status_code == 422
    assert answer.json()["accepted"] == 0


def test_series_are_found_by_label(desk: Desk) -> None:
    names = [one["name"] for one in get(desk, "series", **{"label.venue": "bybit"})["items"]]
    assert sorted(names) == sorted([PNL, LATENCY])
    assert get(desk, "series", **{"label.venue": "okx"})["items"] == []


@pytest.mark.parametrize("step", [None, 3600])
def test_pages_of_samples_follow_each_other_without_gap_or_overlap(desk: Desk, step: int | None) -> None:
    params: dict[str, Any] = {"limit": 7} | ({"step": step} if step else {})
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = get(desk, "series/1/samples", **params, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    times = [one["timestamp"] for one in seen]
    assert times == sorted(set(times))
    whole, _ = desk.stores.samples.read(1, NOW.replace(month=1), NOW)
    counted = sum(one["count"] for one in seen) if step else len(seen)
    assert 0 <= len(whole) - counted <= 2  # without a range the last 24 hours count, to ten minutes ahead


def test_a_rule_lives_from_creation_to_deletion(desk: Desk) -> None:
    created = desk.client.post("/api/v1/rules", json=RULE)
    assert (created.status_code, created.headers["location"]) == (201, "/api/v1/rules/late")
    assert desk.client.post("/api/v1/rules", json=RULE).status_code == 409
    changed = desk.client.put("/api/v1/rules/late", json={**RULE, "threshold": 5.0}).json()
    assert changed["threshold"] == 5.0
    assert get(desk, "rules/late") == changed
    assert desk.client.put("/api/v1/rules/other", json=RULE).status_code == 422
    assert [one["name"] for one in get(desk, "rules")["items"]] == ["late"]
    assert desk.client.delete("/api/v1/rules/late").status_code == 204
    assert desk.client.get("/api/v1/rules/late").status_code == 404
    assert desk.service.rule_changes == 3
    actions = [(one.action, one.subject) for one in desk.stores.audit.list("late").items]
    assert actions == [("rule.changed", "late")] * 3
    assert desk.stores.audit.verify().first_bad is None


def test_what_if_and_infer_store_nothing(desk: Desk) -> None:
    before = desk.stores.anomalies.count()
    found = desk.client.post(
        "/api/v1/rules/what-if", json={"rule": RULE, "start": "2026-03-01T00:00:00Z", "end": AT}
    )
    assert [one["rule"] for one in found.json()["appear"]] == ["late"]
    times = [f"2026-03-01T10:{i:02d}:00Z" for i in range(10)]
    body = {"series": {PNL: {"timestamps": times, "values": [1.0, None] * 5}}}
    (one,) = desk.client.post("/api/v1/infer", json=body).json()["anomalies"]
    assert one["affected_metrics"] == [PNL]
    assert desk.stores.anomalies.count() == before


def test_anomalies_are_filtered_and_exported_alike(desk: Desk) -> None:
    filters: list[dict[str, Any]] = [
        {},
        {"min_severity": "critical"},
        {"metric": "pnl"},
        {"metric": LATENCY},
        {"status": "resolved"},
        {"anomaly_type": "sudden_loss", "end": AT},
        {"start": AT},
    ]
    sizes = []
    for chosen in filters:
        listed = get(desk, "anomalies", **chosen)["items"]
        exported = get(desk, "history/export", format="json", **chosen)["items"]
        text = desk.client.get("/api/v1/history/export", params={"format": "csv", **chosen}).text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert exported == listed
        assert [row["id"] for row in rows] == [one["id"] for one in listed]
        sizes.append(len(listed))
    assert sizes == [2, 1, 1, 1, 0, 2, 0]


def test_an_export_holds_nothing_that_a_spreadsheet_executes(desk: Desk, tmp_path: Path) -> None:
    evil = anomaly("pnl_drop", ('=HYPERLINK("http://evil")', "b|c`d"))
    CycleWriter(desk.stores.anomalies._database).save_detections([evil], NOW, lambda *_: [], lambda *_: [])
    rows = list(csv.reader(io.StringIO(desk.client.get("/api/v1/history/export?format=csv").text)))
    cells = [cell for row in rows[1:] for cell in row]
    for cell in cells:
        assert not cell.startswith(("=", "+", "@")) or cell.lstrip("+").replace(".", "").isdigit()
        assert not cell.startswith("-") or float(cell) <= 0
    table = desk.client.get("/api/v1/history/export?format=md").text.splitlines()
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_an_explanation_says_what_was_expected(desk: Desk) -> None:
    found = get(desk, "anomalies/A-1/explanation")
    assert found["expected"] == {"low": -300.0, "high": 420.0}
    assert "-300 to 420 was expected" in found["sentences"][0]


def test_feedback_is_given_counted_and_withdrawn(desk: Desk) -> None:
    given = desk.client.post("/api/v1/anomalies/A-1/feedback", json={"verdict": "true_positive"})
    assert given.status_code == 201
    desk.client.post(
        "/api/v1/diagnoses/D-1/feedback", json={"verdict": "incorrect", "actual_cause": "funding_shock"}
    )
    found = get(desk, "performance")
    assert (found["anomalies"]["n"], found["anomalies"]["right"], found["diagnoses"]["right"]) == (1, 1, 0)
    assert desk.client.delete("/api/v1/diagnoses/D-1/feedback").status_code == 204
    assert desk.client.delete("/api/v1/diagnoses/D-1/feedback").status_code == 404
    assert get(desk, "performance")["diagnoses"]["n"] == 0


def test_an_incident_is_acknowledged_snoozed_and_resolved(desk: Desk) -> None:
    def patch(**change: Any) -> Any:
        return desk.client.patch("/api/v1/incidents/I-1", json=change).json()

    acknowledged = patch(status="acknowledged")
    assert (acknowledged["status"], acknowledged["assignee"]) == ("acknowledged", "local")
    assert patch(snoozed_until="2026-03-01T13:00:00+01:00")["snoozed_until"] == AT
    assert patch(assignee=None)["assignee"] is None
    assert patch(status="resolved")["ended_at"] is not None
    assert desk.service.incident_changes[-1] == ("acknowledged", "resolved")
    assert [one["id"] for one in get(desk, "incidents", status="resolved")["items"]] == ["I-1"]
    assert get(desk, "incidents", status="open")["items"] == []


def test_a_diagnosis_is_started_waited_for_and_read(desk: Desk) -> None:
    desk.service.finish_at_once = False
    started = desk.client.post("/api/v1/diagnoses", json={"anomaly_id": "A-2"})
    assert started.status_code == 202
    where = started.headers["location"]
    assert desk.client.get(where).json()["status"] in {"queued", "running"}
    desk.service.finish_at_once = True
    again = desk.client.post("/api/v1/diagnoses?wait=10", json={"anomaly_id": "A-2"})
    assert again.status_code == 200
    assert again.json()["id"] == started.json()["id"]
    found = again.json()
    assert (found["status"], found["outcome"], len(found["steps"])) == ("done", "cause_found", 6)
    report = desk.client.get(where, headers={"Accept": "text/markdown"})
    assert report.headers["content-type"].startswith("text/markdown")
    assert "Hedges fill late" in report.text
    assert report.text == desk.client.get(f"/diagnoses/{found['id']}.md").text
    assert [one["id"] for one in get(desk, "diagnoses", q="gateway")["items"]] == [found["id"], "D-1"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/markdown", "text/markdown"),
        ("text/markdown, */*;q=0.1", "text/markdown"),
        ("text/html, text/markdown;q=0.9, */*;q=0.1", "text/markdown"),
        ("application/json, text/markdown;q=0", "application/json"),
        ("application/json, text/markdown;q=0.5", "application/json"),
        ("text/markdown;q=nan", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        (";;,,;q=", "application/json"),
    ],
)
def test_a_report_is_given_to_who_likes_it_best(desk: Desk, accept: str, kind: str) -> None:
    answer = desk.client.get("/api/v1/diagnoses/D-1", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == kind


def test_whatever_changes_something_stands_in_the_audit_log(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the-first-token-0123")
    tokens = [TokenSettings(name="boss", role="admin", file=str(file))]
    with running_desk(tmp_path, tokens=tokens) as desk:

        def call(method: str, path: str, body: Any = None, token: str = "the-first-token-0123") -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return desk.client.request(method, f"/api/v1/{path}", json=body, headers=headers).status_code

        assert call("POST", "rules", RULE) == 201
        assert call("PUT", "rules/late", {**RULE, "threshold": 7.0}) == 200
        assert call("DELETE", "rules/late") == 204
        assert call("PATCH", "incidents/I-1", {"snoozed_until": "2026-03-02T00:00:00Z"}) == 200
        assert call("POST", "anomalies/A-1/feedback", {"verdict": "true_positive"}) == 201
        assert call("DELETE", "anomalies/A-1/feedback") == 204
        assert call("POST", "diagnoses/D-1/feedback", {"verdict": "correct"}) == 201
        assert call("DELETE", "diagnoses/D-1/feedback") == 204
        assert call("PATCH", "diagnoses/D-1/actions/1", {"done": True}) == 200
        assert call("POST", "diagnoses?wait=5", {"anomaly_id": "A-2"}) == 200
        assert call("POST", "diagnoses/D-1/cancel") == 200
        assert call("POST", "cycles") == 200
        assert call("POST", "demo/incidents", {"kind": "venue_latency"}) == 202
        file.write_text("short")
        assert call("GET", "rules") == 200
        file.write_text("the-second-token-4567")
        assert call("GET", "rules") == 401
        assert call("GET", "rules", token="the-second-token-4567") == 200
        entries = desk.stores.audit.list(limit=100).items[::-1]
        assert [(one.action, one.actor) for one in entries] == [
            ("rule.changed", "boss"),
            ("rule.changed", "boss"),
            ("rule.changed", "boss"),
            ("incident.changed", "boss"),
            ("feedback.given", "boss"),
            ("feedback.withdrawn", "boss"),
            ("feedback.given", "boss"),
            ("feedback.withdrawn", "boss"),
            ("action.done", "boss"),
            ("diagnosis.started", "boss"),
            ("diagnosis.cancelled", "boss"),
            ("cycle.asked", "boss"),
            ("demo.incident", "boss"),
            ("token.changed", "token file"),
        ]
        assert (entries[1].before["threshold"], entries[1].after["threshold"]) == (None, 7.0)
        assert desk.stores.audit.verify().first_bad is None
        assert "token-0123" not in str(entries)


def test_a_request_that_the_service_cannot_use_names_the_field(desk: Desk) -> None:
    body = {"start_time": "2026-03-01T11:00:00Z", "end_time": AT, "affected_metrics": ["no_such_metric"]}
    answer = desk.client.post("/api/v1/diagnoses", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "affected_metrics")


def test_an_action_is_ticked_with_who_and_when(desk: Desk) -> None:
    found = desk.client.patch("/api/v1/diagnoses/D-1/actions/2", json={"done": True}).json()
    (action,) = found["preventive_measures"]
    assert (action["done"], action["done_by"]) == (True, "local")
    assert desk.client.patch("/api/v1/diagnoses/D-1/actions/9", json={"done": True}).status_code == 404


def test_a_cycle_runs_on_request_and_is_listed(desk: Desk) -> None:
    ran = desk.client.post("/api/v1/cycles").json()
    assert ran["status"] == "done"
    assert [one["id"] for one in get(desk, "cycles")["items"]] == [ran["id"]]


def test_the_chat_answers_keeps_its_thread_and_streams(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/chat", json={"message": "why did pnl drop?"}).json()
    assert answer["citations"] == [{"kind": "anomaly", "id": "A-1"}]
    messages = get(desk, f"chat/{answer['thread_id']}")["items"]
    assert [(one["n"], one["role"]) for one in messages] == [(1, "user"), (2, "assistant")]
    place = f"/api/v1/chat/{answer['thread_id']}/messages"
    assert desk.client.post(f"{place}/2/feedback", json={"verdict": "correct"}).status_code == 201
    assert desk.client.post(f"{place}/3/feedback", json={"verdict": "correct"}).status_code == 404
    streamed = desk.client.post(
        "/api/v1/chat", json={"message": "and now?"}, headers={"Accept": "text/event-stream"}
    )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    names = [line[7:] for line in streamed.text.splitlines() if line.startswith("event: ")]
    assert names == ["run.started", "token", "run.finished"]
    assert "\ndata: not an event" not in streamed.text


def test_the_chat_of_another_person_is_not_there(tmp_path: Path) -> None:
    with running_desk(tmp_path, tokens=token_settings()) as desk:
        viewer, operator = desk.as_role("viewer"), desk.as_role("operator")
        thread = desk.client.post("/api/v1/chat", json={"message": "hello"}, headers=viewer).json()[
            "thread_id"
        ]
        assert desk.client.get(f"/api/v1/chat/{thread}", headers=viewer).status_code == 200
        assert desk.client.get(f"/api/v1/chat/{thread}", headers=operator).status_code == 404
        body = {"message": "x", "thread_id": thread}
        assert desk.client.post("/api/v1/chat", json=body, headers=operator).status_code == 404


def test_sources_checks_and_usage_answer(desk: Desk) -> None:
    desk.service.health = [SourceHealth(name="pnl", kind="sql", status="failed", last_error="refused")]
    assert [one["status"] for one in get(desk, "sources")["items"]] == ["failed"]
    assert desk.client.post("/api/v1/sources/pnl/check").json()["ok"] is True
    assert desk.client.post("/api/v1/sources/none/check").status_code == 404
    assert desk.client.post("/api/v1/llm/check").json()["answer"] == "no model is configured"
    assert get(desk, "usage") == {"items": [], "budget_left_usd": None}
    metrics = desk.client.get("/metrics").text
    assert 'analyst_source_up{source="pnl"} 0.0' in metrics
    assert 'analyst_open_incidents{severity="critical"} 1.0' in metrics
    assert 'route="/api/v1/sources/{name}/check"' in metrics


def test_a_part_that_is_not_ready_makes_the_service_not_ready(desk: Desk) -> None:
    assert desk.client.get("/ready").json()["parts"]["database"] == "ok"
    desk.service.state = desk.service.state.model_copy(update={"scheduler": "no cycle for 20 minutes"})
    answer = desk.client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert desk.client.get("/health").status_code == 200


def test_a_demo_incident_is_injected_by_its_name(desk: Desk) -> None:
    answer = desk.client.post("/api/v1/demo/incidents", json={"kind": "venue_latency"})
    assert answer.status_code == 202
    assert desk.service.injected == ["venue_latency"]


def test_every_error_is_documented_in_one_shape(desk: Desk) -> None:
    spec = desk.client.get("/openapi.json").json()
    assert "Problem" in spec["components"]["schemas"]
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            if path in {"/health", "/ready"}:
                continue
            assert {"401", "403", "405", "422"} <= statuses, (method, path)
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= statuses, (method, path)
            if "{" in path and method != "put":
                assert "404" in statuses, (method, path)


def test_nothing_that_json_cannot_carry_breaks_an_answer(desk: Desk) -> None:
    odd = anomaly("odd").model_copy(
        update={"raw_data": {"a": float("nan"), "b": float("inf")}, "z_score": float("nan")}
    )
    CycleWriter(desk.stores.anomalies._database).save_detections([odd], NOW, lambda *_: [], lambda *_: [])
    answer = desk.client.get("/api/v1/anomalies/A-3")
    assert answer.status_code == 200
    json.loads(answer.text, parse_constant=pytest.fail)


def _events(text: str) -> list[tuple[str, str]]:
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        for block in text.split("\n\n")
        if block
    ]
    return [(one["id"], one["event"]) for one in blocks if "event" in one]


def test_a_run_is_replayed_and_resumed_from_its_stored_events(desk: Desk) -> None:
    done = desk.client.post("/api/v1/diagnoses?wait=10", json={"anomaly_id": "A-2"}).json()
    where = f"/api/v1/diagnoses/{done['id']}/events"
    whole = _events(desk.client.get(where).text)
    assert whole == [("1", "run.started"), ("2", "step.finished"), ("3", "run.finished")]
    assert _events(desk.client.get(where, headers={"Last-Event-ID": "1"}).text) == whole[1:]
    assert _events(desk.client.get(where, headers={"Last-Event-ID": "nonsense"}).text) == whole
    assert desk.client.get("/api/v1/diagnoses/D-99/events").status_code == 404


def test_open_pages_are_told_what_changed(desk: Desk) -> None:
    with httpx2.stream("GET", f"{desk.url}/api/v1/stream", timeout=10, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith((":", "retry"))
        desk.client.patch("/api/v1/incidents/I-1", json={"status": "acknowledged"})
        named = next(line for line in lines if line.startswith("event: "))
        assert named == "event: incident.updated"
        assert json.loads(next(lines).removeprefix("data: ")) == {"id": "I-1"}


@pytest.mark.parametrize(
    "path", ["chart/pnl?", "chart?series=pnl%7Bstrategy%3D%22mm_btc%22,venue%3D%22bybit%22%7D&"]
)
def test_a_picture_of_centuries_is_refused_before_it_needs_their_memory(desk: Desk, path: str) -> None:
    answer = desk.client.get(f"/api/v1/{path}from=0&to=7258118400")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "from"
    assert desk.client.get(f"/api/v1/{path}from=1740000000&to=1772366400").status_code == 200


def test_an_investigation_of_decades_is_refused_before_it_needs_their_memory(desk: Desk) -> None:
    body = {"start_time": "1970-01-02T00:00:00Z", "end_time": AT, "affected_metrics": ["pnl"]}
    answer = desk.client.post("/api/v1/diagnoses", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "start_time"
    month = {**body, "start_time": format_rfc3339(NOW - timedelta(days=31))}
    assert desk.client.post("/api/v1/diagnoses?wait=5", json=month).status_code == 200


def test_the_key_of_another_body_is_a_documented_conflict(desk: Desk) -> None:
    document = desk.client.get("/openapi.json").json()["paths"]
    for path in ("/api/v1/samples", "/api/v1/events", "/api/v1/cycles", "/api/v1/diagnoses"):
        assert "409" in document[path]["post"]["responses"], path


def test_a_name_with_braces_is_data_everywhere(desk: Desk) -> None:
    names = ["{{7*7}}", '{"a",b="c"}', "${7*7}", "{"]
    samples = [
        {
            "metric": name,
            "labels": {"strategy": name},
            "timestamp": format_rfc3339(NOW - timedelta(minutes=5)),
            "value": 1.0,
        }
        for name in names
    ]
    assert desk.client.post("/api/v1/samples", json={"samples": samples}).json()["accepted"] == len(names)
    for name in names:
        found = desk.client.get("/api/v1/series", params={"metric": name, "label.strategy": name}).json()
        (one,) = found["items"]
        assert (one["metric"], one["labels"]) == (name, {"strategy": name})
        values = desk.client.get(f"/api/v1/series/{one['id']}/samples").json()["items"]
        assert [value["value"] for value in values] == [1.0]
        drawn = desk.client.get("/api/v1/chart", params={"series": one["name"]})
        assert drawn.status_code == 200, drawn.text
        body = {"affected_metrics": [one["name"]], "start_time": "2026-03-01T11:00:00Z"}
        started = desk.client.post("/api/v1/diagnoses?wait=5", json={**body, "end_time": format_rfc3339(NOW)})
        assert started.status_code == 200, started.text
    for page in ("/explore", "/", "/history"):
        assert desk.client.get(page).status_code == 200


def test_an_export_is_the_filtered_list_for_every_combination_of_filters(desk: Desk, tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"anomaly_type": "execution_delay", "severity": "low", "status": "resolved", "ended_at": NOW},
        {"anomaly_type": "sudden_loss", "severity": "medium"},
        {"anomaly_type": "volume_spike", "severity": "high", "status": "resolved", "ended_at": NOW},
    ]
    many = [
        anomaly(f"rule_{i}", ((PNL, LATENCY)[i % 2],), NOW - timedelta(minutes=3 * i)).model_copy(
            update=kinds[i % 3]
        )
        for i in range(30)
    ]
    CycleWriter(desk.stores.anomalies._database).save_detections(
        many,
        NOW,
        lambda found, _: [IncidentPlan(None, tuple(one.id for one in found), "Many")],
        lambda *_: [],
    )
    choices: dict[str, list[str | None]] = {
        "start": [None, format_rfc3339(NOW - timedelta(minutes=50))],
        "end": [None, format_rfc3339(NOW - timedelta(minutes=10))],
        "min_severity": [None, "medium", "high"],
        "anomaly_type": [None, "sudden_loss"],
        "metric": [None, "pnl", LATENCY, "no_such"],
        "status": [None, "open", "resolved"],
    }
    sizes = set()
    for chosen in itertools.product(*choices.values()):
        wanted = {name: value for name, value in zip(choices, chosen, strict=True) if value is not None}
        listed = get(desk, "anomalies", **wanted, limit=500)["items"]
        exported = get(desk, "history/export", **wanted, format="json")["items"]
        assert exported == listed, wanted
        sizes.add(len(listed))
    assert len(sizes) > 8
    assert 0 in sizes
    rows = csv.DictReader(io.StringIO(desk.client.get("/api/v1/history/export?status=open").text))
    assert [row["id"] for row in rows] == [
        one["id"] for one in get(desk, "anomalies", status="open")["items"]
    ]
    text = desk.client.get("/api/v1/history/export?status=open&format=md").text
    assert len(text.splitlines()) - 2 == len(get(desk, "anomalies", status="open")["items"])
    for path in ("anomalies", "history/export"):
        assert desk.client.get(f"/api/v1/{path}?status=closed").status_code == 422
