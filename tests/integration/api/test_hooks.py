"""Webhooks of Alertmanager, Grafana, GitHub, GitLab and others, over real HTTP."""

import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from api_desk import LATENCY, NOW, PNL, Desk, running_desk, token_settings

from api.hooks.settings import HookSecretSettings, HookSettings
from domain.event import Event
from domain.timestamps import format_rfc3339

SECRET = "a-secret-of-the-desk"
OTHER = "another-secret-entirely"
STANDARD_KEY = b"0123456789abcdef01234567"
STANDARD = "whsec_" + base64.b64encode(STANDARD_KEY).decode()
AT = str(int(NOW.timestamp()))
SIGNED = ("grafana", "github", "gitlab", "generic", "alertmanager")
Headers = dict[str, str]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("hooks")
    for sender in SIGNED:
        (folder / sender).write_text(f"{SECRET}\n{STANDARD}\n" if sender == "gitlab" else SECRET)
    places = {sender: HookSecretSettings(file=str(folder / sender)) for sender in SIGNED}
    hooks = HookSettings(components={"desk/gateway": "gateway:bybit", "desk/*": "service:risk"}, **places)
    with running_desk(folder, tokens=token_settings(), hooks=hooks) as running:
        yield running


def hexed(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def sign_github(secret: str, body: bytes, at: str) -> Headers:
    return {"X-Hub-Signature-256": f"sha256={hexed(secret, body)}"}


def sign_grafana(secret: str, body: bytes, at: str) -> Headers:
    signed = at.encode("latin-1", "replace") + b":" + body
    return {"X-Grafana-Alerting-Signature": hexed(secret, signed), "X-Grafana-Alerting-Timestamp": at}


def sign_own(secret: str, body: bytes, at: str) -> Headers:
    signed = at.encode("latin-1", "replace") + b"." + body
    return {"X-Analyst-Signature": f"v1={hexed(secret, signed)}", "X-Analyst-Timestamp": at}


def sign_standard(secret: str, body: bytes, at: str, identity: str = "msg-1") -> Headers:
    key = STANDARD_KEY if secret == SECRET else secret.encode()
    signed = f"{identity}.{at}.".encode("latin-1", "replace") + body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": identity, "webhook-timestamp": at, "webhook-signature": f"v1,{made}"}


SIGNERS: Mapping[str, Callable[[str, bytes, str], Headers]] = {
    "github": sign_github,
    "grafana": sign_grafana,
    "generic": sign_own,
    "alertmanager": sign_own,
    "gitlab": sign_standard,
}
SIGNATURE_OF = {
    "github": "X-Hub-Signature-256",
    "grafana": "X-Grafana-Alerting-Signature",
    "generic": "X-Analyst-Signature",
    "alertmanager": "X-Analyst-Signature",
    "gitlab": "webhook-signature",
}
TIME_OF = {"grafana", "generic", "alertmanager", "gitlab"}


def post(desk: Desk, sender: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    raw = [(b"Content-Type", b"application/json")]
    given = {"X-GitHub-Event": "ping", **(headers or {})} if sender == "github" else headers or {}
    raw += [(name.encode(), value.encode("utf-8")) for name, value in given.items()]
    return desk.client.post(f"/hooks/{sender}", content=body, headers=raw)


def send(desk: Desk, sender: str, content: Any, extra: Mapping[str, str] | None = None) -> httpx2.Response:
    body = json.dumps(content).encode()
    return post(desk, sender, body, {**SIGNERS[sender](SECRET, body, AT), **(extra or {})})


def alert(name: str = "PnlDrop", status: str = "firing", **changes: Any) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "strategy": "mm_btc"},
        "annotations": {"summary": "the desk loses money"},
        "startsAt": "2026-03-01T11:40:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T11:55:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": hashlib.md5(name.encode()).hexdigest()[:16],
        **changes,
    }


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="PnlDrop"}',
        "status": "firing",
        "receiver": "analyst",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }


def events(desk: Desk) -> list[Event]:
    return desk.stores.events.between(NOW - timedelta(days=30), NOW + timedelta(hours=1), "events")


BODIES: Mapping[str, Any] = {
    "grafana": notification(),
    "alertmanager": notification(),
    "github": {"zen": "Keep it simple."},
    "gitlab": {"object_kind": "note"},
    "generic": {"text": "Deployed the gateway"},
}


def _probes(
    sender: str,
) -> Iterator[tuple[str, Callable[[bytes], Mapping[str, str] | list[tuple[str, str]]]]]:
    """What somebody without the secret may try, by name."""
    sign, name = SIGNERS[sender], SIGNATURE_OF[sender]

    def with_signature(change: Callable[[str], str]) -> Callable[[bytes], Headers]:
        def probe(body: bytes) -> Headers:
            made = sign(SECRET, body, AT)
            return {**made, name: change(made[name])}

        return probe

    yield "none", lambda _body: {}
    yield "empty", with_signature(lambda _: "")
    yield "wrong secret", lambda body: sign(OTHER, body, AT)
    yield "truncated", with_signature(lambda made: made[:-4])
    yield "longer", with_signature(lambda made: made + "00")
    yield "upper case", with_signature(lambda made: made.swapcase())
    yield (
        "no scheme",
        with_signature(lambda made: made.partition("=")[2] if "=" in made[:7] else "v0," + made),
    )
    yield "another scheme", with_signature(lambda made: made.replace("sha256=", "sha1=").replace("v1", "v9"))
    yield "not ASCII", with_signature(lambda made: "\u0661" + made[1:])
    yield "other body", lambda body: sign(SECRET, body + b" ", AT)
    yield "huge", with_signature(lambda made: made * 100)
    yield "the secret itself", with_signature(lambda _: SECRET)
    yield "bearer of the secret", lambda _body: {"Authorization": f"Bearer {SECRET}"}
    if sender in TIME_OF:
        now = int(NOW.timestamp())
        yield "old", lambda body: sign(SECRET, body, str(now - 301))
        yield "future", lambda body: sign(SECRET, body, str(now + 301))
        yield "no number", lambda body: sign(SECRET, body, "yesterday")
        yield "not a number", lambda body: sign(SECRET, body, "nan")
        yield "unicode time", lambda body: sign(SECRET, body, "\u0661" * 10)
        yield "endless time", lambda body: sign(SECRET, body, "9" * 400)


@pytest.mark.parametrize("sender", SIGNED)
def test_who_does_not_hold_the_secret_is_refused_and_stores_nothing(desk: Desk, sender: str) -> None:
    before, investigated = len(events(desk)), len(desk.service.diagnosed)
    probes = dict(_probes(sender))
    if sender == "grafana":
        # Its signature is bare hex: there is no scheme to take away.
        del probes["no scheme"], probes["another scheme"]
    assert len(probes) >= 13
    body = json.dumps(BODIES[sender]).encode()
    for name, probe in probes.items():
        answer = post(desk, sender, body, dict(probe(body)))
        assert answer.status_code == 401, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert SECRET not in answer.text
    assert (len(events(desk)), len(desk.service.diagnosed)) == (before, investigated)


@pytest.mark.parametrize("sender", SIGNED)
def test_a_signature_that_stands_twice_is_no_signature(desk: Desk, sender: str) -> None:
    body = json.dumps(BODIES[sender]).encode()
    headers = [*SIGNERS[sender](SECRET, body, AT).items()]
    twice = [*headers, (SIGNATURE_OF[sender], dict(headers)[SIGNATURE_OF[sender]])]
    raw = [(name.encode(), value.encode()) for name, value in twice]
    assert desk.client.post(f"/hooks/{sender}", content=body, headers=raw).status_code == 401


@pytest.mark.parametrize("sender", SIGNED)
def test_who_signs_or_carries_an_ingest_token_is_let_in(desk: Desk, sender: str) -> None:
    assert send(desk, sender, BODIES[sender]).status_code == 200
    body = json.dumps(BODIES[sender]).encode()
    for role, status in (("ingest", 200), ("admin", 200), ("viewer", 403), ("operator", 403)):
        answer = post(desk, sender, body, desk.as_role(role))  # type: ignore[arg-type]
        assert answer.status_code == status, (role, answer.text)


def test_only_who_carries_a_token_may_send_a_compressed_body(desk: Desk) -> None:
    body = json.dumps(notification()).encode()
    packed = {"Content-Encoding": "gzip"}
    signed = post(desk, "alertmanager", gzip.compress(body), {**sign_own(SECRET, body, AT), **packed})
    assert (signed.status_code, signed.headers["accept-encoding"]) == (415, "identity")
    known = post(desk, "alertmanager", gzip.compress(body), {**desk.as_role("ingest"), **packed})
    assert known.status_code == 200


def test_the_plain_token_of_gitlab_is_taken_and_a_wrong_one_is_not(desk: Desk) -> None:
    body = json.dumps(BODIES["gitlab"]).encode()
    assert post(desk, "gitlab", body, {"X-Gitlab-Token": SECRET}).status_code == 200
    for wrong in (OTHER, "", SECRET[:-1], SECRET + "x", "\u00e9"):
        assert post(desk, "gitlab", body, {"X-Gitlab-Token": wrong}).status_code == 401
    # A signature that is there must hold, whatever token stands beside it.
    both = {**sign_standard(OTHER, body, AT), "X-Gitlab-Token": SECRET}
    assert post(desk, "gitlab", body, both).status_code == 401


def test_a_bare_signature_of_grafana_is_taken(desk: Desk) -> None:
    body = json.dumps(notification()).encode()
    signed = {"X-Grafana-Alerting-Signature": hexed(SECRET, body)}
    assert post(desk, "grafana", body, signed).status_code == 200


def test_a_secret_is_changed_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    hooks = HookSettings(github=HookSecretSettings(file=str(file)))
    with running_desk(tmp_path, tokens=token_settings(), hooks=hooks) as desk:
        body = b'{"zen": "x"}'

        def answers(secret: str) -> int:
            headers = {**sign_github(secret, body, AT), "X-GitHub-Event": "ping"}
            return post(desk, "github", body, headers).status_code

        assert [answers(SECRET), answers(OTHER)] == [200, 401]
        file.write_text(f"{OTHER}\n{SECRET}\n")
        assert [answers(SECRET), answers(OTHER)] == [200, 200]
        file.write_text("short")
        assert [answers(SECRET), answers(OTHER)] == [200, 200]
        time.sleep(0.02)
        file.write_text(OTHER)
        assert [answers(SECRET), answers(OTHER)] == [401, 200]


def test_with_a_secret_nobody_is_let_in_for_being_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    hooks = HookSettings(generic=HookSecretSettings(file=str(tmp_path / "secret")))
    with running_desk(tmp_path, hooks=hooks) as open_desk:
        body = b'{"text": "Deployed"}'
        assert post(open_desk, "generic", body).status_code == 401
        assert post(open_desk, "generic", body, sign_own(SECRET, body, AT)).status_code == 200
        assert post(open_desk, "alertmanager", json.dumps(notification()).encode()).status_code == 200


@pytest.mark.parametrize("sender", ["alertmanager", "grafana"])
def test_an_alert_starts_one_investigation_while_it_fires(desk: Desk, sender: str) -> None:
    before = len(desk.service.diagnosed)
    name = f"PnlDrop{sender}"
    began = {"alertmanager": "2026-03-01T11:40:00Z", "grafana": "2026-03-01T11:41:00.123456789Z"}[sender]
    first = send(desk, sender, notification(alert(name, startsAt=began))).json()
    assert first["stored"] == 1
    assert first["diagnosis_id"].startswith("D-")
    assert first["affected_metrics"] == [PNL]
    for later in (began, "2026-03-01T11:45:00Z"):
        again = send(desk, sender, notification(alert(name, startsAt=later))).json()
        assert (again["diagnosis_id"], again["reason"]) == (None, "these alerts fire already")
    ended = send(desk, sender, notification(alert(name, "resolved", startsAt=began))).json()
    assert (ended["stored"], ended["diagnosis_id"]) == (1, None)
    assert len(desk.service.diagnosed) == before + 1
    refired = send(desk, sender, notification(alert(name, startsAt=began.replace("11:4", "11:5")))).json()
    assert refired["diagnosis_id"] != first["diagnosis_id"]
    assert refired["diagnosis_id"] is not None
    request = desk.service.diagnosed[before]
    assert request.start_time < NOW - timedelta(minutes=20) < request.end_time
    told = [one for one in events(desk) if one.labels.get("alertname") == name]
    assert sorted(one.labels["status"] for one in told) == ["firing", "firing", "firing", "resolved"]
    assert {one.labels["severity"] for one in told} == {"critical"}
    assert desk.stores.diagnoses.get(first["diagnosis_id"]).affected_metrics == (PNL,)


def test_an_alert_that_fires_anew_is_investigated_though_its_end_was_never_told(desk: Desk) -> None:
    def told(status: str, began: str) -> Any:
        return send(desk, "alertmanager", notification(alert("Unended", status, startsAt=began))).json()

    old, new = "2026-03-01T11:00:00Z", "2026-03-01T11:30:00Z"
    first, second = told("firing", old), told("firing", new)
    assert first["diagnosis_id"] is not None
    assert second["diagnosis_id"] not in {None, first["diagnosis_id"]}
    # The end of the older firing comes late: the younger one goes on.
    told("resolved", old)
    assert told("firing", new)["reason"] == "these alerts fire already"


@pytest.mark.parametrize(
    ("labels", "metrics"),
    [
        ({"alertname": "OrderAckLatencyHigh", "venue": "bybit"}, [LATENCY]),
        ({"alertname": "OrderAckLatencyHigh", "venue": "elsewhere"}, [LATENCY]),
        ({"alertname": "Something", "metric": "order_ack_latency_ms"}, [LATENCY]),
        ({"alertname": "order_ack_latency_ms"}, [LATENCY]),
        ({"alertname": "HostDown", "instance": "x"}, [PNL]),
        ({"alertname": "HostDown", "strategy": "nobody"}, [PNL]),
        ({"alertname": "<script>alert(1)</script>", "metric": "'; DROP TABLE series; --"}, [PNL]),
        ({}, [PNL]),
    ],
)
def test_an_alert_is_about_the_series_it_names_else_about_the_outcome(
    desk: Desk, labels: dict[str, str], metrics: list[str]
) -> None:
    one = alert(labels=labels, fingerprint=hashlib.md5(repr(labels).encode()).hexdigest()[:16])
    assert send(desk, "alertmanager", notification(one)).json()["affected_metrics"] == metrics


def test_an_alert_that_fires_for_decades_is_looked_at_as_it_is_of_late(desk: Desk) -> None:
    before = len(desk.service.diagnosed)
    old = alert("AncientAlert", startsAt="1970-01-01T00:00:01Z")
    assert send(desk, "alertmanager", notification(old)).json()["diagnosis_id"]
    assert desk.service.diagnosed[before].start_time == NOW - timedelta(days=7)


def test_alerts_of_one_notification_are_one_investigation_the_worst_first(desk: Desk) -> None:
    before = len(desk.service.diagnosed)
    mild = {"alertname": "OrderAckLatencyHigh", "severity": "info"}
    minor = alert("OrderAckLatencyHighNow", labels=mild, startsAt="2026-03-01T11:31:00Z")
    major = alert("PnlDropNow")
    found = send(desk, "alertmanager", notification(minor, major)).json()
    assert found["affected_metrics"] == [PNL, LATENCY]
    assert found["alerts"] == [major["fingerprint"], minor["fingerprint"]]
    assert len(desk.service.diagnosed) == before + 1


def test_twins_of_a_notification_are_one_investigation(desk: Desk) -> None:
    before = len(desk.service.diagnosed)
    content = notification(alert("TwinAlert", startsAt="2026-03-01T11:33:00Z"))
    body = json.dumps(content).encode()
    headers = {**sign_own(SECRET, body, AT), "Content-Type": "application/json"}

    def tell(_: int) -> int:
        url = f"{desk.url}/hooks/alertmanager"
        return httpx2.post(url, content=body, headers=headers, timeout=30, trust_env=False).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tell, range(16))) == {200}
    assert len(desk.service.diagnosed) == before + 1
    assert len([one for one in events(desk) if one.labels.get("alertname") == "TwinAlert"]) == 1


def test_a_mild_alert_is_stored_and_starts_nothing_where_that_is_wanted(tmp_path: Path) -> None:
    with running_desk(tmp_path, hooks=HookSettings(min_severity="high")) as desk:
        mild = alert(labels={"alertname": "Mild", "severity": "warning"})
        answer = desk.client.post("/hooks/alertmanager", json=notification(mild)).json()
        assert (answer["stored"], answer["diagnosis_id"]) == (1, None)
        assert "severity" in answer["reason"]
        worse = {**mild, "labels": {**mild["labels"], "severity": "page"}}
        answer = desk.client.post("/hooks/alertmanager", json=notification(worse)).json()
        assert answer["diagnosis_id"] is not None


GITHUB_PUSH = {
    "ref": "refs/heads/main",
    "before": "a" * 40,
    "after": "b" * 40,
    "deleted": False,
    "repository": {
        "full_name": "desk/gateway",
        "default_branch": "main",
        "pushed_at": int(NOW.timestamp()) - 600,
    },
    "head_commit": {"message": "Faster acknowledgements\n\nLong story", "timestamp": "2026-02-28T10:00:00Z"},
    "commits": [{"added": ["src/ack.py"], "modified": ["conf/app.toml"], "removed": []}],
}


def test_pushes_releases_and_deployments_of_github_become_changes_of_components(desk: Desk) -> None:
    config = {**GITHUB_PUSH, "after": "c" * 40, "commits": [{"modified": ["conf/app.toml", "values.yaml"]}]}
    release = {
        "action": "published",
        "repository": {"full_name": "desk/risk"},
        "release": {"tag_name": "v2.1", "name": "Limits", "published_at": "2026-03-01T11:30:00Z"},
    }
    deployment = {
        "repository": {"full_name": "desk/gateway"},
        "deployment": {"sha": "d" * 40, "environment": "production"},
        "deployment_status": {"state": "success", "created_at": "2026-03-01T11:31:00Z"},
    }
    for number, (kind, content) in enumerate(
        [("push", GITHUB_PUSH), ("push", config), ("release", release), ("deployment_status", deployment)]
    ):
        headers = {"X-GitHub-Event": kind, "X-GitHub-Delivery": f"delivery-{number}"}
        for stored in (1, 0):
            answer = send(desk, "github", content, headers).json()
            assert (answer["stored"], answer["known"]) == (stored, 1 - stored)
    told = {one.text: one for one in events(desk) if one.labels.get("sender") == "github"}
    push = told["Pushed desk/gateway main bbbbbbbbbbbb: Faster acknowledgements"]
    assert (push.kind, push.labels["component"]) == ("deploy", "gateway:bybit")
    assert push.timestamp == NOW - timedelta(minutes=10)
    assert told["Pushed desk/gateway main cccccccccccc: Faster acknowledgements"].kind == "config_change"
    assert told["Released desk/risk v2.1: Limits"].labels["component"] == "service:risk"
    assert told["Deployed desk/gateway dddddddddddd to production (success)"].kind == "deploy"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("ping", {}),
        ("issues", {}),
        ("push", {"ref": "refs/heads/feature"}),
        ("push", {"deleted": True}),
        ("release", {"action": "deleted", "release": {"tag_name": "v1"}}),
        ("deployment_status", {"deployment": {}, "deployment_status": {"state": "failure"}}),
    ],
)
def test_what_changes_nothing_on_the_desk_is_taken_and_left(
    desk: Desk, kind: str, changes: dict[str, Any]
) -> None:
    before = len(events(desk))
    headers = {"X-GitHub-Event": kind, "X-GitHub-Delivery": f"left-{kind}-{len(str(changes))}"}
    answer = send(desk, "github", {**GITHUB_PUSH, **changes}, headers)
    assert (answer.status_code, answer.json()["stored"]) == (200, 0)
    assert answer.json()["reason"]
    assert len(events(desk)) == before


def test_github_may_send_a_form(desk: Desk) -> None:
    content = urlencode({"payload": json.dumps({**GITHUB_PUSH, "after": "f" * 40})}).encode()
    raw = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "as-a-form",
        **sign_github(SECRET, content, AT),
    }
    answer = desk.client.post("/hooks/github", content=content, headers=raw)
    assert (answer.status_code, answer.json()["stored"]) == (200, 1), answer.text


def test_pushes_releases_and_deployments_of_gitlab_become_changes_of_components(desk: Desk) -> None:
    project = {"path_with_namespace": "desk/gateway", "default_branch": "main"}
    push = {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "after": "e" * 40,
        "project": project,
        "commits": [{"title": "Tune limits", "modified": ["limits.yaml"], "added": [], "removed": []}],
    }
    release = {
        "object_kind": "release",
        "action": "create",
        "tag": "v3",
        "released_at": "2026-03-01 11:10:00 UTC",
        "project": project,
    }
    deployment = {
        "object_kind": "deployment",
        "status": "success",
        "status_changed_at": "2026-03-01 13:20:00 +0200",
        "environment": "prod",
        "short_sha": "eeee",
        "project": project,
    }
    for number, content in enumerate([push, release, deployment]):
        body = json.dumps(content).encode()
        for stored in (1, 0):
            answer = post(desk, "gitlab", body, sign_standard(SECRET, body, AT, f"gitlab-{number}"))
            assert answer.json()["stored"] == stored, answer.text
    told = {one.text: one for one in events(desk) if one.labels.get("sender") == "gitlab"}
    assert told["Pushed desk/gateway main eeeeeeeeeeee: Tune limits"].kind == "config_change"
    assert format_rfc3339(told["Released desk/gateway v3"].timestamp) == "2026-03-01T11:10:00Z"
    deployed = told["Deployed desk/gateway eeee to prod (success)"]
    assert format_rfc3339(deployed.timestamp) == "2026-03-01T11:20:00Z"


def test_other_programs_report_changes_one_or_many(desk: Desk) -> None:
    one = {"text": "Raised the limit of mm_btc", "kind": "config", "component": "strategy:mm_btc"}
    many = {
        "events": [{"text": "A", "repository": "desk/gateway"}, {"text": "B", "labels": {"ticket-no": "7"}}]
    }
    assert send(desk, "generic", one).json()["stored"] == 1
    assert send(desk, "generic", one).json()["known"] == 1
    assert send(desk, "generic", many, {"X-Analyst-Delivery": "many"}).json()["stored"] == 2
    told = {event.text: event for event in events(desk) if event.labels.get("sender") == "generic"}
    assert told["Raised the limit of mm_btc"].kind == "config"
    assert told["A"].labels["component"] == "gateway:bybit"
    assert told["B"].labels["ticket_no"] == "7"


@pytest.mark.parametrize(
    ("sender", "content", "field"),
    [
        ("alertmanager", {}, "alerts"),
        ("alertmanager", {"alerts": {}}, "alerts"),
        ("alertmanager", {"alerts": [7]}, "alerts.0"),
        ("alertmanager", notification(alert(status="maybe")), "alerts.0.status"),
        ("alertmanager", notification(alert(status=7)), "alerts.0.status"),  # type: ignore[arg-type]
        ("alertmanager", notification(alert(), alert(labels=[])), "alerts.1.labels"),
        ("alertmanager", notification(alert(labels={"a": 7})), "alerts.0.labels.a"),
        ("alertmanager", notification(alert(startsAt=None)), "alerts.0.startsAt"),
        ("alertmanager", notification(alert(startsAt="2026-03-01 11:40")), "alerts.0.startsAt"),
        ("alertmanager", notification(alert(startsAt="2099-01-01T00:00:00Z")), "alerts.0.startsAt"),
        ("alertmanager", notification(alert(startsAt="1969-01-01T00:00:00Z")), "alerts.0.startsAt"),
        ("alertmanager", notification(alert(annotations={"summary": "\u0000"})), "annotations"),
        ("github", {"ref": "refs/heads/main"}, "repository.full_name"),
        ("github", {"repository": [], "ref": "x"}, "repository"),
        ("github", {"repository": {"full_name": "a/b"}}, "ref"),
        ("github", {"repository": {"full_name": 7}, "ref": "x"}, "repository.full_name"),
        ("github", {**GITHUB_PUSH, "head_commit": {"message": 7}}, "head_commit.message"),
        ("github", {**GITHUB_PUSH, "commits": "many"}, "commits"),
        ("gitlab", {"object_kind": "push", "project": {}}, "project.path_with_namespace"),
        ("generic", {"kind": "deploy"}, "text"),
        ("generic", {"text": "x", "kind": "party"}, "kind"),
        ("generic", {"text": "x", "surprise": 1}, "surprise"),
        ("generic", {"text": "x", "timestamp": "2026-03-01T00:00:00"}, "timestamp"),
        ("generic", {"events": []}, "events"),
        ("generic", {"events": [{"text": "fine"}, {"text": 7}]}, "events.1.text"),
    ],
)
def test_a_body_that_cannot_be_used_names_the_field_and_stores_nothing(
    desk: Desk, sender: str, content: Any, field: str
) -> None:
    before = len(events(desk))
    answer = send(desk, sender, content, {"X-GitHub-Event": "push", "X-GitHub-Delivery": field})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["errors"][0]["field"]
    assert len(events(desk)) == before


@pytest.mark.parametrize("sender", SIGNED)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"a": 1, "a": 2}'])
def test_a_body_that_is_no_json_object_is_refused(desk: Desk, sender: str, body: bytes) -> None:
    headers = {**SIGNERS[sender](SECRET, body, AT), "X-GitHub-Event": "push"}
    answer = post(desk, sender, body, headers)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_sender_and_a_wrong_method_are_told_so(desk: Desk) -> None:
    assert desk.client.post("/hooks/pigeon", json={}).status_code == 404
    assert desk.client.get("/hooks/github").status_code == 405


def test_too_many_alerts_are_refused_whole(desk: Desk) -> None:
    answer = send(desk, "alertmanager", notification(*[alert()] * 1_001))
    assert answer.status_code == 413


def test_what_hooks_did_stands_in_the_audit_log(desk: Desk) -> None:
    send(desk, "generic", {"text": "for the record"})
    send(desk, "alertmanager", notification(alert("ForTheRecord")))
    found = desk.stores.audit.list(limit=50).items
    by_action = {entry.action: entry for entry in reversed(found)}
    assert by_action["hook.changes"].actor == "hook:generic"
    assert "for the record" in str(by_action["hook.changes"].after)
    assert by_action["hook.alerts"].actor == "hook:alertmanager"
    assert desk.stores.audit.verify().first_bad is None
