"""The receivers that the configuration asks for; a new one is a module here and a line below."""

from collections.abc import Sequence

from alerts.notice import Receiver
from alerts.policy import Target
from alerts.receivers.email import Email
from alerts.receivers.pagerduty import PagerDuty
from alerts.receivers.scope import ReceiverSettings
from alerts.receivers.slack import slack_receiver
from alerts.receivers.webhook import Webhook
from alerts.settings import AlertSettings

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


def build_targets(
    receivers: Sequence[Configured], settings: AlertSettings
) -> Sequence[tuple[Target, dict[str, str]]]:
    """The same receivers as policy sees them."""
    return [
        (Target(one.name, one.updates, scope.severity_threshold or settings.severity_threshold), scope.match)
        for one, scope in receivers
    ]
