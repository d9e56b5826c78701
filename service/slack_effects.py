"""What a button, a window, a question or a command from Slack does: the same as REST, on the same record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from alerts.blocks import ACKNOWLEDGE, CORRECT, DIAGNOSE_AGAIN, OPEN, SNOOZE, SNOOZES, WRONG
from alerts.slack.inbound import Said
from alerts.slack.modals import UNKNOWN, wrong_modal
from alerts.slack.mouth import SlackMouth
from alerts.slack.replies import said as message_of
from alerts.text import mrkdwn
from api.auth import Caller
from api.doors import Doors
from api.feedback import Verdict, give
from api.routes.incidents import change
from db.anomalies import AnomalyFilter
from db.inbox import Delivery
from domain.diagnosis import DiagnosisRequest
from domain.errors import Conflict, Forbidden, InvalidInput, NotifyError
from domain.feedback import DiagnosisVerdict
from service.investigations import request_for
from service.slack_diagnosis import begin
from service.slack_in import Slot
from service.slack_people import People
from service.slack_questions import Questions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SlackEffects:
    """Implements `service.slack_in.Effects`.

    Args:
        doors: the service, its stores and the audit log.
        people: who may do what.
        mouth: how we answer.
        questions: what is asked and commanded.
        causes: key and words of every known cause.
    """

    doors: Doors
    people: People
    mouth: SlackMouth
    questions: Questions
    causes: tuple[tuple[str, str], ...]

    def perform(self, said: Said, delivery: Delivery, slot: Slot | None) -> None:
        """Do what was asked for, unless by somebody of a workspace that is not ours."""
        if not self.people.belongs(said.team):
            log.warning("slack_stranger", kind=said.kind, user=said.user, team=said.team)
            if said.kind in {"mention", "reply"}:
                return  # whoever shares a channel with us may talk there, but gets no answer
            raise Forbidden("only people of the desk's own workspace can do this")
        if said.kind in {"mention", "reply"}:
            self.questions.asked(said, delivery, self.people.caller(said.user))
        elif said.kind == "command":
            self._whisper(said, slot, self.questions.command(said, delivery, self.people))
        elif said.kind == "wrong":
            self._told_wrong(said)
        else:
            self._pressed(said, delivery)

    def apologise(self, said: Said, delivery: Delivery, slot: Slot | None, why: str) -> None:
        """Say why it was not done, to the one who asked; in a thread where that is where it was asked."""
        message = message_of(f"Not done: {mrkdwn(why, 500)}.")
        try:
            if said.kind in {"mention", "reply"}:
                self.mouth.reply(said.channel, said.thread, message, f"reply:{delivery.delivery_id}")
            else:
                self._whisper(said, slot, message)
        except NotifyError as error:
            log.warning("slack_apology_lost", error=error.reason)

    def _pressed(self, said: Said, delivery: Delivery) -> None:
        if said.action == OPEN:
            return  # Slack opens the link by itself
        caller = self.people.operator(said.user)
        if said.action == ACKNOWLEDGE:
            self._acknowledge(caller, said)
        elif said.action == SNOOZE:
            self._snooze(caller, said)
        elif said.action == DIAGNOSE_AGAIN:
            self._diagnose(caller, said, delivery)
        elif said.action == CORRECT:
            self._judge(caller, said.value, "correct")
        elif said.action == WRONG:
            self._ask_what_it_was(caller, said)
        else:
            raise InvalidInput("action", "is not a button of ours")

    def _acknowledge(self, caller: Caller, said: Said) -> None:
        incident = self.doors.stores.incidents.get(said.value)
        if incident.status == "acknowledged":
            if incident.assignee != caller.name:
                raise Conflict(f"{incident.assignee or 'somebody'} has acknowledged it already")
            return
        if incident.status == "resolved":
            raise Conflict("it is resolved already")
        change(self.doors, caller, incident.id, {"status": "acknowledged"})

    def _snooze(self, caller: Caller, said: Said) -> None:
        incident_id, _, seconds = said.value.partition(":")
        if seconds not in {str(one) for _, one in SNOOZES}:
            raise InvalidInput("snooze", "is not one of the choices")
        if self.doors.stores.incidents.get(incident_id).status == "resolved":
            raise Conflict("it is resolved already")
        until = self.doors.service.now() + timedelta(seconds=int(seconds))
        change(self.doors, caller, incident_id, {"snoozed_until": until})

    def _diagnose(self, caller: Caller, said: Said, delivery: Delivery) -> None:
        diagnosis = begin(
            self.doors, caller, delivery, {"incident": said.value}, lambda: self._request(said.value)
        )
        text = f"Investigating {said.value} again ({diagnosis.id}); the message changes when it is done."
        self._confirm(said, message_of(text))

    def _request(self, incident_id: str) -> DiagnosisRequest:
        """What to investigate about an incident as it is now."""
        stores = self.doors.stores
        incident = stores.incidents.get(incident_id)
        anomalies = tuple(stores.anomalies.iterate(AnomalyFilter(incident_id=incident.id)))
        if not anomalies:
            raise Conflict("its anomalies are no longer stored")
        return request_for(incident, anomalies, self.doors.service.now())

    def _judge(
        self, caller: Caller, diagnosis_id: str, verdict: DiagnosisVerdict, *, cause: str = "", why: str = ""
    ) -> None:
        stores = self.doors.stores
        stores.diagnoses.get(diagnosis_id)
        mine = [one for one in stores.feedback.of("diagnosis", diagnosis_id) if one.author == caller.name]
        if mine and (mine[-1].verdict, mine[-1].actual_cause or "") == (verdict, cause):
            return  # said before; pressing twice is not two votes
        give(
            self.doors,
            caller,
            Verdict("diagnosis", diagnosis_id, verdict, cause or None, why.strip() or None),
        )

    def _ask_what_it_was(self, caller: Caller, said: Said) -> None:
        self.doors.stores.diagnoses.get(said.value)
        if not self.mouth.has_bot:
            self._judge(caller, said.value, "incorrect")
            return
        view = wrong_modal(said.value, f"{said.channel}|{said.thread}", self.causes)
        if not self.mouth.open_window(said.trigger, view):
            raise Conflict("Slack had closed the moment for a window; press the button again")

    def _told_wrong(self, said: Said) -> None:
        caller = self.people.operator(said.user)
        if said.text not in {UNKNOWN, *(key for key, _ in self.causes)}:
            raise InvalidInput("cause", "is not one of the choices")
        cause = "" if said.text == UNKNOWN else said.text
        self._judge(caller, said.value, "incorrect", cause=cause, why=said.comment)

    def _confirm(self, said: Said, message: Mapping[str, Any]) -> None:
        """Say that something was done; that it was done does not depend on it."""
        try:
            self._whisper(said, None, message)
        except NotifyError as error:
            log.warning("slack_confirmation_lost", error=error.reason)

    def _whisper(self, said: Said, slot: Slot | None, message: Mapping[str, Any]) -> None:
        """To the one person, by the quickest way that is open."""
        if slot is not None and slot.give({"response_type": "ephemeral", **message}):
            return
        if said.response_url:
            self.mouth.whisper(said.response_url, message)
        elif said.channel:
            self.mouth.whisper_in(said.channel, said.user, said.thread, message)
