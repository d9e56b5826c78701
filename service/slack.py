"""Joins what people do in Slack with the service: the signed doors, Socket Mode, and the workers behind."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from agent.runbooks import load_runbooks
from alerts.http import HttpDoor
from alerts.receivers.slack import SlackBot
from alerts.settings import AlertSettings
from alerts.slack.mouth import SlackMouth
from alerts.slack.settings import SlackSettings, app_token, signing_secret
from alerts.slack.socket_mode import SocketMode
from api.doors import Doors
from service.alerting import Alerting
from service.clock import system_clock
from service.settings import Settings
from service.slack_effects import SlackEffects
from service.slack_in import SlackIn
from service.slack_people import People
from service.slack_questions import Questions


@dataclass(frozen=True, slots=True)
class SlackRoads:
    """The ways from Slack to us, where there are any."""

    inside: SlackIn | None = None
    mouth: SlackMouth | None = None
    socket: SocketMode | None = None

    def start(self) -> None:
        """Work off what waits, and listen."""
        if self.inside is not None:
            self.inside.start()
        if self.socket is not None:
            self.socket.start()

    def stop(self) -> None:
        """Listen no more, and finish what is under way."""
        if self.socket is not None:
            self.socket.stop()
        if self.inside is not None:
            self.inside.stop()
        if self.mouth is not None:
            self.mouth.close()


def attach_slack(app: FastAPI, settings: Settings, alerting: Alerting) -> SlackRoads:
    """Open the roads from Slack that are configured; `/slack/...` refuses everything where none is.

    Raises:
        ConfigurationError: a secret is not where the configuration says.
    """
    slack = settings.alerts.slack
    app.state.slack = None
    if slack is None or not slack.listens():
        return SlackRoads()
    mouth = _mouth(slack, settings.alerts, alerting)
    doors: Doors = app.state.doors
    effects = SlackEffects(
        doors=doors,
        people=People(slack.operators, mouth.members, home=mouth.workspaces, guests=slack.workspaces),
        mouth=mouth,
        questions=Questions(
            doors, doors.stores.outbox, alerting.stories, mouth, settings.alerts.dashboard_url
        ),
        causes=tuple(
            (one.key, one.key.replace("_", " ").capitalize()) for one in load_runbooks(settings.runbooks)
        ),
    )
    secret, token = signing_secret(slack), app_token(slack)
    key = secret.get_secret_value().encode() if secret is not None else b""
    longest = timedelta(seconds=settings.llm.chat_timeout_seconds)
    app.state.slack = inside = SlackIn(key, doors.stores.inbox, effects, system_clock, longest)
    socket = SocketMode(token, slack.api_url, inside.take) if token is not None else None
    return SlackRoads(inside, mouth, socket)


def _mouth(slack: SlackSettings, alerts: AlertSettings, alerting: Alerting) -> SlackMouth:
    bot = alerting.receivers.get("slack")
    web = bot.web if isinstance(bot, SlackBot) else None
    return SlackMouth(web, HttpDoor("slack", alerts.timeout_seconds, alerts.allow_hosts), slack.api_url)
