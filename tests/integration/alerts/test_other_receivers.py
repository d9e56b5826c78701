"""Webhooks, email and PagerDuty over real sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alert_cases import NOW, anomaly, diagnosis, incident, story
from fake_mail import FakeMail, fake_mail
from pydantic import SecretStr

from alerts.http import Unanswered, retry_after
from alerts.notice import Notice
from alerts.outbox import Story
from alerts.receivers.email import Email, EmailSettings
from alerts.receivers.pagerduty import PagerDuty, PagerDutySettings
from alerts.receivers.webhook import (
    KEY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Webhook,
    WebhookSettings,
    signature,
)
from alerts.summary import summarise
from domain.errors import ConfigurationError, NotifyError

HOSTS = ("127.0.0.1",)


@dataclass
class Sink:
    """A server that keeps what it was sent and answers as told."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def sink() -> Iterator[Sink]:
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kept.requests.append((dict(self.headers.items()), body))
            self.send_response(kept.status)
            for name, value in {"Content-Length": "0", **kept.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def inbox() -> Iterator[Sink]:
    with sink() as one:
        yield one


def notice(one: Story | None = None, **changes: Any) -> Notice:
    told = one or Story(incident(diagnosis_id="D-1"), (anomaly(),), diagnosis())
    summary = summarise(told, "http://desk.example")
    base = Notice("incident:I-1@x", "grew", (summary,), ("I-1",), None, None, uncertain=False, now=NOW)
    return replace(base, **changes)


@contextmanager
def webhook(inbox: Sink, **changes: Any) -> Iterator[Webhook]:
    one = Webhook(WebhookSettings(name="ops", url=inbox.url, **changes), 2, HOSTS)
    try:
        yield one
    finally:
        one.close()


def test_a_webhook_gets_signed_json_that_it_can_tell_apart(
    inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_SECRET", "s3cret")
    with webhook(inbox, secret_env="OPS_SECRET") as receiver:
        receiver.notify(notice())
        receiver.notify(notice(uncertain=True))
        receiver.notify(notice(story(status="resolved", ended_at=NOW)))
    (headers, body), (again, _), (resolved, _) = inbox.requests
    expected = signature(b"s3cret", headers[TIMESTAMP_HEADER], body)
    assert headers[SIGNATURE_HEADER] == expected
    assert headers[KEY_HEADER] == again[KEY_HEADER] != resolved[KEY_HEADER]
    first, second, _ = inbox.json()
    assert first["incidents"][0]["cause"]["title"] == "Gateway to bybit is slow"
    assert first["incidents"][0]["since"] == "2026-03-02T11:35:00Z"
    assert (first["possible_repeat"], second["possible_repeat"]) == (False, True)


@pytest.mark.parametrize(
    ("status", "permanent", "unanswered"),
    [(404, True, False), (401, True, False), (302, True, False), (409, False, False), (500, False, True)],
)
def test_a_webhooks_status_says_whether_trying_again_can_help(
    inbox: Sink, status: int, permanent: bool, unanswered: bool
) -> None:
    inbox.status, inbox.headers = status, {"Location": inbox.url}
    with webhook(inbox) as receiver, pytest.raises(NotifyError) as caught:
        receiver.notify(notice())
    assert caught.value.permanent is permanent
    assert isinstance(caught.value, Unanswered) is unanswered
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17.0), ("0", 1.0), ("soon", 30.0), ("1e999", 86_400.0)]
)
def test_a_webhooks_retry_after_is_understood(inbox: Sink, header: str, seconds: float) -> None:
    inbox.status, inbox.headers = 429, {"Retry-After": header}
    with webhook(inbox) as receiver, pytest.raises(NotifyError) as caught:
        receiver.notify(notice())
    assert caught.value.retry_after == seconds


def test_a_retry_after_may_be_a_date() -> None:
    date, later = "Mon, 02 Mar 2026 12:00:00 GMT", "Mon, 02 Mar 2026 12:02:00 GMT"
    assert retry_after({"date": date, "retry-after": later}) == 120
    assert retry_after({"retry-after": later}, NOW) == 120


def test_a_webhook_without_an_address_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"alerts\.webhook\.ops\.url"):
        Webhook(WebhookSettings(name="ops"), 2)
    with pytest.raises(ConfigurationError, match="NO_SUCH_VARIABLE"):
        Webhook(WebhookSettings(name="ops", url_env="NO_SUCH_VARIABLE"), 2)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "http://[::1]:9/x",
        "http://localhost:9/x",
        "http://169.254.169.254/latest/meta-data",
        "http://0x7f000001/x",
        "http://2130706433/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://10.1.2.3/x",
        "http://0.0.0.0:9/x",
    ],
)
def test_private_addresses_are_not_called_unless_they_are_allowed(url: str) -> None:
    receiver = Webhook(WebhookSettings(name="ops", url=url), 2)
    with pytest.raises(NotifyError) as caught:
        receiver.notify(notice())
    assert caught.value.permanent
    assert "alerts.allow_hosts" in caught.value.reason
    receiver.close()


def test_an_address_that_nobody_answers_is_tried_again() -> None:
    with sink() as gone:
        url = gone.url
    receiver = Webhook(WebhookSettings(name="ops", url=url), 2, HOSTS)
    with pytest.raises(NotifyError) as caught:
        receiver.notify(notice())
    assert not caught.value.permanent
    assert not isinstance(caught.value, Unanswered)
    assert url not in str(caught.value)
    receiver.close()


@pytest.fixture
def pager(inbox: Sink) -> Iterator[PagerDuty]:
    one = PagerDuty(PagerDutySettings(routing_key=SecretStr("R0UTE"), url=inbox.url), 2, HOSTS)
    yield one
    one.close()


def test_pagerduty_sees_one_incident_begin_be_acknowledged_and_end(inbox: Sink, pager: PagerDuty) -> None:
    ref = pager.notify(notice())
    pager.notify(notice(story(status="acknowledged"), remote_ref=ref))
    pager.notify(notice(story(status="resolved"), remote_ref=ref))
    sent = inbox.json()
    assert [one["event_action"] for one in sent] == ["trigger", "acknowledge", "resolve"]
    assert {one["dedup_key"] for one in sent} == {"incident:I-1@x"}
    assert sent[0]["payload"]["severity"] == "error"
    assert sent[0]["links"][0]["href"] == "http://desk.example/incidents/I-1"


def test_pagerduty_is_told_of_what_resolved_before_it_could_be_sent(inbox: Sink, pager: PagerDuty) -> None:
    pager.notify(notice(story(status="resolved")))
    assert [one["event_action"] for one in inbox.json()] == ["trigger", "resolve"]


def test_a_refused_routing_key_is_for_a_person_to_repair(inbox: Sink, pager: PagerDuty) -> None:
    inbox.status = 400
    with pytest.raises(NotifyError) as caught:
        pager.notify(notice())
    assert caught.value.permanent
    assert "R0UTE" not in str(caught.value)


@pytest.fixture
def post() -> Iterator[FakeMail]:
    with fake_mail() as one:
        yield one


def email(post: FakeMail) -> Email:
    return Email(
        EmailSettings(
            host="127.0.0.1",
            port=post.port,
            security="none",
            sender="analyst@desk.example",
            recipients=("a@desk.example", "b@desk.example"),
        ),
        2,
    )


def test_a_mail_has_the_facts_and_threads_with_the_incidents_other_mails(post: FakeMail) -> None:
    email(post).notify(notice())
    email(post).notify(notice(story(status="resolved", ended_at=NOW)))
    first, second = (message_from_bytes(one, policy=policy.default) for one in post.mails)
    assert first["Subject"].startswith("[high] I-1 Order acknowledgements slow on venue1, -$41,200")
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    body = first.get_body()
    assert body is not None
    assert "Likely cause: Gateway to bybit is slow" in body.get_content()


def test_a_title_cannot_add_headers_to_a_mail(post: FakeMail) -> None:
    email(post).notify(notice(story(title="x\r\nBcc: evil@evil.example")))
    mail = message_from_bytes(post.mails[0], policy=policy.default)
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    ("errors", "permanent"),
    [({"MAIL": "451 later"}, False), ({"MAIL": "550 no"}, True), ({"RCPT": "550 unknown"}, True)],
)
def test_a_mail_servers_answer_says_whether_trying_again_can_help(
    post: FakeMail, errors: dict[str, str], permanent: bool
) -> None:
    post.errors.update(errors)
    with pytest.raises(NotifyError) as caught:
        email(post).notify(notice())
    assert caught.value.permanent is permanent


def test_a_mail_whose_answer_is_lost_may_have_been_taken(post: FakeMail) -> None:
    post.errors["BODY"] = ""
    with pytest.raises(Unanswered):
        email(post).notify(notice())


def test_secrets_are_read_from_files(inbox: Sink, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{inbox.url}\n", encoding="utf-8")
    receiver = Webhook(WebhookSettings(name="ops", url_file=tmp_path / "url"), 2, HOSTS)
    receiver.notify(notice())
    assert len(inbox.requests) == 1
    receiver.close()


def test_an_address_without_a_road_to_it_does_not_hide_the_next_one(
    inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def two_addresses(host: str, port: int, *args: Any, **more: Any) -> Any:
        if host != "desk.example":
            return resolve(host, port, *args, **more)
        return resolve("::1", port, **more) + resolve("127.0.0.1", port, **more)

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    url = inbox.url.replace("127.0.0.1", "desk.example")
    receiver = Webhook(WebhookSettings(name="ops", url=url), 2, ("desk.example",))
    receiver.notify(notice())
    assert inbox.requests[0][0]["Host"].startswith("desk.example:")
    receiver.close()


def test_a_name_that_leads_to_a_private_address_is_not_called(
    inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, port, **more: resolve("127.0.0.1", port, **more))
    receiver = Webhook(WebhookSettings(name="ops", url=inbox.url.replace("127.0.0.1", "evil.example")), 2)
    with pytest.raises(NotifyError, match="not public"):
        receiver.notify(notice())
    assert not inbox.requests
    receiver.close()
