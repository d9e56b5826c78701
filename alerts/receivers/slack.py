"""Slack, by the Web API with a bot token (edits in place, never doubles) or by an incoming webhook."""

import json
import time
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from alerts.blocks import fallback, render
from alerts.http import Answer, HttpDoor, Unanswered, check_answer
from alerts.notice import Notice, Updates
from alerts.receivers.slack_answers import (
    EVENT_TYPE,
    GONE,
    UNSHOWABLE,
    SlackRefused,
    error_word,
    key_of,
)
from alerts.slack.settings import SlackSettings, bot_token, webhook_url
from alerts.slack.web import SlackWeb
from domain.errors import NotifyError

HISTORY_PAGES = 5


def slack_receiver(
    settings: SlackSettings,
    timeout_s: float,
    allow_hosts: tuple[str, ...] = (),
    moment: Callable[[], float] = time.monotonic,
) -> "SlackBot | SlackWebhook":
    """The receiver that the settings ask for; raises ConfigurationError where a secret cannot be read.

    Args:
        settings: the section.
        timeout_s: deadline of one call.
        allow_hosts: private hosts that may be called.
        moment: the monotonic clock that a wait Slack asks for is measured in.
    """
    door = HttpDoor("slack", timeout_s, allow_hosts)
    token = bot_token(settings)
    if token is not None:
        return SlackBot(settings, SlackWeb(settings.api_url, token, door, moment))
    url = webhook_url(settings)
    assert url is not None  # the settings have one of the two
    return SlackWebhook(settings, url, door)


class SlackBot:
    """One message per notice, found again by its metadata and edited in place."""

    updates: Updates = "in_place"
    pace_s = 1.0

    def __init__(self, settings: SlackSettings, web: SlackWeb, channel: str | None = None) -> None:
        """`channel` is another channel than the configured one; such a receiver is named after it."""
        self.name = "slack" if channel is None else f"slack:{channel}"
        self.web = web
        self._settings = settings
        self._channel = channel or settings.channel or ""
        self._channel_id: str | None = None

    def in_channel(self, channel: str) -> "SlackBot":
        """The same bot for another channel; what Slack asks one to wait, both wait."""
        return SlackBot(self._settings, self.web, channel)

    def notify(self, notice: Notice) -> str | None:
        """Edit the message if there is one, look for it if there may be one, else post it."""
        message = self._message(notice)
        ref = notice.remote_ref
        if ref is None and notice.uncertain:
            ref = self._find(notice.key)
        if ref is not None:
            try:
                self._update(ref, message)
                self._announce(ref, notice)
                return ref  # noqa: TRY300 - the edit and the answer below it succeed or fail together
            except SlackRefused as refused:
                if refused.error not in GONE:
                    raise
        return self._post(message)

    def check(self) -> str:
        """Ask Slack who the token belongs to; nothing is posted."""
        answer = self.web.ask("auth.test", {})
        return f"signed in as {answer.get('user', 'a bot')}, alerts go to {self._channel}"

    def close(self) -> None:
        """Close the connections."""
        self.web.close()

    def _message(self, notice: Notice) -> dict[str, Any]:
        return {
            **render(notice, marked=False, buttons=self._settings.shows_buttons()),
            **labelled(notice.key),
        }

    def _post(self, message: dict[str, Any]) -> str:
        answer = self._send("chat.postMessage", {"channel": self._channel, **message})
        channel, ts = str(answer.get("channel") or self._channel), answer.get("ts")
        if not isinstance(ts, str):
            raise Unanswered(self.name, "took the message but did not say where it is")
        self._channel_id = channel
        return f"{channel}:{ts}"

    def _update(self, ref: str, message: dict[str, Any]) -> None:
        channel, _, ts = ref.rpartition(":")
        self._send("chat.update", {"channel": channel, "ts": ts, **message})

    def _announce(self, ref: str, notice: Notice) -> None:
        """Say aloud that an incident turned critical, once."""
        worst = notice.summaries[0].severity == "critical" and notice.reason == "severity_rose"
        key = f"{notice.key}/critical"
        if not (self._settings.announce_critical and worst) or (notice.uncertain and self._find(key)):
            return
        channel, _, ts = ref.rpartition(":")
        answer = {"thread_ts": ts, "reply_broadcast": True, "text": fallback(notice, marked=False)}
        self.web.call("chat.postMessage", {"channel": channel, **answer, **labelled(key)})

    def _send(self, method: str, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.web.call(method, message)
        except SlackRefused as refused:
            if refused.error not in UNSHOWABLE:
                raise
        # A message without its blocks is better than none.
        return self.web.call(method, {key: value for key, value in message.items() if key != "blocks"})

    def _find(self, key: str) -> str | None:
        """Where the message with this key is, if Slack took it; raises NotifyError where Slack cannot say."""
        channel = self._channel_id or self._look_up_channel()
        cursor = ""
        for _ in range(HISTORY_PAGES):
            query = {"channel": channel, "limit": 200, "include_all_metadata": "true"}
            answer = self.web.ask("conversations.history", {**query, "cursor": cursor} if cursor else query)
            for one in answer.get("messages") or ():
                if key_of(one) == key:
                    return f"{channel}:{one.get('ts')}"
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return None

    def _look_up_channel(self) -> str:
        """The id behind a channel's name; history and edits take ids only."""
        if not self._channel.startswith("#"):
            return self._channel
        cursor, wanted = "", self._channel.removeprefix("#")
        for _ in range(HISTORY_PAGES * 4):
            query = {"limit": 200, "exclude_archived": "true", "types": "public_channel,private_channel"}
            answer = self.web.ask("conversations.list", {**query, "cursor": cursor} if cursor else query)
            for one in answer.get("channels") or ():
                if one.get("name") == wanted:
                    self._channel_id = str(one.get("id"))
                    return self._channel_id
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        raise NotifyError(self.name, "channel_not_found: configure the channel by its id", permanent=True)


class SlackWebhook:
    """A new message for each notice; one that may be a repeat says so."""

    name = "slack"
    updates: Updates = "important"
    pace_s = 1.0

    def __init__(self, settings: SlackSettings, url: SecretStr, door: HttpDoor) -> None:
        self._settings = settings
        self._url = url
        self._door = door

    def notify(self, notice: Notice) -> str | None:
        """Post; there is nothing to look up or edit."""
        message = render(notice, marked=notice.uncertain, buttons=self._settings.shows_buttons())
        answer = self._post({**message, "unfurl_links": False, "unfurl_media": False})
        if answer.status == 400 and answer.text() in UNSHOWABLE:
            answer = self._post({"text": message["text"], "unfurl_links": False})
        if 400 <= answer.status < 500 and answer.status != 429:
            raise NotifyError(self.name, error_word(answer.text()) or f"HTTP {answer.status}", permanent=True)
        check_answer(self.name, answer)
        return None

    def check(self) -> str:
        """A webhook can only be tried by posting."""
        return "a webhook is configured; it can only be tried by an alert"

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _post(self, message: dict[str, Any]) -> Answer:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return self._door.post(self._url.get_secret_value(), json.dumps(message).encode(), headers)


def labelled(key: str) -> dict[str, Any]:
    """What every message of the bot has: its key, and nothing that Slack would add by itself."""
    return {
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
    }
