"""A diagnosis that somebody in Slack asked for: one for each delivery, however often work on it begins."""

from collections.abc import Callable, Mapping

from api.auth import Caller
from api.doors import Doors
from db.inbox import Delivery
from domain.diagnosis import Diagnosis, DiagnosisRequest

STARTED = "diagnosis.started"


def begin(
    doors: Doors,
    caller: Caller,
    delivery: Delivery,
    about: Mapping[str, str],
    request: Callable[[], DiagnosisRequest],
) -> Diagnosis:
    """Start it and put that on record, or find what an earlier attempt started.

    Args:
        doors: the service, its stores and the audit log.
        caller: who asked.
        delivery: by what; its name is that of the diagnosis, too.
        about: what the audit log says of it.
        request: what to investigate, as it is now; a later attempt would ask for another time.
    """
    key = f"slack:{delivery.delivery_id}"
    known = doors.stores.diagnoses.keyed(key) if delivery.attempts > 1 else None
    diagnosis = known or doors.service.diagnose(request(), key)
    if known is None or not _on_record(doors, caller, known):
        doors.audit(caller, STARTED, diagnosis.id, (None, dict(about)))
    return diagnosis


def _on_record(doors: Doors, caller: Caller, diagnosis: Diagnosis) -> bool:
    """Whether the attempt that started it lived to say so."""
    entries = doors.stores.audit.about(STARTED, [diagnosis.id]).get(diagnosis.id, ())
    return any(one.actor == caller.name for one in entries)
