"""From claimed rows to the message as it should read now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.escalation import step_of
from alerts.notice import Notice, Receiver
from alerts.outbox import AlertIntent, AlertMessage, Outbox, StoredAlert, Stories
from alerts.policy import DIGESTS, Reason
from alerts.summary import Summary, summarise
from domain.timestamps import format_rfc3339


@dataclass(frozen=True, slots=True)
class Composed:
    """A message to deliver, and the rows that it tells; `over` says why it need not be delivered any more."""

    notice: Notice
    row_ids: tuple[int, ...]
    over: str | None = None


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
        rows = [row for row in self._outbox.about(receiver.name, subject) if row.state != "cancelled"]
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
            escalation=step_of(subject),
        )
        return Composed(notice, tuple(row.id for row in told), _over(notice, rows))

    def _summaries(self, incident_ids: Sequence[str]) -> tuple[Summary, ...]:
        stories = (self._stories.story(one) for one in incident_ids)
        return tuple(summarise(story, self._dashboard_url) for story in stories if story is not None)


def _over(notice: Notice, rows: Sequence[StoredAlert]) -> str | None:
    """Why an escalation that was not told yet is pointless: somebody took the incident, or it ended."""
    status = notice.summaries[0].status
    begun = notice.uncertain or any(row.state == "sent" for row in rows)
    if notice.escalation is None or begun or status == "open":
        return None
    return f"{Reason.ESCALATION_OVER}: {status}"


def _heading(subject: str) -> str | None:
    """What a digest calls itself; None for the message of one incident."""
    kind, _, rest = subject.partition(":")
    return DIGESTS[Reason(rest.partition(":")[0])] if kind == "digest" else None
