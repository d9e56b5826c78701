"""The split by factor: exact from recorded parts and fills, called an estimate otherwise; it adds up."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_desk import incident

from agent.evidence.case import Case, LogSummary
from agent.evidence.factors import set_apart
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from domain.diagnosis import DiagnosisRequest
from domain.money import Impact
from domain.series import FloatArray, Series, SeriesKey, Window
from prompts.runbook import load_runbooks
from service.cases import judged

PARTS = ("pnl_price", "pnl_spread", "pnl_fees", "pnl_funding", "pnl_slippage")


def impact_of(case: Case) -> Impact:
    found = gather(case, EvidenceSettings()).impact
    assert found is not None
    return found


def with_rows(case: Case, rows: list[tuple[Series, FloatArray]]) -> Case:
    window = case.window
    series = (*window.series, *(one for one, _ in rows))
    values = np.vstack([window.values, *(row[None, :] for _, row in rows)])
    return dataclasses.replace(case, window=Window(series, window.step_s, window.start, values))


def with_parts(case: Case, seed: int, *, names: tuple[str, ...] = PARTS) -> Case:
    """Split every PnL at random into recorded parts that add up to it."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, one in enumerate(case.window.series):
        if one.key.metric == "pnl":
            pnl = case.window.values[i]
            cuts = rng.normal(0, 30, (len(names), len(pnl)))
            cuts[-1] = pnl - cuts[:-1].sum(axis=0)
            for name, row in zip(names, cuts, strict=True):
                rows.append((dataclasses.replace(one, key=SeriesKey(name, one.key.labels)), row))
    return with_rows(case, rows)


def by_factor(impact: Impact) -> dict[str, float]:
    return {part.value: part.amount for part in impact.by if part.label == "factor"}


@pytest.mark.parametrize("seed", range(20))
def test_recorded_parts_add_up_to_the_whole(seed: int) -> None:
    impact = impact_of(with_parts(incident("fat_finger", seed), seed))
    factors = by_factor(impact)
    assert set(factors) == {"price move", "spread earned", "fees", "funding", "slippage"}
    assert abs(sum(factors.values()) + impact.unexplained - impact.amount) <= 1e-4 * abs(impact.amount)


def test_a_part_that_is_not_recorded_is_shown_as_everything_else() -> None:
    whole = with_parts(incident("fat_finger", 1), 1)
    kept = [i for i, one in enumerate(whole.window.series) if one.key.metric != "pnl_slippage"]
    impact = impact_of(dataclasses.replace(whole, window=whole.window.select(kept)))
    factors = by_factor(impact)
    assert "everything else" in factors
    assert sum(factors.values()) + impact.unexplained == pytest.approx(impact.amount)


def test_parts_are_no_series_of_their_own_in_tests_and_alarms() -> None:
    plain = incident("fat_finger", 2)
    parted = with_parts(plain, 2)
    one, other = (gather(case, EvidenceSettings()) for case in (plain, parted))
    assert (one.tested, one.significant) == (other.tested, other.significant)
    ranked = [[(row.component, row.score) for row in found.components] for found in (one, other)]
    assert ranked[0] == ranked[1]
    assert judged(parted.window).series == plain.window.series


def test_a_pnl_under_other_labels_or_of_other_words_is_no_part() -> None:
    labels = {"strategy": "a", "venue": "x"}
    names = [("pnl", labels), ("pnl_fees", {"strategy": "a"}), ("pnl_arbitrage", labels), ("fees", labels)]
    series = tuple(Series(0, SeriesKey.of(name, given), "pnl_data", "USD") for name, given in names)
    window = Window(series, 300, incident("fat_finger", 1).window.start, np.zeros((4, 3)))
    rest, parts = set_apart(window)
    assert rest.series == series
    assert not parts


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fills_are_split_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = incident("fat_finger", seed % 50)
    target = case.window.positions[case.targets[0]]
    leaf = case.window.series[target]
    n = case.window.n_steps
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 0.003, n)))
    traded = rng.normal(0, 3, n) * (rng.random(n) < 0.6)
    position = np.cumsum(traded)
    price = np.where(traded != 0, mid + np.sign(traded) * rng.random(n), np.nan)
    fees, funding = rng.random(n), rng.normal(0, 1, n)
    cash = -traded * np.nan_to_num(price) - fees + funding
    held = np.concatenate([[0.0], position[:-1]])
    pnl = cash + position * mid - held * np.concatenate([[mid[0]], mid[:-1]])
    values = case.window.values.copy()
    values[target] = pnl
    place = SeriesKey("mid_price", tuple(one for one in leaf.key.labels if one[0] in {"venue", "symbol"}))
    rows = [(Series(0, place), mid)]
    for name, row in (
        ("position_units", position),
        ("traded_units", traded),
        ("fill_price", price),
        ("fees", fees),
        ("funding", funding),
    ):
        rows.append((Series(0, SeriesKey(name, leaf.key.labels)), row))
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    impact = impact_of(with_rows(dataclasses.replace(case, window=window), rows))
    factors = by_factor(impact)
    size = max(abs(impact.amount), *(abs(one) for one in factors.values()))
    assert set(factors) - {"everything else"} == {"price move", "spread and slippage", "fees", "funding"}
    # Each part is held against its own expected path; where those do not add up, the rest is named.
    assert sum(factors.values()) + impact.unexplained == pytest.approx(impact.amount, abs=1e-4 * size)


def test_without_records_a_split_is_called_an_estimate_and_still_adds_up() -> None:
    case = incident("fat_finger", 3)
    held, moves = (
        next(i for i, one in enumerate(case.window.series) if name in one.name and label in one.name)
        for name, label in (("inventory_usd", '"maker"'), ("return_bps", '"BTC"'))
    )
    values = case.window.values.copy()
    values[held, -7:] = 4e6
    values[moves, -6:] = -30.0
    values[case.window.positions[case.targets[0]], 1:] = values[held, :-1] * values[moves, 1:] * 1e-4
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    only = [i for i, one in enumerate(window.series) if one.key.metric != "return_bps" or i == moves]
    found = gather(dataclasses.replace(case, window=window.select(only)), EvidenceSettings())
    assert found.impact is not None
    told = {part.value: part.amount for part in found.impact.by if part.label == "factor (estimated)"}
    assert told["price move"] == pytest.approx(found.impact.amount, rel=0.01)
    assert not by_factor(found.impact)
    assert sum(told.values()) + found.impact.unexplained == pytest.approx(found.impact.amount, rel=1e-4)
    assert any("By factor (estimated): " in one.statement for one in found.evidence) == (len(told) > 1)


def test_an_estimate_that_leaves_more_than_it_explains_is_left_out() -> None:
    assert all("factor" not in part.label for part in impact_of(incident("fat_finger", 3)).by)


def test_what_it_costs_per_hour_is_told_by_its_newest_half_hour() -> None:
    case = incident("fat_finger", 3)
    values = case.window.values.copy()
    row = case.window.positions[case.targets[0]]
    values[row] = 10.0
    values[row, -12:-6] = -90.0
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    calm = dataclasses.replace(case, window=window, onset=window.time_at(window.n_steps - 12))
    assert impact_of(calm).per_hour == pytest.approx(0.0)
    values[row, -6:] = -40.0
    found = gather(dataclasses.replace(calm, window=window), EvidenceSettings())
    assert found.impact is not None
    assert found.impact.per_hour == pytest.approx(-50.0 * 12)
    assert any("of late -$600 per hour" in one.statement for one in found.evidence)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_check_that_asks_for_a_split_names_the_fact_that_holds_it(recorded: bool) -> None:
    case = incident("funding_shock", 1)
    case = with_parts(case, 1) if recorded else case
    ledger = gather(case, EvidenceSettings())
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    done = diagnose(Investigation.begin(request, ledger, load_runbooks()))
    text = done.steps[4].text
    check = done.hypotheses[0].separating_check or ""
    assert done.hypotheses[0].cause == "funding_shock"
    split = [one.id for one in ledger.evidence if one.statement.startswith("By factor")]
    assert bool(split) == recorded
    assert "Split PnL" in check
    assert (f"That split is [{split[0]}]" if recorded else "No fees, funding or fills are held") in text


def test_an_incident_costs_what_its_cause_can_reach_and_not_the_target_alone() -> None:
    case = incident("connection_pool_exhaustion", 2)
    told = {part.value for part in impact_of(case).by if part.label == "strategy"}
    assert len(told) == 5
    alone = impact_of(dataclasses.replace(case, target_is_symptom=True))
    assert {part.value for part in alone.by if part.label == "strategy"} == {"arb"}
    assert impact_of(case).amount < alone.amount < 0


def test_a_cause_in_one_strategy_costs_that_strategy() -> None:
    case = incident("fat_finger", 2)
    told = {part.value for part in impact_of(case).by if part.label == "strategy"}
    assert told == {"maker"}


def test_an_amount_that_may_be_zero_is_called_noise_and_has_no_rate() -> None:
    case = incident("venue_gateway_latency", 1)
    values = case.window.values.copy()
    for i, one in enumerate(case.window.series):
        if one.key.metric == "pnl":
            values[i] = np.random.default_rng(i).normal(40, 10, case.window.n_steps)
    window = Window(case.window.series, case.window.step_s, case.window.start, values)
    ledger = gather(dataclasses.replace(case, window=window, onset=case.start), EvidenceSettings())
    (fact,) = [one for one in ledger.evidence if one.kind == "impact"]
    assert ledger.impact is not None
    assert ledger.impact.low < 0 < ledger.impact.high
    assert fact.statement.endswith("within noise.")
    assert "per hour" not in fact.statement


def test_a_line_about_another_component_says_who_wrote_it() -> None:
    case = incident("funding_shock", 1)
    line = LogSummary("strategy:carry", "WARN", "funding on bybit outside model range", 30, 20, 0, 1200)
    ledger = gather(dataclasses.replace(case, logs=(line,)), EvidenceSettings())
    (found,) = ledger.logs
    assert (found.logger, found.component) == ("strategy:carry", "market:bybit:ETH")
    (fact,) = [one for one in ledger.evidence if one.kind == "log_template"]
    assert "of strategy carry about ETH on bybit" in fact.statement
