"""A venue's word on itself supports what depends on it and is anomalous; alone it is blamed for nothing."""

import dataclasses
from datetime import timedelta

import pytest
from small_desk import add_decoys, case_of, incident, quiet_desk

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from domain.diagnosis import DiagnosisRequest
from domain.event import Event
from prompts.runbook import load_runbooks


def investigate(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    return diagnose(Investigation.begin(request, gather(case, EvidenceSettings()), load_runbooks()))


def report(case: Case, minutes: float, text: str, **labels: str) -> Event:
    """What was said so many minutes after the start of a case."""
    at = case.start + timedelta(minutes=minutes)
    source = "news" if labels.get("kind") == "news" else "events"
    return Event(timestamp=at, source=source, text=text, labels=labels)


SLOW = "Binance status: elevated latency of order entry"


@pytest.mark.parametrize("minutes", [-8, 6])
@pytest.mark.parametrize(
    "labels", [{"kind": "notice", "component": "venue:binance"}, {"kind": "notice"}, {"kind": "news"}]
)
def test_a_venues_own_report_supports_its_gateway(minutes: float, labels: dict[str, str]) -> None:
    case = incident("venue_gateway_latency", 2)
    done = investigate(dataclasses.replace(case, events=(report(case, minutes, SLOW, **labels),)))
    (event,) = done.ledger.events
    assert (event.component, event.supports) == ("venue:binance", "gateway:binance")
    first = done.hypotheses[0]
    assert (first.cause, first.component) == ("venue_gateway_latency", "gateway:binance")
    assert event.evidence_id in first.supporting
    fact = done.ledger.fact(event.evidence_id or "")
    assert fact is not None
    assert "depends on it and is anomalous" in fact.statement
    assert SLOW not in fact.statement


@pytest.mark.parametrize("venue", ["bybit", "okx"])
def test_a_report_of_another_venue_is_a_coincidence(venue: str) -> None:
    case = incident("venue_gateway_latency", 2)
    told = report(case, -8, f"{venue} status: elevated latency", kind="notice", component=f"venue:{venue}")
    done = investigate(dataclasses.replace(case, events=(told,)))
    assert done.ledger.events[0].supports is None
    assert done.hypotheses[0].component == "gateway:binance"


def test_a_report_about_something_else_does_not_speak_for_the_cause() -> None:
    case = incident("venue_gateway_latency", 2)
    told = report(case, -8, "Binance lists three new trading pairs", kind="news")
    done = investigate(dataclasses.replace(case, events=(told,)))
    assert done.ledger.events[0].evidence_id not in done.hypotheses[0].supporting


def test_a_report_alone_is_no_cause() -> None:
    for seed in range(300, 310):
        desk = quiet_desk(seed)
        add_decoys(desk, desk.columns - 6)
        case = case_of(desk, "maker", desk.columns - 5)
        told = tuple(
            report(case, -5, f"{venue} status: outage", kind="notice", component=f"venue:{venue}")
            for venue in ("binance", "bybit", "okx")
        )
        done = investigate(dataclasses.replace(case, events=(*case.events, *told)))
        assert done.outcome in {"no_fault", "inconclusive"}, seed
        assert not any(one.component.startswith("venue:") for one in done.ledger.components)


def test_a_change_after_the_onset_caused_nothing() -> None:
    case = incident("venue_gateway_latency", 2)
    told = report(case, 12, "gateway 2.0 released", kind="deploy", component="gateway:binance")
    done = investigate(dataclasses.replace(case, events=(told,)))
    assert done.ledger.events[0].supports is None
