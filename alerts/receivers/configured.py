"""The receivers that the configuration asks for; a new one is a module here and a line below."""

from collections.abc import Sequence

from alerts.notice import Receiver
from alerts.policy import Target
from alerts.receivers.email import Email
from alerts.receivers.pagerduty import PagerDuty
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.slack import SlackBot, slack_receiver
from alerts.receivers.webhook import Webhook
from alerts.settings import AlertSettings
from domain.errors import ConfigurationError

Configured = tuple[Receiver, ReceiverSettings]


def build_receivers(settings: AlertSettings) -> Sequence[Configured]:
    """Each configured receiver with what it wants.

    Raises:
        ConfigurationError: a secret is not where the configuration says.
    """
    timeout_s, hosts = settings.timeout_seconds, settings.allow_hosts
    found: list[Configured] = []
    if settings.slack:
        found.append((slack_receiver(settings.slack, timeout_s, hosts), settings.slack))
    found += [(Webhook(one, timeout_s, hosts), one) for one in settings.webhook]
    if settings.email:
        found.append((Email(settings.email, timeout_s), settings.email))
    if settings.pagerduty:
        found.append((PagerDuty(settings.pagerduty, timeout_s, hosts), settings.pagerduty))
    return found


def build_escalations(receivers: Sequence[Configured], settings: AlertSettings) -> Sequence[Receiver]:
    """Receivers that only escalations reach: further channels of the bot.

    Raises:
        ConfigurationError: `escalate_to` names somebody who is not configured.
    """
    known = {one.name: one for one, _ in receivers}
    found: list[Receiver] = []
    for name in dict.fromkeys(settings.escalate_to):
        bot = known.get("slack")
        if name.startswith("slack:") and isinstance(bot, SlackBot):
            found.append(bot.in_channel(name.removeprefix("slack:")))
        elif name not in known:
            raise ConfigurationError("alerts.escalate_to", f"{name} is not configured")
    return found


def build_targets(
    receivers: Sequence[Configured], settings: AlertSettings, escalations: Sequence[Receiver] = ()
) -> Sequence[tuple[Target, dict[str, str]]]:
    """The same receivers as policy sees them."""
    ordinary = [
        (Target(one.name, one.updates, scope.severity_threshold or settings.severity_threshold), scope.match)
        for one, scope in receivers
    ]
    return [
        *ordinary,
        *((Target(one.name, one.updates, "low", only_escalations=True), {}) for one in escalations),
    ]
