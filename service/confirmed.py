"""Earlier incidents whose cause people confirmed or corrected."""

from datetime import datetime, timedelta

from agent.evidence.case import PastIncident
from api.stores import Stores


def confirmed(stores: Stores, now: datetime) -> list[PastIncident]:
    """Incidents of the last year whose cause people confirmed or corrected."""
    found = []
    for said in stores.feedback.since(now - timedelta(days=365), "diagnosis"):
        diagnosis = stores.diagnoses.get(said.target_id)
        primary = diagnosis.primary_hypothesis
        cause = said.actual_cause or (primary.cause if primary and said.verdict == "correct" else None)
        if cause is not None:
            component = primary.component if primary is not None else None
            metrics = diagnosis.affected_metrics
            found.append(PastIncident(diagnosis.id, cause, component, metrics, diagnosis.start_time))
    return found
