"""Open incidents stand in the order of what they go on to cost per hour."""

from api_desk import NOW, anomaly, finished

from api.dashboard.incident_list import _others, ordered
from api.dashboard.views import effect_of
from domain.diagnosis import Diagnosis
from domain.evidence import Evidence, TimeWindow
from domain.incident import Incident
from domain.money import Impact


def _incident(name: str, amount: float, per_hour: float | None, *, over: bool = False) -> Incident:
    impact = Impact(amount=amount, low=amount - 1, high=amount + 1, per_hour=per_hour)
    ended = NOW if over else None
    return Incident(id=name, title=name, severity="high", started_at=NOW, ended_at=ended, impact=impact)


def test_the_dearest_per_hour_comes_first_whatever_the_others_have_cost_so_far() -> None:
    slow = _incident("I-1", -50_000, -1_000)
    fast = _incident("I-2", -4_000, -40_000)
    done = _incident("I-3", -9_000, -90_000, over=True)
    unknown = _incident("I-4", -2_000, None)
    none = Incident(id="I-5", title="I-5", severity="high", started_at=NOW)
    for sort in ("impact", "severity"):
        found = [one.id for one in ordered([none, slow, unknown, done, fast], sort, {})]
        assert found == ["I-2", "I-3", "I-4", "I-1", "I-5"]


def test_a_row_counts_series_as_its_title_does_and_takes_its_sigma_from_the_diagnosis() -> None:
    one = _incident("I-1", -1, None).model_copy(update={"title": "sudden loss: pnl and 12 more"})
    assert _others(one) == 12
    assert _others(one.model_copy(update={"title": "sudden loss: pnl"})) == 0
    lead = anomaly()
    told = finished(Diagnosis(id="D-1", timestamp=NOW, start_time=NOW, end_time=NOW))
    fact = Evidence(
        id="E9",
        kind="shift",
        series=lead.affected_metrics,
        statement="x",
        effect_size=-7.5,
        window=TimeWindow(start=NOW, end=NOW),
    )
    assert effect_of(lead, told.model_copy(update={"evidence": (fact,)})) == -7.5
    assert effect_of(lead, None) == lead.z_score
    assert effect_of(None, None) is None
