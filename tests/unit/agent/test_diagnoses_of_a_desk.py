"""Incidents of a desk get the right cause, and nothing is blamed where nothing is wrong."""

import dataclasses
import re
from datetime import timedelta
from functools import lru_cache

import numpy as np
import pytest
from small_desk import INCIDENTS, VENUES, add_decoys, case_of, incident, quiet_desk

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import STEPS, diagnose, run_step, to_diagnosis
from domain.diagnosis import STEP_NAMES, Diagnosis, DiagnosisRequest
from domain.series import Window
from domain.topology import Topology
from prompts.runbook import Runbook, load_runbooks


@lru_cache(maxsize=1)
def runbooks() -> tuple[Runbook, ...]:
    return load_runbooks()


def investigate(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    return diagnose(Investigation.begin(request, gather(case, EvidenceSettings()), runbooks()))


def diagnosed(case: Case) -> Diagnosis:
    return to_diagnosis(investigate(case), timestamp=case.end)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", INCIDENTS)
def test_the_right_cause_is_found_among_decoys(kind: str, seed: int) -> None:
    done = investigate(incident(kind, seed, decoys=True))
    assert done.hypotheses[0].cause == kind
    assert done.outcome == "cause_found"


@pytest.mark.parametrize("kind", INCIDENTS)
def test_the_right_cause_is_found_at_a_resolution_of_a_minute(kind: str) -> None:
    done = investigate(incident(kind, 2, step_s=60))
    assert done.hypotheses[0].cause == kind


@pytest.mark.parametrize("kind", INCIDENTS)
def test_the_right_cause_is_found_when_the_whole_desk_is_to_be_explained(kind: str) -> None:
    case = incident(kind, 1)
    money = tuple(one.name for one in case.window.series if one.key.metric == "pnl")
    done = investigate(dataclasses.replace(case, targets=money, target_component="desk"))
    assert done.hypotheses[0].cause == kind


def test_a_quiet_desk_has_no_cause_even_with_events_before_it() -> None:
    for seed in range(200, 215):
        desk = quiet_desk(seed)
        add_decoys(desk, desk.columns - 6)
        done = investigate(case_of(desk, "maker", desk.columns - 5))
        assert done.outcome in {"no_fault", "inconclusive"}, seed
        assert all(one.supports is None for one in done.ledger.events), seed


@pytest.mark.parametrize("kind", ["venue_gateway_latency", "stale_feed", "fat_finger", "funding_shock"])
def test_after_shuffling_time_no_cause_is_left(kind: str) -> None:
    case = incident(kind, 4)
    order = np.random.default_rng(9).permutation(case.window.n_steps)
    window = Window(case.window.series, case.window.step_s, case.window.start, case.window.values[:, order])
    done = investigate(dataclasses.replace(case, window=window, logs=()))
    assert done.outcome in {"no_fault", "inconclusive"}


@pytest.mark.parametrize("kind", ["venue_gateway_latency", "flash_crash", "bad_deploy"])
def test_the_order_of_series_changes_nothing(kind: str) -> None:
    case = incident(kind, 5)
    order = np.random.default_rng(3).permutation(len(case.window.series))
    shuffled = dataclasses.replace(case, window=case.window.select([int(i) for i in order]))
    first, second = gather(case, EvidenceSettings()), gather(shuffled, EvidenceSettings())
    assert first.components == second.components
    assert first.evidence == second.evidence
    assert first.none_confidence == pytest.approx(second.none_confidence)


def test_the_same_case_gives_the_same_diagnosis() -> None:
    first, second = (investigate(incident("pump_and_dump", 6)) for _ in range(2))
    assert first.ledger == second.ledger
    assert first.hypotheses == second.hypotheses


def test_a_change_of_another_component_is_not_counted_as_evidence() -> None:
    done = diagnosed(incident("liquidity_drain", 7, decoys=True))
    events = [one for one in done.evidence if one.kind in {"event", "news"}]
    assert len(events) == 3
    assert all("not counted as evidence" in one.statement for one in events)
    assert not {one.id for one in events} & set(
        done.primary_hypothesis.supporting if done.primary_hypothesis else ()
    )


def test_a_deploy_of_the_odd_component_supports_it() -> None:
    done = diagnosed(incident("bad_deploy", 2))
    supporting = [one for one in done.evidence if one.kind == "event"]
    assert done.primary_hypothesis is not None
    assert supporting[0].id in done.primary_hypothesis.supporting
    assert supporting[0].quoted == "maker 4.2.0 released"
    assert "4.2.0" not in supporting[0].statement


@pytest.mark.parametrize("kind", INCIDENTS)
def test_every_number_of_the_text_stands_in_the_ledger_or_a_runbook(kind: str) -> None:
    done = investigate(incident(kind, 3))
    facts = " ".join(one.statement for one in done.ledger.evidence)
    catalogue = " ".join(one.model_dump_json() for one in done.runbooks)
    counts = f"{done.ledger.tested} {done.ledger.significant} {len(done.runbooks)} 0.05"
    counts += " " + " ".join(f"{one.confidence * 100:.0f}" for one in done.hypotheses)
    length = f"{(done.ledger.end - done.ledger.onset) / timedelta(minutes=1):.0f}"
    known = set(_numbers(f"{facts} {catalogue} {counts} {length} {len(done.hypotheses)}"))
    known |= {str(n) for n in range(1, 12)}
    for text in (done.summary, *(step.text for step in done.steps)):
        bare = re.sub(r"\[E[\d, E]+\]", "", text)
        assert not [number for number in _numbers(bare) if number not in known], text


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*\d|\d", text)


@pytest.mark.parametrize("kind", INCIDENTS)
def test_the_summary_says_the_money_first_and_stays_short(kind: str) -> None:
    done = diagnosed(incident(kind, 1))
    assert re.match(r"-\$[\d,]+", done.executive_summary)
    assert len(done.executive_summary.split()) <= 80
    assert done.executive_summary.endswith(".")
    assert "{" not in done.executive_summary + done.detailed_analysis


def test_actions_are_numbered_through_and_reversible_ones_come_first() -> None:
    done = diagnosed(incident("silent_strategy", 1))
    actions = (*done.immediate_actions, *done.preventive_measures, *done.monitoring_recommendations)
    assert [one.n for one in actions] == list(range(1, len(actions) + 1))
    flags = [one.reversible for one in done.immediate_actions]
    assert flags == sorted(flags, key=lambda flag: not flag)
    assert all(one.owner for one in actions)


def test_confidences_sum_to_one_and_are_capped_before_calibration() -> None:
    for kind in INCIDENTS:
        done = diagnosed(incident(kind, 2))
        first = done.primary_hypothesis
        assert first is not None
        everything = (first, *done.alternative_hypotheses)
        assert sum(one.confidence for one in everything) == pytest.approx(1.0)
        assert "unknown" in {one.cause for one in everything}
        assert len(done.alternative_hypotheses) <= 3
        assert first.confidence <= 0.95
        assert not done.calibrated


def test_a_cause_without_a_graph_is_capped_and_says_so() -> None:
    case = dataclasses.replace(incident("connection_pool_exhaustion", 1), topology=Topology())
    done = investigate(case)
    assert done.confidence <= 0.65
    assert "no cause graph" in done.caps


def test_steps_can_be_run_one_by_one_with_a_checkpoint_between_them() -> None:
    case = incident("stale_feed", 1)
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    at_once = Investigation.begin(request, gather(case, EvidenceSettings()), runbooks())
    stepwise = at_once
    for name in STEP_NAMES:
        stepwise = Investigation.model_validate_json(run_step(name, stepwise).model_dump_json())
    assert stepwise.hypotheses == diagnose(at_once).hypotheses
    assert [step.name for step in stepwise.steps] == list(STEPS)


def test_one_market_cause_on_many_venues_is_told_once() -> None:
    done = diagnosed(incident("flash_crash", 1))
    assert done.primary_hypothesis is not None
    assert all(venue in done.primary_hypothesis.title for venue in VENUES)
