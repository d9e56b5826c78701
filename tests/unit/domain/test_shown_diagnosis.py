"""Which of several looks at an incident is the one that is shown."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.diagnosis import Diagnosis, Hypothesis, Outcome, supersedes

START = datetime(2026, 3, 1, 6, 10, tzinfo=UTC)


def look(cause: str, confidence: float, *, outcome: Outcome = "cause_found", start: float = 0) -> Diagnosis:
    began = START + timedelta(minutes=start)
    return Diagnosis(
        timestamp=began,
        start_time=began,
        end_time=began + timedelta(minutes=20),
        affected_metrics=("pnl",),
        outcome=outcome,
        confidence_score=confidence,
        primary_hypothesis=Hypothesis(
            id="H1", title=cause, cause=cause, description="", confidence=confidence
        ),
    )


SURE = look("pump_and_dump", 0.95)


@pytest.mark.parametrize(
    ("later", "shown", "replaced"),
    [
        (look("news_shock", 0.43), SURE, False),
        (look("volatility_regime_shift", 0.87), SURE, False),
        (look("pump_and_dump", 0.5), SURE, False),
        (look("unknown", 0.9, outcome="inconclusive"), SURE, False),
        (look("pump_and_dump", 0.85), SURE, True),
        (look("news_shock", 0.95), SURE, True),
        (look("news_shock", 0.43, start=30), SURE, True),
        (look("news_shock", 0.43), look("pump_and_dump", 0.7), True),
        (look("unknown", 0.6, outcome="inconclusive"), look("pump_and_dump", 0.7), True),
        (look("unknown", 0.9, outcome="no_fault"), look("venue_outage", 0.65), False),
        (look("unknown", 0.9, outcome="no_fault", start=30), look("venue_outage", 0.65), True),
        (look("unknown", 0.9, outcome="no_fault"), look("unknown", 0.6, outcome="inconclusive"), True),
    ],
)
def test_a_sure_cause_gives_way_to_one_that_is_as_sure_or_to_another_question(
    later: Diagnosis, shown: Diagnosis, replaced: bool
) -> None:
    assert supersedes(later, shown) is replaced
