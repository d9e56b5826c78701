"""The sources of a trading desk: venues, numbers over JSON, equities, fills."""

from collectors.exchange.settings import ExchangeSource
from collectors.fills.settings import AccountSource, FillsSource
from collectors.settings_equities import EquitiesSource
from collectors.settings_json import JsonSource

DeskSource = ExchangeSource | JsonSource | EquitiesSource | FillsSource | AccountSource
