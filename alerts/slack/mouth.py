"""How we answer in Slack: in a thread, to one person alone, or with a window."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from alerts.http import HttpDoor, Unanswered, check_answer
from alerts.receivers.slack_answers import EVENT_TYPE, SlackRefused, key_of
from alerts.slack.web import JSON, SlackWeb
from domain.errors import NotifyError

_SLACK_HOSTS = (".slack.com", ".slack-gov.com")
# A modal's trigger lasts three seconds; these say that it is over.
EXPIRED = frozenset({"expired_trigger_id", "trigger_expired", "exchanged_trigger_id", "invalid_trigger_id"})
REPLY_PAGES = 3


class SlackMouth:
    """Sends answers.

    Args:
        web: the Web API; None where only an incoming webhook is configured.
        door: for answers to one person, which go to an address that Slack named.
        api_url: base of the Web API, whose host may be named as well.
    """

    def __init__(self, web: SlackWeb | None, door: HttpDoor, api_url: str) -> None:
        self._web = web
        self._door = door
        self._own = urlsplit(api_url)[:2]

    @property
    def has_bot(self) -> bool:
        """Whether threads and windows are open to us."""
        return self._web is not None

    def reply(self, channel: str, thread: str, message: Mapping[str, Any], key: str) -> None:
        """Answer in a thread; raises NotifyError."""
        if self._web is None:
            raise NotifyError("slack", "answers in threads need a bot token", permanent=True)
        label = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
        quiet = {"unfurl_links": False, "unfurl_media": False, "parse": "none", "link_names": False}
        place = {"channel": channel, "thread_ts": thread, "metadata": label}
        self._web.call("chat.postMessage", {**message, **place, **quiet})

    def replied(self, channel: str, thread: str, key: str) -> bool:
        """Whether the answer with this key stands in the thread; raises NotifyError."""
        if self._web is None:
            return False
        cursor = ""
        for _ in range(REPLY_PAGES):
            query = {"channel": channel, "ts": thread, "limit": 200, "include_all_metadata": "true"}
            answer = self._web.ask("conversations.replies", {**query, "cursor": cursor} if cursor else query)
            if any(key_of(one) == key for one in answer.get("messages") or ()):
                return True
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return False

    def whisper(self, response_url: str, message: Mapping[str, Any]) -> None:
        """Answer so that only the person who asked sees it; raises NotifyError."""
        parts = urlsplit(response_url)
        host = (parts.hostname or "").lower()
        slacks = parts.scheme == "https" and f".{host}".endswith(_SLACK_HOSTS)
        if not slacks and parts[:2] != self._own:
            raise NotifyError("slack", "the address for the answer is not Slack's", permanent=True)
        body = {"response_type": "ephemeral", "replace_original": False, **message}
        headers = {"Content-Type": JSON}
        check_answer("slack", self._door.post(response_url, json.dumps(body).encode(), headers))

    def whisper_in(self, channel: str, user: str, thread: str, message: Mapping[str, Any]) -> None:
        """The same where Slack named no address, such as after a window; raises NotifyError."""
        if self._web is not None:
            place = {"channel": channel, "user": user, **({"thread_ts": thread} if thread else {})}
            self._web.call("chat.postEphemeral", {**message, **place})

    def open_window(self, trigger: str, view: Mapping[str, Any]) -> bool:
        """Open a modal; false where the moment for it is over. Raises NotifyError."""
        if self._web is None:
            return False
        try:
            self._web.call("views.open", {"trigger_id": trigger, "view": view})
        except SlackRefused as refused:
            if refused.error in EXPIRED:
                return False
            raise
        except Unanswered:
            return True  # it may well stand open
        return True

    def workspaces(self) -> frozenset[str]:
        """The bot's workspace, and the organisation that it belongs to; raises NotifyError."""
        if self._web is None:
            return frozenset()
        answer = self._web.ask("auth.test", {})
        return frozenset(str(answer[name]) for name in ("team_id", "enterprise_id") if answer.get(name))

    def members(self, group: str) -> frozenset[str]:
        """The users of a user group; raises NotifyError."""
        if self._web is None:
            return frozenset()
        answer = self._web.ask("usergroups.users.list", {"usergroup": group})
        return frozenset(str(one) for one in answer.get("users") or ())

    def close(self) -> None:
        """Close the connections of answers; those of the Web API belong to the receiver."""
        self._door.close()
