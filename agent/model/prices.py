"""What calls cost: a table from the configuration, and nothing guessed where it is silent."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.outcomes import TokenUse
from agent.model.settings import ModelPrice

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by model name; `assumed` is used to hold budgets, never to report a cost."""

    table: Mapping[str, ModelPrice]
    assumed: ModelPrice

    def cost(self, model: str, usage: TokenUse | None) -> float | None:
        """Cost in USD of a call; None where the price or the usage is not known."""
        price = self.table.get(model)
        if price is None or usage is None:
            return None
        return _cost(price, usage)

    def upper_bound(self, model: str, input_tokens: int, max_tokens: int) -> float:
        """The most that a call may cost, for a reservation made before it."""
        price = self.table.get(model, self.assumed)
        return _cost(price, TokenUse(input_tokens, max_tokens))


def _cost(price: ModelPrice, usage: TokenUse) -> float:
    cached = min(usage.cached_tokens, usage.input_tokens)
    cached_price = price.input if price.cached_input is None else price.cached_input
    dollars = (usage.input_tokens - cached) * price.input + cached * cached_price
    return (dollars + usage.output_tokens * price.output) / MILLION
