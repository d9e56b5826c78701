"""A running service with an incident in its Slack, and people there who press, ask and command."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from desk_history import LATENCY_RULE, STRATEGY, day
from fake_slack import APP_TOKEN, CHANNEL, TOKEN, FakeSlack, fake_slack
from service_process import ServiceProcess, eventually, write_config
from slack_sdk.signature import SignatureVerifier

from alerts.slack.signature import sign

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
OPERATOR, MEMBER, VIEWER = "U0OPERATOR", "U0MEMBER", "U0VIEWER"
GROUP = "S0TRADERS"
BOT = "U0ANALYST"
_numbers = count(1)


@dataclass
class SlackDesk:
    """The service, the fake Slack, and the client that Slack itself would be."""

    process: ServiceProcess
    slack: FakeSlack
    client: httpx2.Client
    database: str
    answers: list[httpx2.Response] = field(default_factory=list)

    def send(self, road: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """POST a body, signed by Slack's own signer unless headers say otherwise."""
        kind = "application/json" if road == "events" else "application/x-www-form-urlencoded"
        signed = signed_headers(body) if headers is None else headers
        answer = self.client.post(f"/slack/{road}", content=body, headers={"Content-Type": kind, **signed})
        self.answers.append(answer)
        return answer

    def event(self, event: Mapping[str, Any], event_id: str | None = None) -> httpx2.Response:
        """An event of the Events API, as Slack wraps it."""
        return self.send("events", event_body(event, event_id))

    def press(self, element: Mapping[str, Any], user: str = OPERATOR, **changes: Any) -> httpx2.Response:
        """Press a button of the incident's message, or choose from its list."""
        return self.send("interactions", interaction_body(pressed(self, element, user, **changes)))

    def command(self, text: str, user: str = OPERATOR, channel: str = CHANNEL) -> httpx2.Response:
        """Type `/analyst TEXT`."""
        return self.send("commands", command_body(self.slack, text, user, channel))

    def whispered(self, text: str, user: str = OPERATOR, channel: str = CHANNEL) -> dict[str, Any]:
        """The answer to a command, whichever way it comes."""
        before = len(self.slack.whispers)
        answer = self.command(text, user, channel)
        assert answer.status_code == 200, answer.text
        if answer.content:
            return dict(answer.json())
        eventually(lambda: len(self.slack.whispers) > before, 30, "no answer to a command")
        return self.slack.whispers[-1]

    def message(self) -> dict[str, Any]:
        """The incident's message as it stands in the channel."""
        return next(one for one in self.slack.posts() if "thread_ts" not in one)

    def element(self, action: str) -> dict[str, Any]:
        """A button or list of the incident's message."""
        actions = [block for block in self.message()["blocks"] if block["type"] == "actions"]
        found = [one for block in actions for one in block["elements"] if one["action_id"] == action]
        assert found, f"the message has no {action}"
        return dict(found[0])

    def judged(self, action: str) -> dict[str, Any]:
        """A button that judges the diagnosis, once the message shows the newest one."""
        newest = self.incident()["diagnosis_id"]
        eventually(lambda: self.element(action)["value"] == newest, 20, "the message is behind")
        return self.element(action)

    def incident(self) -> dict[str, Any]:
        """The incident, over REST."""
        items = self.process.get("/api/v1/incidents")["items"]
        return dict(next(one for one in items if one["id"] == self.element("incident.open")["value"]))

    def reply_in(self, ts: str, at_least: int = 1) -> list[dict[str, Any]]:
        """The bot's answers in a thread, once there are so many."""
        eventually(lambda: len(self.slack.thread(ts)) >= at_least, 30, "no answer in the thread")
        return self.slack.thread(ts)


def signed_headers(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """What Slack's own signer makes of a body."""
    stamp = str(int(time.time() if at is None else at))
    text = body.decode("utf-8", "surrogateescape")
    if text.isprintable():
        signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=text)
    else:  # Slack's signer takes text only
        signature = sign(secret.encode(), stamp, body)
    assert signature is not None
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}


def event_body(event: Mapping[str, Any], event_id: str | None = None) -> bytes:
    wrapped = {
        "token": "legacy",
        "team_id": "T0",
        "api_app_id": "A0",
        "type": "event_callback",
        "event_id": event_id or f"Ev{next(_numbers)}",
        "event_time": int(time.time()),
        "authorizations": [{"team_id": "T0", "user_id": BOT, "is_bot": True}],
        "event": dict(event),
    }
    return json.dumps(wrapped).encode()


def mention(text: str, thread: str = "", user: str = VIEWER) -> dict[str, Any]:
    """Somebody mentions the bot."""
    event = {"type": "app_mention", "user": user, "text": f"<@{BOT}> {text}", "channel": CHANNEL}
    stamp = f"1800000000.{next(_numbers):06d}"
    return {**event, "ts": stamp, **({"thread_ts": thread} if thread else {})}


def reply(text: str, thread: str, user: str = VIEWER) -> dict[str, Any]:
    """Somebody writes in a thread."""
    stamp = f"1800000000.{next(_numbers):06d}"
    event = {"type": "message", "channel_type": "channel", "user": user, "text": text, "channel": CHANNEL}
    return {**event, "ts": stamp, "thread_ts": thread}


def pressed(desk: SlackDesk, element: Mapping[str, Any], user: str, **changes: Any) -> dict[str, Any]:
    action = {"type": element["type"], "action_id": element["action_id"], "action_ts": "1.1"}
    if element["type"] == "static_select":
        action["selected_option"] = element["options"][0]
    else:
        action["value"] = element.get("value", "")
    ts = desk.message()["ts"]
    payload = {
        "type": "block_actions",
        "token": "legacy",
        "user": {"id": user, "username": "someone", "name": "someone"},
        "channel": {"id": CHANNEL, "name": "alerts"},
        "container": {"type": "message", "message_ts": ts, "channel_id": CHANNEL},
        "message": {"ts": ts},
        "trigger_id": f"trigger.{next(_numbers)}",
        "response_url": desk.slack.response_url,
        "actions": [action],
    }
    return {**payload, **changes}


def interaction_body(payload: Mapping[str, Any]) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def command_body(slack: FakeSlack, text: str, user: str, channel: str = CHANNEL) -> bytes:
    return urlencode(
        {
            "token": "legacy",
            "command": "/analyst",
            "text": text,
            "user_id": user,
            "user_name": "someone",
            "channel_id": channel,
            "response_url": slack.response_url,
            "trigger_id": f"trigger.{next(_numbers)}",
        }
    ).encode()


def submitted(view: Mapping[str, Any], cause: str, comment: str, user: str = OPERATOR) -> dict[str, Any]:
    """Somebody fills in the window and sends it off."""
    state = {
        "cause": {"input": {"type": "static_select", "selected_option": {"value": cause}}},
        "comment": {"input": {"type": "plain_text_input", "value": comment}},
    }
    sent = {**view, "id": "V1", "hash": "1.a", "state": {"values": state}}
    return {
        "type": "view_submission",
        "user": {"id": user},
        "trigger_id": f"trigger.{next(_numbers)}",
        "view": sent,
    }


def text_of(message: Mapping[str, Any]) -> str:
    """All that a reader sees of a message."""
    parts: list[str] = []
    for block in message.get("blocks", ()):
        for one in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            inner = one.get("text") if isinstance(one, dict) else None
            parts.append(str(inner.get("text") if isinstance(inner, dict) else inner or ""))
    return "\n".join(part for part in parts if part)


def sections(slack: FakeSlack, lines: Sequence[str] = ()) -> str:
    more = "\n".join(lines)
    return f"""
[alerts]
allow_hosts = ["127.0.0.1"]
dashboard_url = "https://analyst.desk.example"
{more}
[alerts.slack]
channel = "{CHANNEL}"
api_url = "{slack.api_url}"
operators = ["{OPERATOR}", "{GROUP}"]
"""


@contextmanager
def slack_desk(
    folder: Path, database: str, lines: Sequence[str] = (), *, socket: str = "", told: bool = True
) -> Iterator[SlackDesk]:
    """A service whose first incident was told; with a socket's address it listens there instead."""
    with fake_slack() as slack:
        slack.groups[GROUP] = [MEMBER]
        slack.socket_url = socket
        config = write_config(folder, [LATENCY_RULE, STRATEGY, sections(slack, lines)], url=database)
        environ = {"ANALYST_ALERTS__SLACK__BOT_TOKEN": TOKEN}
        if socket:
            environ["ANALYST_ALERTS__SLACK__APP_TOKEN"] = APP_TOKEN
        else:
            environ["ANALYST_ALERTS__SLACK__SIGNING_SECRET"] = SECRET
        with (
            ServiceProcess("serve", "--config", str(config), environ=environ) as process,
            httpx2.Client(base_url=process.url, timeout=10) as client,
        ):
            desk = SlackDesk(process, slack, client, database)
            if told:
                tell_an_incident(desk)
            yield desk


def tell_an_incident(desk: SlackDesk) -> None:
    """Push a day that ends badly, and wait for the message with its diagnosis."""
    samples = day(datetime.now(UTC).replace(microsecond=0))
    desk.process.post("/api/v1/samples", {"samples": samples})
    desk.process.post("/api/v1/cycles")
    eventually(lambda: desk.slack.posts() and "Likely cause" in text_of(desk.message()), 60, "nothing told")
