"""Who is told what, when and why."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from alert_cases import HOOK, NOW, SLACK, anomaly, incident, intent, outcome, settings, told
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from alerts.decider import Decider, labels_of
from alerts.history import History
from alerts.policy import Case, Decision, Reason, Rules, Target, decide
from alerts.settings import AlertSettings, Maintenance, QuietHours
from domain.anomaly import SEVERITIES, Severity
from domain.incident import Incident

QUIET = QuietHours(start=time(11), end=time(13))
MAINTENANCE = Maintenance(
    name="bybit upgrade", start=NOW - timedelta(hours=1), end=NOW + timedelta(hours=1), match={"venue": "by*"}
)


def decided(
    now_incident: Incident,
    previous: Incident | None = None,
    history: History | None = None,
    target: Target = SLACK,
    **more: Any,
) -> Decision:
    case = Case(
        now_incident,
        previous,
        more.pop("group", "ack latency 1"),
        (("venue", "bybit"),),
        routed=more.pop("routed", True),
    )
    now = more.pop("now", NOW)
    return decide(case, Rules(target, history or told(), settings(**more), now))


def full_hour() -> History:
    return told(*(intent(n, group=f"g{n}") for n in range(10, 20)))


def test_a_new_incident_gets_a_message_of_its_own() -> None:
    decision = decided(incident())
    assert outcome(decision) == ("message", "first_notification")
    assert decision.subject == "incident:I-1"


def test_an_incident_below_the_threshold_is_not_sent_until_it_is_worse() -> None:
    assert outcome(decided(incident(severity="low"))) == ("nothing", "below_threshold")
    risen = decided(incident(severity="medium"), previous=incident(severity="low"))
    assert outcome(risen) == ("message", "first_notification")


def test_an_incident_that_no_receiver_wants_says_so() -> None:
    assert outcome(decided(incident(), routed=False)) == ("nothing", "not_routed")


def test_what_resolved_before_it_could_be_sent_is_still_told_once() -> None:
    resolved = incident(status="resolved", ended_at=NOW)
    assert outcome(decided(resolved)) == ("message", "resolved_before_sent")
    again = decided(resolved, previous=resolved, history=told(intent()))
    assert outcome(again) == ("nothing", "unchanged")


def test_a_snoozed_incident_waits_for_the_end_of_the_snooze() -> None:
    until = NOW + timedelta(hours=2)
    decision = decided(incident(snoozed_until=until))
    assert (outcome(decision), decision.not_before) == (("wait", "snoozed"), until)


def test_an_incident_that_a_person_took_before_it_was_told_is_not_announced() -> None:
    taken = incident(status="acknowledged", assignee="kim")
    assert outcome(decided(taken)) == ("nothing", "already_acknowledged")


def test_the_same_rule_on_the_same_series_within_the_cooldown_joins_the_earlier_message() -> None:
    decision = decided(incident(2), history=told(intent(decided_at=NOW - timedelta(minutes=29))))
    assert (outcome(decision), decision.subject) == (("join", "cooldown"), "incident:I-1")


def test_after_the_cooldown_it_gets_a_message_again() -> None:
    history = told(intent(decided_at=NOW - timedelta(minutes=31)))
    assert outcome(decided(incident(2), history=history)) == ("message", "first_notification")


def test_a_worse_recurrence_is_not_hidden_by_the_cooldown() -> None:
    history = told(intent(severity="medium"))
    assert outcome(decided(incident(2), history=history)) == ("message", "first_notification")


def test_a_webhook_that_cannot_edit_tells_recurrences_at_the_end_of_the_cooldown() -> None:
    decision = decided(incident(2), history=told(intent()), target=HOOK)
    assert outcome(decision) == ("digest", "cooldown")
    assert decision.not_before == NOW + timedelta(minutes=30)


def test_beyond_the_hourly_limit_incidents_go_into_one_digest_within_a_minute() -> None:
    history = full_hour()
    first = decided(incident(1), history=history)
    history.add(
        intent(1, subject=first.subject, reason="hourly_limit", counted=False, not_before=first.not_before)
    )
    second = decided(incident(2), history=history, now=NOW + timedelta(minutes=50))
    assert outcome(first) == outcome(second) == ("digest", "hourly_limit")
    assert second.subject == first.subject
    assert first.not_before is not None
    assert NOW < first.not_before <= NOW + timedelta(seconds=60)


def test_updates_do_not_use_up_the_hourly_limit() -> None:
    history = told(*(intent(n, reason="grew", counted=False) for n in range(10, 60)))
    assert outcome(decided(incident(), history=history)) == ("message", "first_notification")


def test_an_hour_later_there_is_room_again() -> None:
    later = NOW + timedelta(minutes=60, seconds=1)
    assert outcome(decided(incident(), history=full_hour(), now=later)) == ("message", "first_notification")


def test_quiet_hours_hold_an_incident_until_their_end() -> None:
    decision = decided(incident(), quiet_hours=(QUIET,))
    assert (outcome(decision), decision.not_before) == (("digest", "quiet_hours"), NOW + timedelta(hours=1))


def test_a_maintenance_window_holds_what_matches_it() -> None:
    decision = decided(incident(), maintenance=(MAINTENANCE,))
    assert outcome(decision) == ("digest", "maintenance_window")
    assert decision.not_before == NOW + timedelta(hours=1)
    elsewhere = MAINTENANCE.model_copy(update={"match": {"venue": "okx"}})
    assert outcome(decided(incident(), maintenance=(elsewhere,))) == ("message", "first_notification")


def test_what_ended_long_ago_does_not_ring_by_itself() -> None:
    old = incident(status="resolved", ended_at=NOW - timedelta(hours=7))
    assert outcome(decided(old)) == ("digest", "late")


@pytest.mark.parametrize("history", [full_hour(), told(intent(severity="critical"))])
@pytest.mark.parametrize("snoozed_until", [None, NOW + timedelta(hours=1)])
def test_a_critical_incident_is_never_held_back(history: History, snoozed_until: datetime | None) -> None:
    decision = decided(
        incident(77, severity="critical", snoozed_until=snoozed_until),
        history=history,
        quiet_hours=(QUIET,),
        maintenance=(MAINTENANCE,),
    )
    assert outcome(decision) == ("message", "first_notification")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"anomaly_ids": ("A-1", "A-2")}, "grew"),
        ({"severity": "critical"}, "severity_rose"),
        ({"diagnosis_id": "D-1"}, "diagnosis_ready"),
        ({"status": "acknowledged"}, "acknowledged"),
        ({"status": "resolved", "ended_at": NOW}, "resolved"),
    ],
)
def test_each_change_updates_the_one_message_for_a_named_reason(changes: dict[str, Any], reason: str) -> None:
    decision = decided(incident(**changes), previous=incident(), history=told(intent()))
    assert (outcome(decision), decision.subject) == (("update", reason), "incident:I-1")


def test_an_incident_that_opens_again_updates_its_message() -> None:
    decision = decided(incident(), previous=incident(status="resolved"), history=told(intent()))
    assert outcome(decision) == ("update", "reopened")


def test_nothing_new_is_nothing_to_tell() -> None:
    assert outcome(decided(incident(), incident(), told(intent()))) == ("nothing", "unchanged")


def test_an_incident_in_a_digest_that_turns_critical_gets_its_own_message() -> None:
    history = told(intent(subject="digest:hourly_limit:x", reason="hourly_limit", counted=False))
    decision = decided(incident(severity="critical"), previous=incident(), history=history)
    assert (outcome(decision), decision.subject) == (("message", "severity_rose"), "incident:I-1")


def test_a_snoozed_incident_that_turns_critical_is_told_at_once() -> None:
    until = NOW + timedelta(hours=2)
    history = told(intent(reason="snoozed", not_before=until))
    decision = decided(
        incident(severity="critical", snoozed_until=until),
        previous=incident(snoozed_until=until),
        history=history,
    )
    assert (outcome(decision), decision.not_before) == (("message", "severity_rose"), NOW)


def test_a_change_of_a_held_incident_does_not_release_it_early() -> None:
    until = NOW + timedelta(hours=1)
    history = told(intent(subject="digest:quiet_hours:x", reason="quiet_hours", not_before=until))
    decision = decided(incident(diagnosis_id="D-1"), previous=incident(), history=history)
    assert decision.not_before == until


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"anomaly_ids": ("A-1", "A-2")}, ("nothing", "not_worth_a_message")),
        ({"status": "acknowledged"}, ("nothing", "not_worth_a_message")),
        ({"diagnosis_id": "D-1"}, ("update", "diagnosis_ready")),
        ({"status": "resolved"}, ("update", "resolved")),
        ({"diagnosis_id": "D-1", "snoozed_until": NOW + timedelta(hours=1)}, ("nothing", "snoozed")),
        ({"status": "resolved", "snoozed_until": NOW + timedelta(hours=1)}, ("update", "resolved")),
    ],
)
def test_people_behind_a_webhook_get_only_changes_worth_a_message(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    decision = decided(incident(**changes), previous=incident(), history=told(intent()), target=HOOK)
    assert outcome(decision) == expected


def test_one_cycle_counts_its_own_decisions() -> None:
    decider = Decider(settings(max_alerts_per_hour=3), [(SLACK, {})], History(), NOW)
    intents = [one for n in range(8) for one in decider(incident(n), [anomaly(n)], None)]
    subjects = [one.subject for one in intents]
    assert len(intents) == 8
    assert len(set(subjects)) == 4
    assert len({one for one in subjects if one.startswith("digest:")}) == 1
    assert [one.reason for one in decider.decisions].count(Reason.HOURLY_LIMIT) == 5


def test_routing_looks_at_labels_rules_and_types() -> None:
    labels = labels_of([anomaly(1)])
    assert ("venue", "venue1") in labels
    assert ("metric", "order_ack_latency_ms") in labels
    assert ("anomaly_type", "execution_delay") in labels
    decider = Decider(settings(), [(SLACK, {"venue": "okx*"})], History(), NOW)
    assert not decider(incident(), [anomaly()], None)
    assert decider.decisions[0].reason is Reason.NOT_ROUTED


def test_a_finished_diagnosis_updates_the_message_or_is_told_once_where_it_cannot_be_edited() -> None:
    for target, again in ((SLACK, "diagnosis_ready"), (HOOK, "not_worth_a_message")):
        decider = Decider(settings(), [(target, {})], told(intent()), NOW)
        assert decider.diagnosed(incident(), [anomaly()])
        decider.diagnosed(incident(), [anomaly()])
        assert [one.reason.value for one in decider.decisions] == ["diagnosis_ready", again]


def test_a_message_that_cannot_be_edited_waits_a_moment_for_its_diagnosis() -> None:
    assert decided(incident(), target=HOOK).not_before == NOW + timedelta(seconds=2)
    assert decided(incident(severity="critical"), target=SLACK).not_before == NOW


_INCIDENTS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(SEVERITIES), st.sampled_from(["open", "resolved"])),
    max_size=40,
)


@trying(deadline=None)  # a busy machine is no failure
@given(_INCIDENTS, st.sampled_from([SLACK, HOOK]), st.integers(0, 3), st.booleans())
def test_no_incident_at_or_above_the_threshold_is_ever_dropped(
    steps: list[tuple[int, Severity, str]], target: Target, limit: int, quiet: bool
) -> None:
    policy: AlertSettings = settings(max_alerts_per_hour=limit, quiet_hours=(QUIET,) if quiet else ())
    history = History()
    seen: dict[int, Incident] = {}
    for step, (n, severity, status) in enumerate(steps):
        now = NOW + timedelta(minutes=step)
        current = incident(n, severity, status=status, ended_at=now if status == "resolved" else None)
        Decider(policy, [(target, {})], history, now)(current, [anomaly(n % 3, severity)], seen.get(n))
        seen[n] = current
        told_of = history.message_of("slack", current.id)
        assert (told_of is not None) or severity == "low"
        if severity == "critical" and status == "open" and told_of:
            assert told_of.subject == f"incident:{current.id}"
