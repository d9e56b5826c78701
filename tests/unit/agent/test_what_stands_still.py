"""What stops, freezes or falls silent on a desk: since when, and of whom it speaks."""

import numpy as np
import pytest
from small_desk import SYMBOLS, Desk, Key, case_of, quiet_desk

from agent.evidence.case import Case
from agent.evidence.ledger import gather
from agent.evidence.onset import estimate
from agent.evidence.settings import EvidenceSettings
from agent.evidence.stillness import stillness
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from domain.diagnosis import DiagnosisRequest
from domain.series import FloatArray
from prompts.runbook import load_runbooks

LENGTH = 288
FIRST = LENGTH - 2


def wandering(seed: int) -> FloatArray:
    walk: FloatArray = np.cumsum(np.random.default_rng(seed).normal(0, 1, LENGTH)) + 1_000
    return walk


@pytest.mark.parametrize("seed", range(6))
def test_a_price_that_freezes_differs_from_where_it_froze(seed: int) -> None:
    values = wandering(seed)
    values[FIRST:] = values[FIRST - 1]
    found = estimate(values, FIRST - 9, 0)
    assert found is not None
    assert found.column == FIRST


@pytest.mark.parametrize("seed", range(6))
def test_a_price_that_falls_silent_differs_from_where_it_did(seed: int) -> None:
    values = wandering(seed)
    values[FIRST:] = np.nan
    found = estimate(values, FIRST - 9, 0)
    assert found is not None
    assert found.column == FIRST


def test_a_crash_before_a_halt_is_where_it_began() -> None:
    values = wandering(3)
    values[-6:] -= 400
    values[-2:] = values[-3]
    found = estimate(values, FIRST - 9, 0)
    assert found is not None
    assert found.column == LENGTH - 6


def test_one_late_sample_does_not_hide_a_change_that_is_not_clear() -> None:
    values = np.random.default_rng(5).normal(0, 1, LENGTH)
    values[-6:] += 2.0
    values[-1] = np.nan
    found = estimate(values, FIRST - 9, 0)
    assert found is not None
    assert found.column < LENGTH - 1


def test_a_freeze_begins_with_its_first_repeat() -> None:
    values = np.random.default_rng(6).normal(0, 1, (1, LENGTH))
    values[0, FIRST:] = values[0, FIRST - 1]
    alone = stillness(values[:, :FIRST], values[:, FIRST:])
    led = stillness(values[:, :FIRST], values[:, FIRST:], values[:, FIRST - 1])
    assert not alone.frozen[0]
    assert led.frozen[0]
    assert led.since[0] == 0


def still_market(seed: int, stop: str, *, feed_too: bool = False) -> Case:
    """The markets of one venue stand still for two cells; its feed is fine unless said otherwise."""
    desk = quiet_desk(seed)
    for key in markets(desk):
        held = {"frozen": desk.values[key][FIRST - 1], "silent": np.nan}[stop]
        desk.values[key][FIRST:] = 0.0 if stop == "frozen" and key[0] == "return_bps" else held
    if feed_too:
        desk.scale(("feed_age_seconds", "okx"), 40, FIRST)
        desk.scale(("feed_messages", "okx"), 0.05, FIRST)
    case = case_of(desk, "pairs", FIRST)
    target = desk.series["price", "okx", "BTC"].name
    return Case(targets=(target,), start=case.start, end=case.end, window=case.window, topology=case.topology)


def markets(desk: Desk) -> list[Key]:
    told = {"price", "volume_usd", "realized_volatility_bps", "return_bps"}
    return [key for key in desk.series if key[0] in told and key[1:] in {("okx", one) for one in SYMBOLS}]


def diagnosed(case: Case) -> Investigation:
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    ledger = gather(case, EvidenceSettings())
    return diagnose(Investigation(request=request, ledger=ledger, runbooks=load_runbooks()))


@pytest.mark.parametrize("stop", ["frozen", "silent"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_candles_that_stop_while_their_feed_lives_are_stale(seed: int, stop: str) -> None:
    done = diagnosed(still_market(seed, stop))
    assert done.outcome == "cause_found"
    assert done.hypotheses[0].cause == "stale_feed"
    assert str(done.hypotheses[0].component).startswith("market:okx:")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_candles_that_stop_with_their_feed_are_blamed_on_the_feed(seed: int) -> None:
    done = diagnosed(still_market(seed, "frozen", feed_too=True))
    first = done.hypotheses[0]
    assert (first.cause, first.component) == ("stale_feed", "feed:okx")


def test_a_component_that_only_logs_may_have_an_odd_cause() -> None:
    desk = quiet_desk(4)
    desk.scale(("hedge_lag_ms", "maker"), 9, FIRST - 4)
    desk.lose("maker", 4, FIRST - 4)
    desk.log("desk", "ERROR", "limit of the desk is near", 6, FIRST - 4)
    done = diagnosed(case_of(desk, "maker", FIRST - 4))
    assert "strategy:maker" in {one.component for one in done.ledger.components}
    assert done.ledger.row("desk") is not None
