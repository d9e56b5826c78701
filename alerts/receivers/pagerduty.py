"""PagerDuty by its Events API v2; one PagerDuty incident per incident of ours."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator

from alerts.http import HttpDoor, check_answer
from alerts.notice import Notice, Updates
from alerts.plain import body, subject_line
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.secret import read_secret
from alerts.text import cut
from domain.anomaly import Severity
from domain.errors import NotifyError
from domain.timestamps import format_rfc3339

SEVERITIES: dict[Severity, str] = {
    "low": "info",
    "medium": "warning",
    "high": "error",
    "critical": "critical",
}
MAX_SUMMARY = 1_024
MAX_DETAILS = 20_000


class PagerDutySettings(ReceiverSettings):
    """One service of PagerDuty."""

    routing_key: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__PAGERDUTY__ROUTING_KEY."
    )
    routing_key_env: str | None = Field(default=None, description="Another variable that holds the key.")
    routing_key_file: Path | None = Field(default=None, description="A file that holds the key.")
    url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        pattern=r"^https?://\S+$",
        description="Events API.",
    )

    @model_validator(mode="after")
    def _has_a_key(self) -> "PagerDutySettings":
        if not any((self.routing_key, self.routing_key_env, self.routing_key_file)):
            raise ValueError("needs a routing key (from the environment or a file)")
        return self


class PagerDuty:
    """`dedup_key` makes sending the same state twice harmless."""

    name = "pagerduty"
    updates: Updates = "in_place"
    pace_s = 0.5

    def __init__(
        self, settings: PagerDutySettings, timeout_s: float, allow_hosts: tuple[str, ...] = ()
    ) -> None:
        key = read_secret(
            "alerts.pagerduty.routing_key",
            value=settings.routing_key,
            file=settings.routing_key_file,
            env=settings.routing_key_env,
        )
        assert key is not None  # the settings have one
        self._key = key
        self._url = settings.url
        self._door = HttpDoor(self.name, timeout_s, allow_hosts)

    def notify(self, notice: Notice) -> str | None:
        """Trigger, acknowledge or resolve."""
        if notice.remote_ref is None:
            # PagerDuty ignores the end of what it never saw begin.
            self._send(notice, "trigger")
        elif _action(notice) == "trigger":
            self._send(notice, "trigger")
        if _action(notice) != "trigger":
            self._send(notice, _action(notice))
        return notice.key

    def check(self) -> str:
        """Nothing can be asked without paging somebody."""
        return "a routing key is configured; it can only be tried by an alert"

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _send(self, notice: Notice, action: str) -> None:
        event: dict[str, Any] = {
            "routing_key": self._key.get_secret_value(),
            "event_action": action,
            "dedup_key": notice.key[:255],
        }
        if action == "trigger":
            first = max(notice.summaries, key=lambda one: list(SEVERITIES).index(one.severity))
            event["payload"] = {
                "summary": cut(subject_line(notice), MAX_SUMMARY),
                "source": "llm-analyst",
                "severity": SEVERITIES[first.severity],
                "timestamp": format_rfc3339(first.since),
                "custom_details": {"text": cut(body(notice, marked=False), MAX_DETAILS)},
            }
            event["links"] = [{"href": notice.summaries[0].url, "text": "Open in dashboard"}]
        headers = {"Content-Type": "application/json"}
        answer = self._door.post(self._url, json.dumps(event).encode(), headers)
        if answer.status == 400:
            raise NotifyError(
                self.name, "HTTP 400: the event or the routing key is not accepted", permanent=True
            )
        check_answer(self.name, answer)


def _action(notice: Notice) -> str:
    states = {one.status for one in notice.summaries}
    if states == {"resolved"}:
        return "resolve"
    return "acknowledge" if "open" not in states else "trigger"
