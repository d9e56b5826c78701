"""What an amount of a market is worth, as contracts are counted differently everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from collectors.gate import read_number
from domain.series import FloatArray

DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI", "USDE", "PYUSD", "USD1"})


@dataclass(frozen=True, slots=True)
class Contract:
    """How amounts of one market turn into money of its quote currency.

    Args:
        symbol: unified.
        size: units of the base (linear) or of the quote (inverse) per contract; 1 on spot markets.
        inverse: true where a contract is worth a fixed amount of the quote.
        derivative: true where there is funding and open interest.
        active: false where the venue says that nothing trades.
        quote: currency that prices are in.
    """

    symbol: str
    size: float = 1.0
    inverse: bool = False
    derivative: bool = False
    active: bool = True
    quote: str = "USD"

    @classmethod
    def of(cls, market: Mapping[str, Any]) -> Self:
        """Read ccxt's description of a market."""
        derivative = bool(market.get("contract"))
        size = read_number(market.get("contractSize")) if derivative else None
        return cls(
            symbol=str(market["symbol"]),
            size=size if size and size > 0 else 1.0,
            inverse=bool(market.get("inverse")) and derivative,
            derivative=derivative and bool(market.get("swap")),
            active=market.get("active") is not False,
            quote=str(market.get("quote") or "USD"),
        )

    def money(self, stem: str) -> tuple[str, str]:
        """Metric name and unit of an amount of money: dollars and what stands for them count as one."""
        return (f"{stem}_usd", "USD") if self.quote in DOLLARS else (f"{stem}_quote", self.quote)

    def worth(self, amount: FloatArray, price: FloatArray) -> FloatArray:
        """Money that amounts (contracts of a derivative, units of a spot market) stand for; NaN stays NaN."""
        amount = np.asarray(amount, dtype=np.float64) * self.size
        return amount if self.inverse else amount * price

    def worth_one(self, amount: float, price: float) -> float:
        """The same of a single amount."""
        return float(self.worth(np.array([amount]), np.array([price]))[0])
