"""What venues and the press report: it is told of what it names, and takes its place among the causes."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
from small_desk import case_of, incident, quiet_desk

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from agent.vocabulary import kind_named
from domain.diagnosis import DiagnosisRequest
from domain.event import Event
from domain.series import Series, SeriesKey, Window
from prompts.runbook import load_runbooks


def investigate(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    return diagnose(Investigation.begin(request, gather(case, EvidenceSettings()), load_runbooks()))


def told(case: Case, minutes: float, text: str, **labels: str) -> Event:
    source = "news" if labels["kind"] == "news" else "events"
    return Event(timestamp=case.start + timedelta(minutes=minutes), source=source, text=text, labels=labels)


def with_series(case: Case, rows: dict[str, np.ndarray]) -> Case:
    series = [Series(9_000 + k, SeriesKey.parse(name), "trading_metrics") for k, name in enumerate(rows)]
    window = case.window
    values = np.vstack([window.values, *rows.values()])
    return dataclasses.replace(
        case, window=Window((*window.series, *series), window.step_s, window.start, values)
    )


def filled_no_more() -> Case:
    """A maker whose orders go on, and are filled no more."""
    desk = quiet_desk(4)
    case = case_of(desk, "maker", desk.columns - 4)
    venue = next(
        one.key.label("venue")
        for one in case.window.series
        if one.key.metric == "fill_ratio" and one.key.label("strategy") == "maker"
    )
    place = f'{{strategy="maker",venue="{venue}"}}'
    rng = np.random.default_rng(5)
    n = case.window.n_steps
    rows = {f"fills{place}": rng.poisson(12, n) + 1.0, f"traded_usd{place}": rng.lognormal(9, 0.2, n)}
    for values in rows.values():
        values[n - 4 :] = 0.0
    values = case.window.values.copy()
    ratio = case.window.positions[f"fill_ratio{place}"]
    values[ratio, n - 4 :] = 0.0
    case = dataclasses.replace(
        case, window=Window(case.window.series, case.window.step_s, case.window.start, values)
    )
    return dataclasses.replace(
        with_series(case, rows), targets=(f"fill_ratio{place}",), target_component="strategy:maker"
    )


def test_a_venue_that_reports_its_maintenance_is_the_cause_of_fills_that_end() -> None:
    case = filled_no_more()
    venue = str(SeriesKey.parse(case.targets[0]).label("venue"))
    labels = {"kind": "notice", "component": f"venue:{venue}", "venue": venue}
    notice = told(case, 1, "Scheduled maintenance: trading is suspended", **labels)
    done = investigate(dataclasses.replace(case, events=(notice,)))
    first = done.hypotheses[0]
    assert (first.cause, first.component) == ("venue_outage", f"venue:{venue}")
    assert done.ledger.events[0].evidence_id in first.supporting
    assert sum(one.confidence for one in done.ledger.components) <= 1 + 1e-9


def test_without_a_report_nothing_is_said_of_what_nothing_is_measured_on() -> None:
    done = investigate(filled_no_more())
    assert not any((one.component or "").startswith("venue:") for one in done.hypotheses)


@pytest.mark.parametrize("symbols", ["BTC", "BTC,SOL", "BTC/USDT:USDT"])
def test_a_headline_about_a_symbol_supports_its_market(symbols: str) -> None:
    case = incident("flash_crash", 3)
    market = next(one for one in gather(case, EvidenceSettings()).components if "market" in one.component)
    base = market.component.split(":")[2]
    label = {"symbols": symbols.replace("BTC", base.split("/")[0])}
    headline = told(case, 1, "Bridge hacked, exchanges halt deposits", kind="news", **label)
    done = investigate(dataclasses.replace(case, events=(headline,)))
    assert done.ledger.events[0].supports == market.component
    assert done.hypotheses[0].cause in {"news_shock", "flash_crash"}
    other = told(case, 1, "Bridge hacked", kind="news", symbols="XYZ")
    alone = investigate(dataclasses.replace(case, events=(other,)))
    assert alone.ledger.events[0].supports is None
    assert alone.hypotheses[0].cause == "flash_crash"


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("drawdown_usd", "drawdown"),
        ("rolling_sharpe", "sharpe"),
        ("equity_curve", "equity"),
        ("fills", "fills"),
        ("traded_usd", "turnover"),
        ("pnl", "pnl"),
        ("volume_usd", "volume"),
    ],
)
def test_what_follows_from_gains_is_no_money_that_adds_up(metric: str, kind: str) -> None:
    assert kind_named(metric).name == kind


def test_a_position_that_does_not_match_is_told_by_venue_and_symbol() -> None:
    desk = quiet_desk(4)
    case = case_of(desk, "maker", desk.columns - 3)
    market = next(one.key for one in case.window.series if one.key.metric == "price")
    name = f'position_mismatch_usd{{symbol="{market.label("symbol")}",venue="{market.label("venue")}"}}'
    off = np.zeros(case.window.n_steps)
    off[-3:] = -19_000.0
    case = dataclasses.replace(with_series(case, {name: off}), targets=(name,))
    assert investigate(case).hypotheses[0].cause == "books_mismatch"
