"""What receivers were told so far: the view of the outbox on which decisions rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.outbox import AlertIntent, AlertMessage, StoredAlert


@dataclass(slots=True)
class History:
    """The messages of the last hours and of all incidents that are still open.

    Decisions made from it are added at once, so that one cycle with many incidents counts them all.
    """

    messages: dict[tuple[str, str], AlertMessage] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[StoredAlert]) -> "History":
        """Build from stored rows, oldest first."""
        found: dict[tuple[str, str], list[StoredAlert]] = {}
        for row in rows:
            if row.state == "cancelled":
                continue
            found.setdefault((row.receiver, row.subject), []).append(row)
        return cls({key: AlertMessage.of(group) for key, group in found.items()})

    def message_of(self, receiver: str, incident_id: str) -> AlertMessage | None:
        """The message that names an incident: its own if there is one, else the newest."""
        own = self.messages.get((receiver, f"incident:{incident_id}"))
        if own is not None:
            return own
        naming = [one for one in self._of(receiver) if incident_id in one.incident_ids]
        return max(naming, key=lambda one: one.first_decided_at) if naming else None

    def own_messages(self, receiver: str, since: datetime) -> Sequence[AlertMessage]:
        """Messages of single incidents decided since then, newest first."""
        found = [
            one
            for one in self._of(receiver)
            if one.subject.startswith("incident:") and one.first_decided_at >= since
        ]
        return sorted(found, key=lambda one: one.first_decided_at, reverse=True)

    def escalations(self, receiver: str, incident_id: str) -> Sequence[AlertMessage]:
        """Messages by which an incident was escalated to a receiver."""
        wanted = f"escalation:{incident_id}:"
        return [one for one in self._of(receiver) if one.subject.startswith(wanted)]

    def digests(self, receiver: str, reason: str) -> Sequence[AlertMessage]:
        """Digests of one reason, newest first."""
        found = [one for one in self._of(receiver) if one.subject.startswith(f"digest:{reason}:")]
        return sorted(found, key=lambda one: one.first_decided_at, reverse=True)

    def counted(self, receiver: str, since: datetime) -> int:
        """How many decisions since then use up the hourly limit."""
        intents = (intent for one in self._of(receiver) for intent in one.intents)
        return sum(1 for intent in intents if intent.counted and intent.decided_at > since)

    def add(self, intent: AlertIntent) -> None:
        """Remember a decision."""
        key = (intent.receiver, intent.subject)
        known = self.messages.get(key)
        if known is None:
            self.messages[key] = AlertMessage(
                receiver=intent.receiver,
                subject=intent.subject,
                incident_ids=(intent.incident_id,),
                first_decided_at=intent.decided_at,
                intents=(intent,),
            )
            return
        ids = known.incident_ids
        ids = ids if intent.incident_id in ids else (*ids, intent.incident_id)
        self.messages[key] = replace(known, incident_ids=ids, intents=(*known.intents, intent))

    def _of(self, receiver: str) -> Iterable[AlertMessage]:
        return (one for one in self.messages.values() if one.receiver == receiver)
