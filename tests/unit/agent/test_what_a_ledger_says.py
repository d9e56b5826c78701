"""The numbers of a ledger add up, noise is called noise, a shift has one onset, no data means no data."""

import dataclasses
import re
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_desk import INCIDENTS, case_of, incident, quiet_desk

from agent.evidence.case import Case
from agent.evidence.changes import level_change
from agent.evidence.ledger import gather
from agent.evidence.record import Ledger
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose, to_diagnosis
from domain.diagnosis import DiagnosisRequest
from domain.series import Window
from prompts.runbook import load_runbooks


def ledger_of(case: Case) -> Ledger:
    return gather(case, EvidenceSettings())


def investigate(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    return diagnose(Investigation.begin(request, ledger_of(case), load_runbooks()))


@pytest.mark.parametrize("kind", INCIDENTS)
def test_tested_series_are_those_that_moved_and_those_that_did_not(kind: str) -> None:
    case = incident(kind, 2)
    values = case.window.values.copy()
    values[3, :-1] = np.nan
    found = ledger_of(
        dataclasses.replace(
            case, window=Window(case.window.series, case.window.step_s, case.window.start, values)
        )
    )
    assert found.tested == found.significant + sum(found.normal.values())
    assert found.tested + found.untested == len(case.window.series)
    (fact,) = [one for one in found.evidence if one.kind == "normal"]
    tested, moved, rest = (int(one) for one in re.findall(r"\d+", fact.statement.replace("0.05", ""))[:3])
    assert (tested, moved, rest) == (found.tested, found.significant, sum(found.normal.values()))
    (fact,) = [one for one in found.evidence if one.kind == "missing"]
    assert fact.statement.startswith(f"{found.untested} more")


@pytest.mark.parametrize("kind", INCIDENTS)
def test_what_does_not_stand_after_correction_is_called_noise_and_no_move(kind: str) -> None:
    done = investigate(incident(kind, 3, decoys=True))
    weak = [
        one
        for one in done.ledger.evidence
        if one.kind in {"shift", "silence"} and one.q_value is not None and one.q_value >= 0.05
    ]
    strong = [one for one in done.ledger.evidence if one.q_value is not None and one.q_value < 0.05]
    assert all("within noise" in one.statement for one in weak)
    assert not any("within noise" in one.statement for one in strong)
    patterns = next(step for step in done.steps if step.name == "pattern_recognition")
    assert not {one.id for one in weak} & set(patterns.evidence_ids)
    assert "within noise" not in patterns.text


@pytest.mark.parametrize("kind", INCIDENTS)
def test_no_fact_is_told_in_full_twice(kind: str) -> None:
    done = to_diagnosis(investigate(incident(kind, 1)), timestamp=incident(kind, 1).end)
    told = [one for one in done.evidence if one.statement in done.detailed_analysis]
    assert told
    assert all(done.detailed_analysis.count(one.statement) == 1 for one in told)


@pytest.mark.parametrize("later", [2, 4, 6])
def test_one_shift_has_one_onset_in_incidents_that_begin_at_different_times(later: int) -> None:
    case = incident("venue_gateway_latency", 2)
    start = case.start
    first = ledger_of(dataclasses.replace(case, onset=start))
    second = ledger_of(dataclasses.replace(case, onset=start + later * timedelta(minutes=5)))
    told = {
        one.series: one.changed_at
        for one in first.signals
        if one.state == "shifted" and not one.outcome and one.q_value < 0.05 and abs(one.z) > 5
    }
    again = {one.series: one.changed_at for one in second.signals if one.state == "shifted"}
    both = set(told) & set(again)
    assert len(both) >= 2
    assert {one: again[one] for one in both} == {one: told[one] for one in both}


@given(st.integers(4, 40), st.integers(3, 40), st.sampled_from([-8.0, 8.0]), st.integers(0, 99))
def test_a_clear_step_is_found_where_it_is(before: int, after: int, size: float, seed: int) -> None:
    values = np.random.default_rng(seed).uniform(-0.5, 0.5, before + after)
    values[before:] += size
    assert level_change(values, rising=size > 0) == before
    assert level_change(values, rising=size < 0) != before


def test_a_series_without_samples_or_without_any_move_has_no_change() -> None:
    assert level_change(np.full(9, np.nan), rising=True) is None
    assert level_change(np.full(9, 3.0), rising=True) is None


@pytest.mark.parametrize("hours", [-40, 30])
def test_where_no_data_are_held_it_says_so_and_not_that_all_is_well(hours: int) -> None:
    case = case_of(quiet_desk(1), "maker", 280)
    shift = timedelta(hours=hours)
    done = investigate(dataclasses.replace(case, start=case.start + shift, end=case.end + shift))
    assert done.outcome == "inconclusive"
    assert done.summary.startswith("No data")
    assert all("No data" in step.text for step in done.steps if step.name == "root_cause_determination")
    assert done.ledger.impact is None


def test_a_window_of_gaps_is_no_data_either() -> None:
    case = case_of(quiet_desk(1), "maker", 280)
    values = case.window.values.copy()
    values[:, 270:] = np.nan
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    done = investigate(dataclasses.replace(case, window=window))
    assert done.outcome == "inconclusive"
    assert "No data" in done.summary


def test_where_nothing_changed_no_onset_is_claimed() -> None:
    for seed in range(400, 408):
        found = ledger_of(case_of(quiet_desk(seed), "maker", 280))
        (fact,) = [one for one in found.evidence if one.kind == "onset"]
        assert "no clear change" in fact.statement, seed
    (fact,) = [one for one in ledger_of(incident("fat_finger", 1)).evidence if one.kind == "onset"]
    assert " changed at " in fact.statement
