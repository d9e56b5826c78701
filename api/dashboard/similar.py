"""What people said about similar ones: a false alarm or a wrong cause marks what looks like it."""

from dataclasses import dataclass
from datetime import timedelta

from api.dashboard import fmt
from api.doors import Doors
from domain.anomaly import Anomaly
from domain.diagnosis import Diagnosis

_MEMORY = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Why a row is marked; `rank` is 1 where it now ranks below its equals."""

    words: str = ""
    rank: int = 0


class Judged:
    """The false alarms and wrong causes of the last four weeks."""

    def __init__(self, door: Doors) -> None:
        said = door.stores.feedback.since(door.service.now() - _MEMORY)
        false = {one.target_id: one for one in said if one.verdict == "false_positive"}
        wrong = {one.target_id: one for one in said if one.verdict == "incorrect" and one.kind == "diagnosis"}
        self._alarms = {_pattern(one): one.id for one in door.stores.anomalies.many(list(false)).values()}
        found = door.stores.diagnoses.many(list(wrong))
        self._causes = {
            cause: (one.id, wrong[one.id].actual_cause)
            for one in found.values()
            if (cause := _cause(one)) is not None
        }

    def of(self, lead: Anomaly | None, diagnosis: Diagnosis | None) -> Likeness:
        """How an incident is like something that was judged wrong."""
        alarm = self._alarms.get(_pattern(lead)) if lead else None
        if lead is not None and alarm not in {None, lead.id}:
            return Likeness(f"like {alarm}, a false alarm", 1)
        cause = _cause(diagnosis) if diagnosis else None
        known = self._causes.get(cause) if cause else None
        if diagnosis is None or known is None or known[0] == diagnosis.id:
            return Likeness()
        really = f": it really was {fmt.words(known[1])}" if known[1] else ""
        return Likeness(f"the same cause was wrong in {known[0]}{really}", 1)


def _pattern(one: Anomaly) -> tuple[str, str]:
    return one.rule, one.affected_metrics[0]


def _cause(one: Diagnosis) -> tuple[str, str | None] | None:
    lead = one.primary_hypothesis
    return (lead.cause, lead.component) if lead and lead.cause != "unknown" else None
