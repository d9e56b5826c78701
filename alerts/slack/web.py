"""Slack's Web API through our own HTTP door; what one caller is asked to wait, all of them wait."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from alerts.http import HttpDoor, check_answer
from alerts.receivers.slack_answers import refusal
from domain.errors import NotifyError

FORM = "application/x-www-form-urlencoded"
JSON = "application/json; charset=utf-8"


class SlackWeb:
    """Calls methods of the Web API with a bot token; may be used from several threads.

    Args:
        api_url: base of the Web API.
        token: of the bot.
        door: the HTTP door.
        moment: a monotonic clock, in seconds.
    """

    name = "slack"

    def __init__(
        self,
        api_url: str,
        token: SecretStr,
        door: HttpDoor,
        moment: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._door = door
        self._moment = moment
        self._guard = threading.Lock()
        self._closed_until = 0.0

    def ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A read: Slack's reading methods take forms, not all of them JSON. Raises NotifyError."""
        return self._post(method, urlencode(arguments).encode(), FORM)

    def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A write; raises NotifyError, `alerts.http.Unanswered` where it may have happened all the same."""
        return self._post(method, json.dumps(arguments).encode(), JSON)

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _post(self, method: str, content: bytes, kind: str) -> dict[str, Any]:
        self._keep_away()
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}", "Content-Type": kind}
        try:
            answer = self._door.post(f"{self._api_url}/{method}", content, headers)
            check_answer(self.name, answer)
            reply = answer.json_object()
            if reply.get("ok") is True:
                return reply
            raise refusal(self.name, answer, reply)
        except NotifyError as error:
            if error.retry_after is not None:
                self._wait(error.retry_after)
            raise

    def _keep_away(self) -> None:
        with self._guard:
            left = self._closed_until - self._moment()
        if left > 0:
            raise NotifyError(self.name, "asked to wait", retry_after=left)

    def _wait(self, seconds: float) -> None:
        with self._guard:
            self._closed_until = max(self._closed_until, self._moment() + seconds)
