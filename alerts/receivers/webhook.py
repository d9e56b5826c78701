"""A generic webhook: each change of an incident as signed JSON."""

import hashlib
import hmac
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from alerts.http import HttpDoor, check_answer
from alerts.notice import Notice, Updates
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.secret import read_secret
from alerts.summary import Summary
from domain.errors import ConfigurationError
from domain.timestamps import format_rfc3339

VERSION = 1
SIGNATURE_HEADER = "X-Analyst-Signature"
TIMESTAMP_HEADER = "X-Analyst-Timestamp"
KEY_HEADER = "Idempotency-Key"


class WebhookSettings(ReceiverSettings):
    """One receiver of JSON."""

    name: str = Field(pattern=r"^[A-Za-z0-9_\-]{1,60}$", description="Unique among the webhooks.")
    url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="Where to post; for one without a secret in it."
    )
    url_env: str | None = Field(default=None, description="A variable of the environment that holds the URL.")
    url_file: Path | None = Field(default=None, description="A file that holds the URL.")
    secret_env: str | None = Field(
        default=None, description="A variable of the environment that holds the secret for signatures."
    )
    secret_file: Path | None = Field(default=None, description="A file that holds the secret for signatures.")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of `timestamp.body`."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """Posts each change; `Idempotency-Key` lets the other side drop what it has already."""

    updates: Updates = "every"
    pace_s = 0.0

    def __init__(
        self, settings: WebhookSettings, timeout_s: float, allow_hosts: tuple[str, ...] = ()
    ) -> None:
        self.name = f"webhook:{settings.name}"
        key = f"alerts.webhook.{settings.name}"
        plain = SecretStr(settings.url) if settings.url else None
        url = read_secret(f"{key}.url", value=plain, file=settings.url_file, env=settings.url_env)
        if url is None:
            raise ConfigurationError(f"{key}.url", "needs a url, url_env or url_file")
        self._url = url
        self._secret = read_secret(f"{key}.secret", file=settings.secret_file, env=settings.secret_env)
        self._door = HttpDoor(self.name, timeout_s, allow_hosts)

    def notify(self, notice: Notice) -> str | None:
        """Post the notice as JSON."""
        self._post(
            {
                "version": VERSION,
                "key": notice.key,
                "reason": notice.reason,
                "possible_repeat": notice.uncertain,
                "digest": notice.digest,
                "escalation": notice.escalation,
                "fresh": list(notice.fresh),
                "incidents": [_plain(one) for one in notice.summaries],
                "sent_at": format_rfc3339(notice.now),
            },
            f"{notice.key}/{_state_of(notice)}",
            format_rfc3339(notice.now),
        )
        return None

    def check(self) -> str:
        """Nothing can be asked of an unknown service without bothering it."""
        return "configured; it can only be tried by an alert"

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def _post(self, content: dict[str, Any], key: str, timestamp: str) -> None:
        body = json.dumps(content, ensure_ascii=True).encode()
        headers = {"Content-Type": "application/json", KEY_HEADER: key, TIMESTAMP_HEADER: timestamp}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = signature(self._secret.get_secret_value().encode(), timestamp, body)
        check_answer(self.name, self._door.post(self._url.get_secret_value(), body, headers))


def _plain(summary: Summary) -> dict[str, Any]:
    content = asdict(summary)
    content["since"] = format_rfc3339(summary.since)
    for name in ("ended_at", "snoozed_until"):
        instant = content[name]
        content[name] = format_rfc3339(instant) if instant else None
    return content


def _state_of(notice: Notice) -> str:
    """Tells one state of a message from another, and is the same when the same state is sent again."""
    plain = json.dumps([_plain(one) for one in notice.summaries], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
