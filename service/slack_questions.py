"""Questions and commands from Slack: answered by the product's chat, one thread of it per thread there."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alerts.outbox import Stories
from alerts.slack.inbound import Said
from alerts.slack.mouth import SlackMouth
from alerts.slack.replies import answer_message, help_message, incidents_message
from alerts.slack.replies import said as message_of
from alerts.summary import summarise
from alerts.text import mrkdwn
from api.auth import Caller
from api.doors import Doors
from db.inbox import Delivery
from db.outbox import OutboxStore
from db.records import ChatMessage
from domain.anomaly import SEVERITIES, severity_rank
from domain.diagnosis import Diagnosis, DiagnosisRequest
from domain.errors import InvalidInput
from service.slack_diagnosis import begin
from service.slack_people import People

SHOWN = 15
MAX_METRICS = 20
LOOK_BACK = timedelta(hours=1)
PATIENCE_S = 25.0
_QUESTION = re.compile(
    r"\?|^(why|what|when|where|who|which|how|is|are|was|were|did|does|do|has|have|can|could|should|show|list"
    r"|explain|compare|diagnose|investigate|summari[sz]e|tell)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers what is asked in threads and by the slash command."""

    doors: Doors
    outbox: OutboxStore
    stories: Stories
    mouth: SlackMouth
    dashboard_url: str

    def asked(self, said: Said, delivery: Delivery, caller: Caller) -> None:
        """Answer a mention, or a question in a thread of ours; talk among people is left alone."""
        known = self._thread_of(said)
        incident_id = None if known else self._incident_of(said)
        if said.kind == "reply" and not ((known or incident_id) and _QUESTION.search(said.text)):
            return
        key = f"reply:{delivery.delivery_id}"
        if delivery.attempts > 1 and self.mouth.replied(said.channel, said.thread, key):
            return
        message = help_message()
        if said.text:
            thread = known or self._begin(said, incident_id)
            message = answer_message(self._answer(said.text, thread, caller, delivery), self.dashboard_url)
        self.mouth.reply(said.channel, said.thread, message, key)

    def command(self, said: Said, delivery: Delivery, people: People) -> Mapping[str, Any]:
        """Do `/analyst ...` and return what to say to the one who typed it."""
        word, _, rest = said.text.partition(" ")
        match word.lower():
            case "status":
                return self._status()
            case "incidents":
                return self._incidents()
            case "diagnose" if rest.strip():
                return self._diagnose(rest.strip(), people.operator(said.user), delivery)
            case "ask" | "diagnose" | "help":
                question = rest.strip() if word.lower() == "ask" else ""
            case _:
                question = said.text if rest.strip() else ""
        if not question:
            return help_message()
        thread = self._thread_of(said) or self._begin(said, None)
        answer = self._answer(question, thread, people.caller(said.user), delivery)
        return answer_message(answer, self.dashboard_url)

    def _owner(self, said: Said) -> str:
        """Who owns the product's thread: the thread in Slack, or one person's commands in a channel."""
        return f"slack:{said.channel}:{said.thread or said.user}"

    def _thread_of(self, said: Said) -> str | None:
        found = self.doors.stores.chats.list(self._owner(said), limit=1).items
        return found[0].id if found else None

    def _incident_of(self, said: Said) -> str | None:
        """The incident whose message a thread hangs on; None for other threads and for digests."""
        rows = self.outbox.behind(f"{said.channel}:{said.thread}")
        told = list(dict.fromkeys(str(row.payload.get("incident_id")) for row in rows))
        return told[0] if len(told) == 1 or (told and rows[0].subject == f"incident:{told[0]}") else None

    def _begin(self, said: Said, incident_id: str | None) -> str:
        """A thread of the product, with the incident as its subject where it has one."""
        chats, now = self.doors.stores.chats, self.doors.service.now()
        title = f"Slack, about {incident_id}" if incident_id else "Slack"
        thread = chats.start(self._owner(said), title, now).id
        if incident_id is not None:
            title = self.doors.stores.incidents.get(incident_id).title
            cited = ({"kind": "incident", "id": incident_id},)
            chats.append(thread, ChatMessage(0, "user", f"What happened in {incident_id}?", now))
            told = f"{title} [{incident_id}]"
            chats.append(thread, ChatMessage(0, "assistant", told, now, citations=cited))
        return thread

    def _answer(self, text: str, thread: str, caller: Caller, delivery: Delivery) -> str:
        if delivery.attempts > 1:
            before = self.doors.stores.chats.messages(thread)[-2:]
            if [one.role for one in before] == ["user", "assistant"] and before[0].text == text:
                return before[1].text  # answered by an attempt that did not live to say it
        return self.doors.service.chat(text, thread, caller.name, caller.role).answer

    def _status(self) -> Mapping[str, Any]:
        incidents = self.doors.stores.incidents.open()
        counts = [
            f"{count} {severity}"
            for severity in reversed(SEVERITIES)
            if (count := sum(one.severity == severity for one in incidents))
        ]
        lines = [f"*Open incidents:* {', '.join(counts) if counts else 'none'}"]
        sources = self.doors.service.sources()
        troubled = [one for one in sources if one.status not in {"ok", "warming_up"}]
        well = (
            f"{len(sources) - len(troubled)} of {len(sources)} well" if sources else "none; data are pushed"
        )
        lines.append(f"*Sources:* {well}")
        lines += [f"• {mrkdwn(one.name, 100)}: {one.status}" for one in troubled[:10]]
        last = self.doors.stores.cycles.last("done")
        if last is not None and last.finished_at is not None:
            age = max(0.0, (self.doors.service.now() - last.finished_at).total_seconds())
            lines.append(f"*Last cycle:* {age:.0f} s ago, {last.series} series")
        delivery = self.doors.service.alerts.delivery()
        lines.append(f"*Alerts:* {delivery.status}, {delivery.pending} waiting, {delivery.parked} refused")
        return message_of("\n".join(lines))

    def _incidents(self) -> Mapping[str, Any]:
        found = sorted(
            self.doors.stores.incidents.open(), key=lambda one: (-severity_rank(one.severity), one.started_at)
        )
        stories = [self.stories.story(one.id) for one in found[:SHOWN]]
        summaries = [summarise(one, self.dashboard_url) for one in stories if one is not None]
        return incidents_message(summaries, len(found) - len(summaries), self.dashboard_url)

    def _diagnose(self, name: str, caller: Caller, delivery: Delivery) -> Mapping[str, Any]:
        begun = begin(self.doors, caller, delivery, {"metric": name}, lambda: self._request(name))
        deadline = time.monotonic() + PATIENCE_S
        while begun.status in {"queued", "running"} and time.monotonic() < deadline:
            time.sleep(0.1)
            begun = self.doors.stores.diagnoses.get(begun.id)
        return answer_message(_told(begun), self.dashboard_url)

    def _request(self, name: str) -> DiagnosisRequest:
        now = self.doors.service.now()
        return DiagnosisRequest(
            start_time=now - LOOK_BACK, end_time=now, affected_metrics=tuple(self._series_named(name))
        )

    def _series_named(self, name: str) -> Sequence[str]:
        """All series of a metric, or the one series that is written out."""
        known = [one.name for one in self.doors.stores.series.all() if name in {one.key.metric, one.name}]
        if not known:
            raise InvalidInput("metric", f"no series is called {name[:100]}")
        return known[:MAX_METRICS]


def _told(diagnosis: Diagnosis) -> str:
    """A diagnosis in two lines."""
    if diagnosis.status in {"queued", "running"}:
        return f"Investigating [{diagnosis.id}]; it takes longer than usual."
    if diagnosis.status != "done" or diagnosis.primary_hypothesis is None:
        return f"[{diagnosis.id}] ended without a cause ({diagnosis.outcome or diagnosis.status})."
    first = diagnosis.primary_hypothesis
    sure = f"{round(100 * first.confidence)} %"
    head = {"cause_found": "Likely cause", "no_fault": "No fault; at most"}.get(
        diagnosis.outcome or "", "Inconclusive; at most"
    )
    return f"[{diagnosis.id}] {head}: {first.title}, {sure}.\n{diagnosis.executive_summary}"
