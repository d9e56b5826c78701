"""Incidents at the same time measure the same losses; together they are counted once."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Impact, ImpactPart, counted_once, losses_and_gains


def impact(unit: str = "USD", unexplained: float = 0.0, **by: float) -> Impact:
    return impact_by(by, unit, unexplained)


def impact_by(by: Mapping[str, float], unit: str = "USD", unexplained: float = 0.0) -> Impact:
    amount = sum(by.values()) + unexplained
    parts = tuple(ImpactPart(label="strategy", value=name, amount=part) for name, part in by.items())
    return Impact(amount=amount, low=amount, high=amount, unit=unit, by=parts, unexplained=unexplained)


def test_a_strategy_of_two_incidents_is_counted_once() -> None:
    both = [impact(mm=-900.0, carry=-100.0), impact(mm=-700.0, pairs=-50.0)]
    assert counted_once(both) == {"USD": -1_050.0}


def test_a_gain_does_not_pay_for_a_loss_of_the_same_strategy() -> None:
    assert counted_once([impact(mm=-900.0), impact(mm=300.0)]) == {"USD": -900.0}


def test_dollars_and_coins_do_not_add_up() -> None:
    assert counted_once([impact(mm=-900.0), impact("BTC", mm=-0.5)]) == {"USD": -900.0, "BTC": -0.5}


def test_what_is_not_split_is_kept() -> None:
    assert counted_once([impact(unexplained=-20.0), impact(mm=-5.0)]) == {"USD": -25.0}
    assert counted_once([]) == {}


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(-1e6, 1e6)), max_size=4))
def test_one_incident_told_twice_costs_no_more(books: list[dict[str, float]]) -> None:
    impacts = [impact_by(book) for book in books]
    once = counted_once(impacts).get("USD", 0.0)
    assert counted_once([*impacts, *impacts[:1]]).get("USD", 0.0) == pytest.approx(once, abs=1e-3)


def test_losses_and_gains_stand_apart_and_add_up_to_what_is_counted_once() -> None:
    both = [impact(mm=-1_000.0, carry=100.0), impact(mm=-1_200.0, arb=50.0)]
    lost, gained = losses_and_gains(both)["USD"]
    assert (lost, gained) == (-1_200.0, 150.0)
    assert counted_once(both) == {"USD": lost + gained}
