"""Alerts to a Slack that misbehaves, over real sockets: none lost, none doubled, none inside Retry-After."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from alert_cases import HOOK, NOW, SLACK, anomaly, diagnosis, incident, intent, settings, story
from alert_rig import Rig, rig
from fake_slack import Fault
from memory_outbox import ProcessKilled

from alerts.decider import Decider
from alerts.history import History
from alerts.http import retry_after
from alerts.outbox import Story

SENDING = ("chat.postMessage", "chat.update", "webhook")


@pytest.fixture
def bot() -> Iterator[Rig]:
    with rig() as one:
        yield one


@pytest.fixture
def hook() -> Iterator[Rig]:
    with rig(bot=False) as one:
        yield one


def tell(one: Rig, n: int = 1, reason: str = "first_notification", **changes: object) -> None:
    one.stories[f"I-{n}"] = story(n)
    one.outbox.add([replace(intent(n, reason=reason, decided_at=one.time.clock()), **changes)])  # type: ignore[arg-type]


def test_an_incident_is_one_message_that_is_edited_as_it_goes_on(bot: Rig) -> None:
    tell(bot)
    bot.drain()
    bot.stories["I-1"] = Story(incident(diagnosis_id="D-1"), (anomaly(),), diagnosis())
    bot.outbox.add([intent(reason="diagnosis_ready", counted=False)])
    bot.drain()
    bot.stories["I-1"] = Story(incident(status="resolved", ended_at=NOW), (anomaly(),), diagnosis())
    bot.outbox.add([intent(reason="resolved", counted=False)])
    bot.drain()
    (message,) = bot.slack.posts()
    assert "RESOLVED" in message["text"]
    assert "Gateway to bybit is slow" in message["text"]
    assert [call.method for call in bot.slack.calls] == ["chat.postMessage", "chat.update", "chat.update"]
    assert message["unfurl_links"] is False
    assert message["metadata"]["event_payload"]["key"] == "incident:I-1@2026-03-02T12:00:00Z"


def test_several_waiting_decisions_about_one_incident_are_one_call(bot: Rig) -> None:
    tell(bot)
    for reason in ("grew", "diagnosis_ready", "acknowledged"):
        tell(bot, reason=reason)
    bot.drain()
    assert len(bot.slack.calls) == 1
    assert bot.outbox.states() == ["sent"] * 4


def test_what_nobody_has_heard_of_goes_before_what_is_brought_up_to_date(bot: Rig) -> None:
    tell(bot, 1)
    tell(bot, 2)
    bot.drain()
    before = len(bot.slack.calls)
    for n, reason in ((1, "diagnosis_ready"), (2, "grew")):
        tell(bot, n, reason=reason)
        bot.stories[f"I-{n}"] = Story(incident(n, assignee="somebody", status="acknowledged"), (anomaly(n),))
    tell(bot, 3)
    bot.drain()
    methods = [call.method for call in bot.slack.calls[before:]]
    assert methods == ["chat.postMessage", "chat.update", "chat.update"]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("header", ["7", None])
def test_no_call_is_made_inside_retry_after_and_everything_arrives(
    bot: Rig, times: int, header: str | None
) -> None:
    bot.slack.faults = [Fault("429", header)] * times
    for n in range(5):
        tell(bot, n)
    bot.drain()
    assert bot.slack.inside_retry_after == 0
    assert len(bot.slack.posts()) == 5
    assert bot.outbox.states() == ["sent"] * 5


def test_a_wait_of_an_hour_is_an_hour_and_nothing_is_lost_in_it(bot: Rig) -> None:
    bot.slack.faults = [Fault("429", "3600")]
    for n in range(3):
        tell(bot, n)
        tell(bot, n, reason="acknowledged")
    bot.drain(2 * 3_600)
    first, second = (call.at for call in bot.slack.calls[:2])
    assert second - first >= 3_600
    assert bot.slack.inside_retry_after == 0
    assert len(bot.slack.posts()) == 3


@pytest.mark.parametrize(
    "error",
    ["ratelimited", "message_limit_exceeded", "team_added_to_org", "org_login_required", "accesslimited"],
)
def test_what_slack_refuses_for_a_while_is_tried_again_after_a_pause(bot: Rig, error: str) -> None:
    bot.slack.faults = [Fault(error)] * 2
    tell(bot, 1)
    bot.drain()
    assert min(bot.gaps(["chat.postMessage"])) >= 30
    assert len(bot.slack.posts()) == 1
    assert bot.outbox.states() == ["sent"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("nan", 30),
        ("soon", 30),
        ("", 30),
        ("-5", 1),
        ("0", 1),
        ("7.5", 7.5),
        ("inf", 86_400),
        ("1e400", 86_400),
    ],
)
def test_a_wait_is_some_time_between_a_second_and_a_day(text: str, seconds: float) -> None:
    assert retry_after({"retry-after": text}) == seconds


def test_retry_after_holds_for_a_restarted_worker_too(bot: Rig) -> None:
    tell(bot, 0)
    bot.slack.faults = [Fault("429", "40")]
    bot.worker.run_once()
    tell(bot, 1)
    tell(bot, 2)
    bot.fresh_worker()
    bot.drain()
    assert bot.slack.inside_retry_after == 0
    assert len(bot.slack.posts()) == 3


@pytest.mark.parametrize("mode", ["500", "502", "503", "hang", "reset", "lost", "internal_error"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_bot_delivers_once_whatever_happens_to_the_answer(bot: Rig, mode: str, times: int) -> None:
    bot.slack.faults = [Fault(mode)] * times
    tell(bot, 1)
    tell(bot, 2)
    bot.drain()
    keys = [message["metadata"]["event_payload"]["key"] for message in bot.slack.posts()]
    assert [key[:12] for key in sorted(keys)] == ["incident:I-1", "incident:I-2"]
    assert bot.outbox.states() == ["sent", "sent"]


def test_a_lost_answer_is_found_again_by_its_metadata(bot: Rig) -> None:
    bot.slack.faults = [Fault("lost")]
    tell(bot)
    bot.drain()
    methods = [call.method for call in bot.slack.calls]
    assert methods == ["chat.postMessage", "conversations.history", "chat.update"]


def test_a_kill_between_post_and_mark_does_not_double_a_bots_message(bot: Rig) -> None:
    tell(bot)
    bot.outbox.die_before_mark = True
    with pytest.raises(ProcessKilled):
        bot.worker.run_once()
    bot.fresh_worker()
    bot.drain()
    assert len(bot.slack.posts()) == 1
    assert bot.outbox.states() == ["sent"]


def test_another_decision_after_a_lost_answer_does_not_double_the_message(bot: Rig) -> None:
    bot.slack.faults = [Fault("lost")]
    tell(bot)
    bot.worker.run_once()
    tell(bot, reason="grew")
    bot.drain()
    assert len(bot.slack.posts()) == 1


def test_a_webhook_marks_what_may_be_a_repeat(hook: Rig) -> None:
    hook.slack.faults = [Fault("lost")]
    tell(hook)
    hook.drain()
    first, second = hook.slack.posts()
    assert not first["text"].startswith("Possible repeat")
    assert second["text"].startswith("Possible repeat")
    assert hook.worker.health()["slack"].possible_repeats == 1


def test_a_webhook_marks_the_repeat_after_a_kill(hook: Rig) -> None:
    tell(hook)
    hook.outbox.die_before_mark = True
    with pytest.raises(ProcessKilled):
        hook.worker.run_once()
    hook.fresh_worker()
    hook.drain()
    assert [message["text"].startswith("Possible repeat") for message in hook.slack.posts()] == [False, True]


def test_a_webhook_that_was_told_to_wait_does_not_call_it_a_repeat(hook: Rig) -> None:
    hook.slack.faults = [Fault("429", "5"), Fault("429", "5")]
    tell(hook)
    hook.drain()
    (message,) = hook.slack.posts()
    assert not message["text"].startswith("Possible repeat")
    assert hook.slack.inside_retry_after == 0


@pytest.mark.parametrize("mode", ["invalid_auth", "token_revoked", "channel_not_found", "is_archived"])
def test_what_only_a_person_can_repair_is_parked_with_its_reason_and_sent_after_the_repair(
    bot: Rig, mode: str
) -> None:
    bot.slack.always = Fault(mode)
    tell(bot)
    bot.drain()
    assert (bot.outbox.rows[0].state, bot.outbox.rows[0].error) == ("parked", mode)
    health = bot.worker.health()["slack"]
    assert (health.status, health.last_error) == ("refusing", mode)
    assert len(bot.slack.calls) == 1
    bot.slack.always = None
    bot.outbox.unpark("slack", bot.time.clock())
    bot.drain()
    assert len(bot.slack.posts()) == 1
    assert bot.worker.health()["slack"].status == "ok"


@pytest.mark.parametrize("mode", ["no_active_hooks", "invalid_token", "channel_is_archived"])
def test_a_dead_webhook_is_parked_with_its_reason(hook: Rig, mode: str) -> None:
    hook.slack.always = Fault(mode)
    tell(hook)
    hook.drain()
    assert (hook.outbox.rows[0].state, hook.outbox.rows[0].error) == ("parked", mode)


def test_blocks_that_slack_cannot_show_are_left_out_instead_of_the_message(bot: Rig) -> None:
    bot.slack.faults = [Fault("invalid_blocks")]
    tell(bot)
    bot.drain()
    (message,) = bot.slack.posts()
    assert "blocks" not in message
    assert "I-1" in message["text"]


def test_a_message_that_somebody_deleted_is_posted_anew(bot: Rig) -> None:
    tell(bot)
    bot.drain()
    bot.slack.messages.clear()
    bot.stories["I-1"] = story(1, "critical")
    bot.outbox.add([intent(reason="severity_rose")])
    bot.drain()
    (message,) = bot.slack.posts()
    assert "CRITICAL" in message["text"]


def test_what_resolved_while_slack_was_away_is_told_once_and_as_resolved(bot: Rig) -> None:
    bot.slack.faults = [Fault("503")] * 4
    tell(bot)
    bot.worker.run_once()
    bot.stories["I-1"] = story(status="resolved", ended_at=NOW)
    bot.outbox.add([intent(reason="resolved", counted=False, decided_at=NOW + timedelta(seconds=1))])
    bot.drain()
    (message,) = bot.slack.posts()
    assert "RESOLVED" in message["text"]


@pytest.mark.parametrize("bot_token", [True, False])
def test_a_burst_of_200_anomalies_becomes_ten_messages_and_a_digest_within_a_minute(bot_token: bool) -> None:
    with rig(bot=bot_token) as one:
        target = SLACK if bot_token else HOOK
        decider = Decider(settings(), [(target, {})], History(), NOW)
        for n in range(1, 201):
            one.stories[f"I-{n}"] = story(n)
            one.outbox.add(decider(incident(n), [anomaly(n)], None))
        one.drain()
        texts = "".join(str(call.body) for call in one.slack.calls)
        assert all(re.search(rf"\bI-{n}\b", texts) for n in range(1, 201))
        assert len(one.slack.posts()) <= 11 if bot_token else len(one.slack.posts()) <= 15
        assert one.slack.calls[-1].at - 1_000 <= 60
        assert min(one.gaps(SENDING)) >= 1.0 - 1e-6
        assert set(one.outbox.states()) == {"sent"}


def test_two_workers_do_not_post_the_same_message(bot: Rig) -> None:
    for n in range(4):
        tell(bot, n)
        tell(bot, n, reason="grew")
    first, second = bot.worker, bot.fresh_worker()
    for _ in range(20):
        first.run_once()
        second.run_once()
        bot.time.sleep(1)
    assert len(bot.slack.posts()) == 4


def test_a_receiver_that_is_no_longer_configured_parks_its_messages(bot: Rig) -> None:
    tell(bot, receiver="pagerduty")
    bot.drain()
    assert bot.outbox.rows[0].error == "no receiver 'pagerduty' is configured"


def test_the_token_is_in_no_error_and_no_log(bot: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("invalid_auth", "500", "reset", "hang"):
        bot.slack.faults.append(Fault(mode))
    for n in range(4):
        tell(bot, n)
    bot.drain()
    captured = capsys.readouterr()
    assert "xoxb" not in captured.out + captured.err
    assert "xoxb" not in str([row.error for row in bot.outbox.rows])


def test_a_worker_in_its_own_thread_delivers_what_waits_and_stops(bot: Rig) -> None:
    tell(bot)
    bot.worker.start()
    for _ in range(200):
        if bot.outbox.states() == ["sent"]:
            break
        bot.worker.wake()
        bot.slack.released.wait(0.01)
    assert bot.worker.stop(5)
    assert len(bot.slack.posts()) == 1


@pytest.mark.parametrize("mode", [None, "lost"])
def test_turning_critical_is_said_aloud_once_where_that_is_wanted(bot: Rig, mode: str | None) -> None:
    bot.slack_settings = {"announce_critical": True}
    bot.fresh_worker()
    tell(bot)
    bot.drain()
    bot.stories["I-1"] = story(1, "critical")
    bot.outbox.add([intent(reason="severity_rose", counted=False)])
    bot.slack.faults = [Fault("200"), Fault(mode)] if mode else []
    bot.drain()
    message, answer = bot.slack.posts()
    assert "CRITICAL" in message["text"]
    assert (answer["thread_ts"], answer["reply_broadcast"]) == (message["ts"], True)


def test_buttons_are_shown_where_somebody_answers_them(bot: Rig) -> None:
    tell(bot, 1)
    bot.drain()
    bot.slack_settings = {"signing_secret": "s"}
    bot.fresh_worker()
    tell(bot, 2)
    bot.drain()
    kinds = [[block["type"] for block in message["blocks"]] for message in bot.slack.posts()]
    assert ["actions" in one for one in kinds] == [False, True]


def test_a_worker_that_stops_gives_back_what_it_did_not_begin(bot: Rig) -> None:
    for n in range(5):
        tell(bot, n)
    bot.worker.stop()
    bot.worker.run_once()
    assert set(bot.outbox.states()) == {"pending"}
    bot.fresh_worker()
    bot.drain()
    assert len(bot.slack.calls) == 5
