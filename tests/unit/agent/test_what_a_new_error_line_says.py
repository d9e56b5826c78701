"""A line that detection told of as new is looked at for its own sake, quoted, and has a cause of its own."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
from small_desk import case_of, quiet_desk

from agent.evidence.case import Case, LogCounts
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from domain.diagnosis import DiagnosisRequest
from domain.event import Event
from domain.series import Series, SeriesKey, Window
from domain.timestamps import to_microseconds
from prompts.runbook import load_runbooks

LABELS = {"component": "strategy:maker", "level": "ERROR", "template": "unexpected state <*>"}
LINE = "unexpected state 7 | KeyError: 'close'"
NOVELTY = Series(9_999, SeriesKey.of("log_novelty", LABELS), "system_logs")


def case(level: str = "ERROR", lines: int = 1, *, told: bool = True) -> Case:
    """A quiet desk, a few lines of one template in its last cell, and much that was always written."""
    desk = quiet_desk(3)
    first = desk.columns - 2
    quiet = case_of(desk, "maker", first)
    row = np.zeros((1, quiet.window.n_steps))
    row[0, first:] = 2.0
    window = Window(
        (*quiet.window.series, NOVELTY),
        quiet.window.step_s,
        quiet.window.start,
        np.vstack([quiet.window.values, row]),
    )
    times = np.array([to_microseconds(quiet.window.time_at(k)) for k in range(quiet.window.n_steps)])
    usual = [
        LogCounts("strategy:maker", "INFO", f"usual {k} <*>", times, np.full(len(times), 5, dtype=np.int64))
        for k in range(80)
    ]
    new = LogCounts(
        "strategy:maker",
        level,
        LABELS["template"],
        times[first : first + 1],
        np.array([lines]),
        told=told,
        quoted=LINE,
    )
    return dataclasses.replace(quiet, window=window, targets=(NOVELTY.name,), logs=[*usual, new])


def investigate(one: Case) -> Investigation:
    request = DiagnosisRequest(start_time=one.start, end_time=one.end, affected_metrics=one.targets)
    return diagnose(Investigation.begin(request, gather(one, EvidenceSettings()), load_runbooks()))


def test_one_line_that_was_told_of_is_a_fact_and_quoted_as_it_was_written() -> None:
    ledger = gather(case(), EvidenceSettings())
    (found,) = ledger.logs
    fact = ledger.fact(str(found.evidence_id))
    assert fact is not None
    assert fact.quoted == LINE
    assert not gather(case(told=False), EvidenceSettings()).logs, "one of eighty by chance"


def test_the_first_fact_says_when_the_line_came_and_not_that_nothing_changed() -> None:
    said = [one.statement for one in gather(case(), EvidenceSettings()).evidence if one.kind == "onset"]
    assert "no clear change" not in said[0]


@pytest.mark.parametrize("lines", [2, 20])
def test_a_new_error_is_a_cause_of_its_own(lines: int) -> None:
    done = investigate(case(lines=lines))
    assert done.hypotheses[0].cause == "program_error"
    assert done.hypotheses[0].component == "strategy:maker"
    assert done.outcome == "cause_found"


def test_a_new_error_right_after_a_deploy_is_the_deploy_s() -> None:
    one = case(lines=20)
    deploy = Event(
        timestamp=one.start - timedelta(minutes=7),
        source="events",
        text="Deployed maker 7",
        labels={"kind": "deploy", "component": "strategy:maker"},
    )
    done = investigate(dataclasses.replace(one, events=(deploy,)))
    assert done.hypotheses[0].cause == "bad_deploy"


def test_a_new_line_that_is_no_error_is_none() -> None:
    done = investigate(case("INFO", 20))
    assert done.hypotheses[0].cause != "program_error"
