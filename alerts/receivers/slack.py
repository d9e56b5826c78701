"""Slack, by the Web API with a bot token (edits in place, never doubles) or by an incoming webhook."""

import json
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from pydantic import Field, SecretStr, model_validator

from alerts.blocks import fallback, render
from alerts.http import Answer, HttpDoor, Unanswered, check_answer
from alerts.notice import Notice, Receiver, Updates
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.secret import read_secret
from alerts.receivers.slack_answers import (
    EVENT_TYPE,
    GONE,
    UNSHOWABLE,
    SlackRefused,
    error_word,
    key_of,
    refusal,
)
from domain.errors import NotifyError

HISTORY_PAGES = 5


class SlackSettings(ReceiverSettings):
    """Either a bot token with a channel, or an incoming webhook."""

    channel: str | None = Field(
        default=None, max_length=200, description="Channel for the bot, best by its id (`C0123456789`)."
    )
    bot_token: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__SLACK__BOT_TOKEN."
    )
    bot_token_env: str | None = Field(default=None, description="Another variable that holds the bot token.")
    bot_token_file: Path | None = Field(default=None, description="A file that holds the bot token.")
    webhook_url: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__SLACK__WEBHOOK_URL."
    )
    webhook_url_env: str | None = Field(
        default=None, description="Another variable that holds the webhook's URL."
    )
    webhook_url_file: Path | None = Field(default=None, description="A file that holds the webhook's URL.")
    signing_secret: SecretStr | None = Field(
        default=None, description="Only from the environment; checks what Slack sends to `/slack/...`."
    )
    signing_secret_env: str | None = Field(default=None, description="Another variable that holds it.")
    signing_secret_file: Path | None = Field(default=None, description="A file that holds it.")
    api_url: str = Field(
        default="https://slack.com/api/", pattern=r"^https?://\S+$", description="Base of the Web API."
    )
    buttons: bool | None = Field(
        default=None, description="Show buttons; by default where a signing secret lets them be answered."
    )
    announce_critical: bool = Field(
        default=False,
        description="Answer in the thread, shown in the channel, when an incident turns critical.",
    )

    def shows_buttons(self) -> bool:
        """Whether somebody answers them."""
        signed = any((self.signing_secret, self.signing_secret_env, self.signing_secret_file))
        return signed if self.buttons is None else self.buttons

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        bot = any((self.bot_token, self.bot_token_env, self.bot_token_file))
        hook = any((self.webhook_url, self.webhook_url_env, self.webhook_url_file))
        if bot == hook:
            raise ValueError("needs either a bot token or a webhook URL (from the environment or a file)")
        if bot and not self.channel:
            raise ValueError("the bot needs a `channel`")
        return self


def slack_receiver(settings: SlackSettings, timeout_s: float, allow_hosts: tuple[str, ...] = ()) -> Receiver:
    """The receiver that the settings ask for; raises ConfigurationError where a secret cannot be read."""
    door = HttpDoor("slack", timeout_s, allow_hosts)
    token = read_secret(
        "alerts.slack.bot_token",
        value=settings.bot_token,
        file=settings.bot_token_file,
        env=settings.bot_token_env,
    )
    if token is not None:
        return SlackBot(settings, token, door)
    url = read_secret(
        "alerts.slack.webhook_url",
        value=settings.webhook_url,
        file=settings.webhook_url_file,
        env=settings.webhook_url_env,
    )
    assert url is not None  # the settings have one of the two
    return SlackWebhook(settings, url, door)


def signing_secret(settings: SlackSettings) -> SecretStr | None:
    """What signs Slack's calls to us; None where nobody is meant to call."""
    return read_secret(
        "alerts.slack.signing_secret",
        value=settings.signing_secret,
        file=settings.signing_secret_file,
        env=settings.signing_secret_env,
    )


class SlackBot:
    """One message per notice, found again by its metadata and edited in place."""

    name = "slack"
    updates: Updates = "in_place"
    pace_s = 1.0

    def __init__(self, settings: SlackSettings, token: SecretStr, door: HttpDoor) -> None:
        self._settings = settings
        self._token = token
        self._door = door
        self._channel = settings.channel or ""
        self._channel_id: str | None = None

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
        answer = self._ask("auth.test", {})
        return f"signed in as {answer.get('user', 'a bot')}, alerts go to {self._channel}"

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _message(self, notice: Notice) -> dict[str, Any]:
        return {
            **render(notice, marked=False, buttons=self._settings.shows_buttons()),
            **_labelled(notice.key),
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
        self._call("chat.postMessage", {"channel": channel, **answer, **_labelled(key)})

    def _send(self, method: str, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._call(method, message)
        except SlackRefused as refused:
            if refused.error not in UNSHOWABLE:
                raise
        # A message without its blocks is better than none.
        return self._call(method, {key: value for key, value in message.items() if key != "blocks"})

    def _find(self, key: str) -> str | None:
        """Where the message with this key is, if Slack took it; raises NotifyError where Slack cannot say."""
        channel = self._channel_id or self._look_up_channel()
        cursor = ""
        for _ in range(HISTORY_PAGES):
            query = {"channel": channel, "limit": 200, "include_all_metadata": "true"}
            answer = self._ask("conversations.history", {**query, "cursor": cursor} if cursor else query)
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
            answer = self._ask("conversations.list", {**query, "cursor": cursor} if cursor else query)
            for one in answer.get("channels") or ():
                if one.get("name") == wanted:
                    self._channel_id = str(one.get("id"))
                    return self._channel_id
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        raise NotifyError(self.name, "channel_not_found: configure the channel by its id", permanent=True)

    def _ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A read: Slack's reading methods take forms, not all of them JSON."""
        return self._post_to(method, urlencode(arguments).encode(), "application/x-www-form-urlencoded")

    def _call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._post_to(method, json.dumps(arguments).encode(), "application/json; charset=utf-8")

    def _post_to(self, method: str, content: bytes, kind: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}", "Content-Type": kind}
        answer = self._door.post(f"{self._settings.api_url.rstrip('/')}/{method}", content, headers)
        check_answer(self.name, answer)
        reply = answer.json_object()
        if reply.get("ok") is True:
            return reply
        raise refusal(self.name, answer, reply)


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


def _labelled(key: str) -> dict[str, Any]:
    """What every message of the bot has: its key, and nothing that Slack would add by itself."""
    return {
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
    }
