"""The configuration of alerts: what is refused, in words, and what the defaults are."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from alerts.policy import Reason
from alerts.receivers.configured import build_receivers, build_targets
from alerts.receivers.email import EmailSettings
from alerts.receivers.pagerduty import PagerDutySettings
from alerts.receivers.webhook import WebhookSettings
from alerts.settings import AlertSettings, Maintenance, QuietHours
from alerts.slack.settings import SlackSettings

DOCUMENT = (Path(__file__).parents[3] / "docs/alerts.md").read_text(encoding="utf-8")
SECTIONS: list[type[BaseModel]] = [
    AlertSettings,
    QuietHours,
    Maintenance,
    SlackSettings,
    WebhookSettings,
    EmailSettings,
    PagerDutySettings,
]


def test_the_defaults_are_those_of_the_contract() -> None:
    defaults = AlertSettings()
    assert (defaults.severity_threshold, defaults.max_alerts_per_hour) == ("medium", 10)
    assert defaults.cooldown_minutes == 30


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"timeout_seconds": 20, "lease_seconds": 59}, "at least thrice timeout_seconds"),
        ({"slack": {}}, "either a bot token or a webhook URL"),
        ({"slack": {"bot_token": "x"}}, "needs a `channel`"),
        ({"slack": {"bot_token": "x", "webhook_url": "y", "channel": "c"}}, "either a bot token"),
        ({"slack": {"webhook_url": "y", "chanel": "c"}}, "Extra inputs"),
        ({"webhook": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"webhook": [{"name": "a", "url": "file:///etc/passwd"}]}, "match pattern"),
        ({"email": {"host": "h", "sender": "x\r\ny@z", "recipients": ["a@b"]}}, "look like"),
        ({"pagerduty": {}}, "needs a routing key"),
        ({"quiet_hours": [{"start": "22:00", "end": "22:00"}]}, "same time"),
        ({"quiet_hours": [{"start": "22:00", "end": "07:00", "timezone": "Moon/Base"}]}, "no time zone"),
        (
            {"maintenance": [{"name": "m", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}]},
            "ends before",
        ),
        ({"maintenance": [{"name": "m", "start": "2026-01-02T00:00:00", "end": "x"}]}, "timezone"),
        ({"dashboard_url": "javascript:alert(1)"}, "match pattern"),
        ({"severity_threshold": "urgent"}, "Input should be"),
    ],
)
def test_what_cannot_work_is_refused_in_words(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        AlertSettings.model_validate(section)


def test_secrets_do_not_show_in_the_settings() -> None:
    settings = AlertSettings.model_validate(
        {"slack": {"webhook_url": "https://hooks.example/services/SECRET"}}
    )
    assert "SECRET" not in repr(settings) + settings.model_dump_json()


def test_every_configured_receiver_is_built_with_its_own_threshold() -> None:
    settings = AlertSettings.model_validate(
        {
            "severity_threshold": "low",
            "slack": {"webhook_url": "https://hooks.example/x", "match": {"venue": "by*"}},
            "webhook": [{"name": "ops", "url": "https://ops.example/in"}],
            "email": {"host": "mail.example", "sender": "a@b", "recipients": ["c@d"]},
            "pagerduty": {"routing_key": "k", "severity_threshold": "critical"},
        }
    )
    receivers = build_receivers(settings)
    targets = build_targets(receivers, settings)
    assert [(one.name, one.updates, one.threshold) for one, _ in targets] == [
        ("slack", "important", "low"),
        ("webhook:ops", "every", "low"),
        ("email", "important", "low"),
        ("pagerduty", "in_place", "critical"),
    ]
    assert targets[0][1] == {"venue": "by*"}
    for one, _ in receivers:
        one.close()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_is_described_and_documented(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        if name in {"slack", "webhook", "email", "pagerduty"}:
            assert f"[alerts.{name}]" in DOCUMENT
        else:
            assert f"`{name}`" in DOCUMENT, name
            assert field.description, name


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason.value}`" in DOCUMENT
