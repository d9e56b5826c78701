"""Texts linked to the symbols and venues that they name."""

import pytest

from collectors.known_names import KnownNames

NAMES = KnownNames.of({"NEAR": (), "BTC": ("sats",)}, {"darkpool": ("dark pool",)})


@pytest.mark.parametrize(
    ("text", "symbols", "venues"),
    [
        ("Bitcoin slides on Binance", ["BTC"], ["binance"]),
        ("SOLUSDT perpetual: maintenance at OKX", ["SOL"], ["okx"]),
        ("a solution is near", ["NEAR"], []),
        ("the sol network", [], []),
        ("XLINKX links", [], []),
        ("stacking sats in a dark pool", ["BTC"], ["darkpool"]),
        ("$ETH and BTC-PERP", ["BTC", "ETH"], []),
        ("", [], []),
    ],
)
def test_names_are_found_as_words(text: str, symbols: list[str], venues: list[str]) -> None:
    assert NAMES.symbols_in(text) == symbols
    assert NAMES.venues_in(text) == venues


def test_a_text_that_names_one_is_linked_to_it_and_one_that_names_many_to_all() -> None:
    assert NAMES.labels("Solana halts on Kraken") == {
        "symbol": "SOL",
        "symbols": "SOL",
        "venue": "kraken",
        "venues": "kraken",
    }
    assert "symbol" not in NAMES.labels("bitcoin and ether fall")


def test_known_names_can_be_switched_off() -> None:
    assert KnownNames.of({}, {}, known=False).labels("Bitcoin on Binance") == {}
