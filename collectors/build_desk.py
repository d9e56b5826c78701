"""Collectors of a trading desk's sources; each is imported only where it is configured."""

from collections.abc import Mapping

from collectors.collector import Collector
from collectors.exchange.settings import ExchangeSource
from collectors.fills.settings import AccountSource, FillsSource
from collectors.settings_desk import DeskSource
from collectors.settings_equities import EquitiesSource
from collectors.settings_json import JsonSource


def desk_collector(settings: DeskSource, environ: Mapping[str, str]) -> Collector:
    """The collector of a desk's source; raises ConfigurationError as `build_collector` does."""
    # ruff: noqa: PLC0415 - ccxt, yfinance and pyarrow are loaded only where they are used
    match settings:
        case ExchangeSource():
            from collectors.exchange.collector import ExchangeCollector

            return ExchangeCollector.of(settings, environ)
        case JsonSource():
            from collectors.json_numbers import JsonCollector

            return JsonCollector.of(settings, environ)
        case FillsSource():
            from collectors.fills.collector import FillsCollector

            return FillsCollector(settings)
        case AccountSource():
            from collectors.fills.account import AccountCollector

            return AccountCollector.of(settings, environ)
        case EquitiesSource():
            from collectors.equities import EquitiesCollector

            return EquitiesCollector.of(settings)
