"""The `[alerts.slack]` section."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.secret import read_secret

EVERYBODY = "*"


class SlackSettings(ReceiverSettings):
    """A bot token with a channel, or a webhook; with a signing secret or app token people can answer."""

    channel: str | None = Field(
        default=None, max_length=200, description="Channel for the bot, best by its id (`C0123456789`)."
    )
    bot_token: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__SLACK__BOT_TOKEN."
    )
    bot_token_env: str | None = Field(default=None, description="Another variable that holds the bot token.")
    bot_token_file: Path | None = Field(default=None, description="A file that holds the bot token.")
    webhook_url: SecretStr | None = Field(
        default=None, description="Only from the environment: ANALYST_ALERTS__SLACK__WEBHOOK_URL."
    )
    webhook_url_env: str | None = Field(
        default=None, description="Another variable that holds the webhook's URL."
    )
    webhook_url_file: Path | None = Field(default=None, description="A file that holds the webhook's URL.")
    signing_secret: SecretStr | None = Field(
        default=None, description="Only from the environment; checks what Slack sends to `/slack/...`."
    )
    signing_secret_env: str | None = Field(default=None, description="Another variable that holds it.")
    signing_secret_file: Path | None = Field(default=None, description="A file that holds it.")
    app_token: SecretStr | None = Field(
        default=None,
        description="Only from the environment; opens Socket Mode, where Slack cannot reach `/slack/...`.",
    )
    app_token_env: str | None = Field(
        default=None, description="Another variable that holds the app-level token."
    )
    app_token_file: Path | None = Field(default=None, description="A file that holds the app-level token.")
    operators: tuple[str, ...] = Field(
        default=(),
        max_length=500,
        description="Ids of users (`U...`) and user groups (`S...`) who may acknowledge, diagnose and judge; "
        '`"*"` is everybody in the workspace. Everybody else may ask.',
    )
    workspaces: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Ids of further workspaces (`T...`) or organisations (`E...`) whose people are answered, "
        "such as those of shared channels; the bot's own workspace always is.",
    )
    api_url: str = Field(
        default="https://slack.com/api/", pattern=r"^https?://\S+$", description="Base of the Web API."
    )
    buttons: bool | None = Field(
        default=None,
        description="Show buttons; by default where a signing secret or an app token lets them be answered.",
    )
    announce_critical: bool = Field(
        default=False,
        description="Answer in the thread, shown in the channel, when an incident turns critical.",
    )

    @field_validator("operators")
    @classmethod
    def _operators_are_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        for one in ids:
            if one != EVERYBODY and not (one[:1] in "UWS" and one.isalnum() and one.isupper()):
                raise ValueError(f"{one!r} is no id of a user (U...) or user group (S...)")
        return ids

    def shows_buttons(self) -> bool:
        """Whether somebody answers them."""
        return self.listens() if self.buttons is None else self.buttons

    def listens(self) -> bool:
        """Whether Slack has a way to reach us."""
        signed = any((self.signing_secret, self.signing_secret_env, self.signing_secret_file))
        return signed or any((self.app_token, self.app_token_env, self.app_token_file))

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        bot = any((self.bot_token, self.bot_token_env, self.bot_token_file))
        hook = any((self.webhook_url, self.webhook_url_env, self.webhook_url_file))
        if bot == hook:
            raise ValueError("needs either a bot token or a webhook URL (from the environment or a file)")
        if bot and not self.channel:
            raise ValueError("the bot needs a `channel`")
        return self


def bot_token(settings: SlackSettings) -> SecretStr | None:
    """What the bot signs in with; raises ConfigurationError where it cannot be read."""
    return read_secret(
        "alerts.slack.bot_token",
        value=settings.bot_token,
        file=settings.bot_token_file,
        env=settings.bot_token_env,
    )


def webhook_url(settings: SlackSettings) -> SecretStr | None:
    """Where an incoming webhook posts to; raises ConfigurationError where it cannot be read."""
    return read_secret(
        "alerts.slack.webhook_url",
        value=settings.webhook_url,
        file=settings.webhook_url_file,
        env=settings.webhook_url_env,
    )


def signing_secret(settings: SlackSettings) -> SecretStr | None:
    """What signs Slack's calls to us; None where nobody is meant to call."""
    return read_secret(
        "alerts.slack.signing_secret",
        value=settings.signing_secret,
        file=settings.signing_secret_file,
        env=settings.signing_secret_env,
    )


def app_token(settings: SlackSettings) -> SecretStr | None:
    """What opens Socket Mode; None where Slack calls us instead."""
    return read_secret(
        "alerts.slack.app_token",
        value=settings.app_token,
        file=settings.app_token_file,
        env=settings.app_token_env,
    )
