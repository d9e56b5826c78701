"""Who is told next when nobody acknowledges: once per step, the same from whichever process."""

from datetime import timedelta
from typing import Any

import pytest
from alert_cases import NOW, incident, intent, settings, story, told

from alerts.blocks import fallback, render
from alerts.escalation import due_escalations, step_of, unanswered_since
from alerts.history import History
from alerts.notice import Notice
from alerts.outbox import AlertIntent
from alerts.plain import body, subject_line
from alerts.receivers.configured import build_escalations, build_receivers, build_targets
from alerts.settings import AlertSettings
from alerts.summary import summarise
from domain.errors import ConfigurationError

MINUTE = timedelta(minutes=1)
STEPS = ("slack:C0LEADS", "pagerduty")


def due(after: float, history: History | None = None, **changes: Any) -> list[tuple[str, int | None]]:
    """Receivers and steps that are due so many minutes after the first message."""
    policy = settings(escalate_after_minutes=15, escalate_to=STEPS)
    known = history or told(intent())
    found = due_escalations([incident(**changes)], known, policy, NOW + after * MINUTE)
    return [(one.receiver, step_of(one.subject)) for one in found]


def test_each_step_is_due_once_its_time_has_come() -> None:
    assert due(14.9) == []
    assert due(15) == [("slack:C0LEADS", 1)]
    assert due(31) == [("slack:C0LEADS", 1), ("pagerduty", 2)]


def test_a_step_that_was_decided_is_not_decided_again() -> None:
    policy = settings(escalate_after_minutes=15, escalate_to=STEPS)
    history = told(intent())
    first = due_escalations([incident()], history, policy, NOW + 16 * MINUTE)
    for one in first:
        history.add(one)
    assert due(20, history) == []
    assert due(30, history) == [("pagerduty", 2)]


def test_two_processes_decide_the_very_same_step() -> None:
    policy = settings(escalate_after_minutes=15, escalate_to=STEPS)
    keys = [
        [one.dedupe_key for one in due_escalations([incident()], told(intent()), policy, NOW + minutes)]
        for minutes in (15 * MINUTE, 29 * MINUTE)
    ]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "acknowledged"},
        {"status": "resolved"},
        {"snoozed_until": NOW + 60 * MINUTE},
        {"severity": "medium"},
    ],
)
def test_nothing_is_due_where_somebody_took_it_or_it_is_not_worth_it(changes: dict[str, Any]) -> None:
    assert due(40, **changes) == []


def test_what_nobody_was_told_is_not_escalated() -> None:
    assert due(40, history=told(intent(2))) == []


def test_a_digest_tells_too_and_the_clock_begins_when_it_is_sent() -> None:
    later = NOW + 10 * MINUTE
    digest = told(intent(subject="digest:quiet_hours:x", reason="quiet_hours", not_before=later))
    assert unanswered_since(incident(), digest, NOW + 60 * MINUTE, "high") == later


@pytest.mark.parametrize(
    ("history", "changes"),
    [
        (told(intent(), intent(reason="reopened", decided_at=NOW + 30 * MINUTE)), {}),
        (told(intent()), {"snoozed_until": NOW + 30 * MINUTE}),
    ],
)
def test_the_clock_begins_anew_after_a_snooze_and_where_it_is_opened_again(
    history: History, changes: dict[str, Any]
) -> None:
    assert due(44, history, **changes) == []
    assert due(45, history, **changes) == [("slack:C0LEADS", 1)]


def test_the_clock_begins_when_it_is_said_to_be_severe_enough() -> None:
    rose = NOW + 300 * MINUTE
    history = told(
        intent(severity="medium"),
        intent(severity="medium", reason="grew", decided_at=NOW + MINUTE, not_before=NOW + MINUTE),
        intent(reason="severity_rose", decided_at=rose, not_before=rose),
    )
    assert due(300, history) == due(314.9, history) == []
    assert due(315, history) == [("slack:C0LEADS", 1)]
    assert due(330, history) == [("slack:C0LEADS", 1), ("pagerduty", 2)]


def test_what_grew_worse_during_a_snooze_is_escalated_after_it() -> None:
    history = told(intent(severity="medium"))
    assert due(44, history, snoozed_until=NOW + 30 * MINUTE) == []
    assert due(45, history, snoozed_until=NOW + 30 * MINUTE) == [("slack:C0LEADS", 1)]
    assert due(45, history) == []


def test_the_message_says_that_it_is_an_escalation() -> None:
    notice = Notice(
        key="k",
        reason="escalated",
        summaries=(summarise(story(), "https://a.example"),),
        fresh=("I-1",),
        digest=None,
        remote_ref=None,
        uncertain=False,
        now=NOW,
        escalation=2,
    )
    words = "Escalation 2: nobody had acknowledged this."
    assert render(notice, marked=False)["blocks"][1]["elements"][0]["text"] == words
    assert words in fallback(notice, marked=False)
    assert words in body(notice, marked=False)
    assert subject_line(notice).startswith("[escalation 2] ")


def configured(**alerts: Any) -> AlertSettings:
    return AlertSettings.model_validate({"escalate_after_minutes": 15, **alerts})


def test_another_channel_of_the_bot_hears_of_escalations_alone() -> None:
    policy = configured(slack={"bot_token": "x", "channel": "C1"}, escalate_to=["slack:C2", "slack"])
    receivers = build_receivers(policy)
    [further] = build_escalations(receivers, policy)
    assert (further.name, further.updates) == ("slack:C2", "in_place")
    targets = build_targets(receivers, policy, [further])
    assert [(one.name, one.only_escalations) for one, _ in targets] == [("slack", False), ("slack:C2", True)]
    further.close()


@pytest.mark.parametrize("name", ["email", "slack:C2", "webhook:x"])
def test_a_step_that_nobody_configured_is_refused_at_the_start(name: str) -> None:
    policy = configured(slack={"webhook_url": "https://x.example"}, escalate_to=[name])
    receivers = build_receivers(policy)
    with pytest.raises(ConfigurationError, match=f"{name} is not configured"):
        build_escalations(receivers, policy)
    for one, _ in receivers:
        one.close()


def test_times_and_receivers_of_escalation_need_each_other() -> None:
    for lone in ({"escalate_after_minutes": 5}, {"escalate_to": ["slack"]}):
        with pytest.raises(ValueError, match="need each other"):
            AlertSettings.model_validate(lone)


def test_an_escalation_is_stored_and_read_back_as_it_was() -> None:
    policy = settings(escalate_after_minutes=15, escalate_to=STEPS)
    [one] = due_escalations([incident()], told(intent()), policy, NOW + 15 * MINUTE)
    assert isinstance(one, AlertIntent)
    assert (one.counted, one.decided_at, one.not_before) == (False, NOW + 15 * MINUTE, NOW + 15 * MINUTE)
