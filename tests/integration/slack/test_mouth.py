"""Answers in Slack over real sockets: once, to Slack alone, and never inside a wait that it asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from alert_cases import NOW, story
from fake_slack import CHANNEL, TOKEN, FakeSlack, Fault, fake_slack
from pydantic import SecretStr

from alerts.http import HttpDoor, Unanswered
from alerts.notice import Notice
from alerts.receivers.slack import SlackBot
from alerts.slack.mouth import SlackMouth
from alerts.slack.settings import SlackSettings
from alerts.slack.web import SlackWeb
from alerts.summary import summarise
from domain.errors import Forbidden, NotifyError
from service.slack_people import REMEMBERED_S, People

MESSAGE = {"text": "an answer", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]}


@dataclass
class Moment:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Road:
    slack: FakeSlack
    moment: Moment
    web: SlackWeb
    mouth: SlackMouth


@pytest.fixture
def road() -> Iterator[Road]:
    with fake_slack() as slack:
        moment = Moment()
        slack.clock = moment
        web = SlackWeb(slack.api_url, SecretStr(TOKEN), HttpDoor("slack", 0.5, ("127.0.0.1",)), moment)
        mouth = SlackMouth(web, HttpDoor("slack", 0.5, ("127.0.0.1",)), slack.api_url)
        yield Road(slack, moment, web, mouth)
        mouth.close()
        web.close()


def test_an_answer_whose_fate_is_unknown_is_found_by_its_key(road: Road) -> None:
    road.slack.faults = [Fault("lost")]
    with pytest.raises(Unanswered):
        road.mouth.reply(CHANNEL, "1.1", MESSAGE, "reply:1")
    assert road.mouth.replied(CHANNEL, "1.1", "reply:1")
    assert not road.mouth.replied(CHANNEL, "1.1", "reply:2")
    assert not road.mouth.replied(CHANNEL, "2.2", "reply:1")


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest",
        "https://evil.example/services/x",
        "https://slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "http://hooks.slack.com/commands/x",
        "https://notslack.com/x",
        "file:///etc/passwd",
        "",
        "//hooks.slack.com/x",
    ],
)
def test_an_answer_for_one_person_goes_to_slack_alone(road: Road, address: str) -> None:
    with pytest.raises(NotifyError, match="not Slack's") as caught:
        road.mouth.whisper(address, MESSAGE)
    assert caught.value.permanent
    assert not road.slack.whispers


def test_a_wait_that_slack_asks_for_holds_for_answers_and_alerts_alike(road: Road) -> None:
    settings = SlackSettings(bot_token=SecretStr(TOKEN), channel=CHANNEL, api_url=road.slack.api_url)
    bot = SlackBot(settings, road.web)
    notice = Notice(
        key="incident:I-1@x",
        reason="first_notification",
        summaries=(summarise(story(), "https://a.example"),),
        fresh=("I-1",),
        digest=None,
        remote_ref=None,
        uncertain=False,
        now=NOW,
    )
    road.slack.faults = [Fault("429", "40")]
    with pytest.raises(NotifyError) as first:
        road.mouth.reply(CHANNEL, "1.1", MESSAGE, "reply:1")
    assert first.value.retry_after == 40
    road.moment.seconds += 30
    with pytest.raises(NotifyError) as second:
        bot.notify(notice)
    assert second.value.retry_after == pytest.approx(10)
    road.moment.seconds += 10.5
    bot.notify(notice)
    road.mouth.reply(CHANNEL, "1.1", MESSAGE, "reply:1")
    assert road.slack.inside_retry_after == 0
    assert len(road.slack.posts()) == 2


def test_a_window_is_opened_or_its_moment_is_over(road: Road) -> None:
    assert road.mouth.open_window("trigger", {"type": "modal"})
    assert not road.mouth.open_window("expired", {"type": "modal"})
    assert len(road.slack.windows) == 1


def test_without_a_bot_there_are_no_threads_and_no_windows() -> None:
    mouth = SlackMouth(None, HttpDoor("slack", 0.5), "https://slack.com/api/")
    with pytest.raises(NotifyError, match="bot token"):
        mouth.reply(CHANNEL, "1.1", MESSAGE, "k")
    assert not mouth.open_window("trigger", {})
    assert not mouth.members("S1")
    mouth.close()


def test_a_group_is_asked_for_now_and_then_and_a_wrong_one_makes_nobody_an_operator(road: Road) -> None:
    road.slack.groups["S1"] = ["U1"]
    people = People(["S1", "S0GONE", "U9"], road.mouth.members, road.moment)
    assert people.operator("U1").name == "slack:U1"
    assert people.caller("U2").role == "viewer"
    assert people.operator("U9").role == "operator"
    with pytest.raises(Forbidden):
        people.operator("U2")
    asked = road.slack.count("usergroups.users.list")
    road.slack.groups["S1"] = ["U2"]
    assert people.caller("U2").role == "viewer"
    assert road.slack.count("usergroups.users.list") == asked == 2
    road.moment.seconds += REMEMBERED_S
    assert people.caller("U2").role == "operator"


def test_everybody_may_be_trusted(road: Road) -> None:
    assert People(["*"], road.mouth.members).operator("U2").role == "operator"
    assert not road.slack.calls


def test_a_slack_that_cannot_say_who_is_in_a_group_is_asked_again_later(road: Road) -> None:
    road.slack.faults = [Fault("503")]
    people = People(["S1"], road.mouth.members, road.moment)
    with pytest.raises(NotifyError):
        people.caller("U1")
    road.slack.groups["S1"] = ["U1"]
    assert people.operator("U1").role == "operator"


def test_our_own_workspace_is_asked_for_once_and_guests_are_named(road: Road) -> None:
    people = People([], road.mouth.members, home=road.mouth.workspaces, guests=["T0GUESTS"])
    assert [people.belongs(one) for one in ("T0", "T0STRANGERS", "T0GUESTS", "")] == [True, False, True, True]
    assert [call.method for call in road.slack.calls].count("auth.test") == 1


def test_where_nobody_can_say_which_workspace_is_ours_only_guests_are_told_apart() -> None:
    def refused() -> frozenset[str]:
        raise NotifyError("slack", "invalid_auth", permanent=True)

    for home in (frozenset[str], refused):
        assert People([], lambda _: frozenset(), home=home).belongs("T0")
    people = People([], lambda _: frozenset(), home=frozenset, guests=["T0GUESTS"])
    assert not people.belongs("T0STRANGERS")
