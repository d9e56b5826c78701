"""From claimed rows to the message as it should read now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.notice import Notice, Receiver
from alerts.outbox import AlertIntent, AlertMessage, Outbox, StoredAlert, Stories
from alerts.policy import DIGESTS, Reason
from alerts.summary import Summary, summarise
from domain.timestamps import format_rfc3339


@dataclass(frozen=True, slots=True)
class Composed:
    """A message to deliver, and the rows that it tells."""

    notice: Notice
    row_ids: tuple[int, ...]


class Composer:
    """Looks up what a row is about."""

    def __init__(self, outbox: Outbox, stories: Stories, dashboard_url: str) -> None:
        self._outbox = outbox
        self._stories = stories
        self._dashboard_url = dashboard_url

    def compose(self, receiver: Receiver, claimed: Sequence[StoredAlert], now: datetime) -> Composed | None:
        """The message for claimed rows of one subject; None where its incidents are no longer known.

        The rows are read before the incidents, so that whatever a row was stored for is in the message.
        Rows of the subject that still wait are told by it, too.
        """
        subject, mine = claimed[0].subject, {row.id for row in claimed}
        rows = self._outbox.about(receiver.name, subject)
        message = AlertMessage.of(rows)
        told = [row for row in rows if row.id in mine or row.state == "pending"]
        fresh = tuple(dict.fromkeys(AlertIntent.stored(row).incident_id for row in told))
        digest = _heading(subject)
        only_fresh = digest is not None and receiver.updates != "in_place"
        summaries = self._summaries(fresh if only_fresh else message.incident_ids)
        if not summaries:
            return None
        notice = Notice(
            key=f"{subject}@{format_rfc3339(message.first_decided_at)}",
            reason=told[-1].kind,
            summaries=summaries,
            fresh=fresh,
            digest=digest,
            remote_ref=message.remote_ref,
            uncertain=message.unsure,
            now=now,
        )
        return Composed(notice, tuple(row.id for row in told))

    def _summaries(self, incident_ids: Sequence[str]) -> tuple[Summary, ...]:
        stories = (self._stories.story(one) for one in incident_ids)
        return tuple(summarise(story, self._dashboard_url) for story in stories if story is not None)


def _heading(subject: str) -> str | None:
    """What a digest calls itself; None for the message of one incident."""
    kind, _, rest = subject.partition(":")
    return DIGESTS[Reason(rest.partition(":")[0])] if kind == "digest" else None
