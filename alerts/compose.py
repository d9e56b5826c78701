"""From claimed rows to the message as it should read now."""

from collections.abc import Sequence
from datetime import datetime

from alerts.notice import Notice, Receiver
from alerts.outbox import AlertIntent, AlertMessage, Outbox, StoredAlert, Stories
from alerts.policy import DIGESTS, Reason
from alerts.summary import Summary, summarise
from domain.timestamps import format_rfc3339


class Composer:
    """Looks up what the rows are about."""

    def __init__(self, outbox: Outbox, stories: Stories, dashboard_url: str) -> None:
        self._outbox = outbox
        self._stories = stories
        self._dashboard_url = dashboard_url

    def compose(
        self, receiver: Receiver, subject: str, rows: Sequence[StoredAlert], harmless: int, now: datetime
    ) -> Notice | None:
        """The notice for claimed rows of one subject; None where nothing is known of its incidents any more.

        Args:
            receiver: whom it is for.
            subject: the message.
            rows: claimed rows, at least one.
            harmless: earlier attempts of which it is known that they delivered nothing.
            now: the time of the service.
        """
        message = AlertMessage.of(self._outbox.about(receiver.name, subject) or rows)
        fresh = tuple(dict.fromkeys(AlertIntent.stored(row).incident_id for row in rows))
        digest = _heading(subject)
        only_fresh = digest is not None and receiver.updates != "in_place"
        summaries = self._summaries(fresh if only_fresh else message.incident_ids)
        if not summaries:
            return None
        return Notice(
            key=f"{subject}@{format_rfc3339(message.first_decided_at)}",
            reason=rows[-1].kind,
            summaries=summaries,
            fresh=fresh,
            digest=digest,
            remote_ref=message.remote_ref,
            uncertain=_uncertain(message, rows, harmless),
            now=now,
        )

    def _summaries(self, incident_ids: Sequence[str]) -> tuple[Summary, ...]:
        stories = (self._stories.story(one) for one in incident_ids)
        return tuple(summarise(story, self._dashboard_url) for story in stories if story is not None)


def _heading(subject: str) -> str | None:
    """What a digest calls itself; None for the message of one incident."""
    kind, _, rest = subject.partition(":")
    return DIGESTS[Reason(rest.partition(":")[0])] if kind == "digest" else None


def _uncertain(message: AlertMessage, rows: Sequence[StoredAlert], harmless: int) -> bool:
    """Whether an attempt before this one may have been delivered without an answer to say so."""
    return message.possible_repeat or message.attempts - len(rows) - harmless > 0
