"""From a claimed row to the message as it should read now."""

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
    """A message to deliver, and the rows beside the claimed one that it tells as well."""

    notice: Notice
    also: tuple[int, ...]


class Composer:
    """Looks up what a row is about."""

    def __init__(self, outbox: Outbox, stories: Stories, dashboard_url: str) -> None:
        self._outbox = outbox
        self._stories = stories
        self._dashboard_url = dashboard_url

    def compose(self, receiver: Receiver, row: StoredAlert, now: datetime) -> Composed | None:
        """The message for a claimed row; None where nothing is known of its incidents any more.

        The rows are read before the incidents, so that whatever a row was stored for is in the message.
        """
        rows = self._outbox.about(receiver.name, row.subject)
        message = AlertMessage.of(rows)
        waiting = [one for one in rows if one.state == "pending" and one.id != row.id]
        told_now = sorted((row, *waiting), key=lambda one: one.id)
        fresh = tuple(dict.fromkeys(AlertIntent.stored(one).incident_id for one in told_now))
        digest = _heading(row.subject)
        only_fresh = digest is not None and receiver.updates != "in_place"
        summaries = self._summaries(fresh if only_fresh else message.incident_ids)
        if not summaries:
            return None
        notice = Notice(
            key=f"{row.subject}@{format_rfc3339(message.first_decided_at)}",
            reason=told_now[-1].kind,
            summaries=summaries,
            fresh=fresh,
            digest=digest,
            remote_ref=message.remote_ref,
            uncertain=message.unsure,
            now=now,
        )
        return Composed(notice, tuple(one.id for one in waiting))

    def is_told_elsewhere(self, row: StoredAlert) -> bool:
        """Whether a row that waited for the end of a snooze is about an incident told meanwhile."""
        kind, _, incident_id = row.subject.partition(":")
        return kind == "snoozed" and bool(self._outbox.about(row.receiver, f"incident:{incident_id}"))

    def _summaries(self, incident_ids: Sequence[str]) -> tuple[Summary, ...]:
        stories = (self._stories.story(one) for one in incident_ids)
        return tuple(summarise(story, self._dashboard_url) for story in stories if story is not None)


def _heading(subject: str) -> str | None:
    """What a digest calls itself; None for the message of one incident."""
    kind, _, rest = subject.partition(":")
    return DIGESTS[Reason(rest.partition(":")[0])] if kind == "digest" else None
