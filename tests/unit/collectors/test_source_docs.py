"""The pages about sources: every key is explained, and every example works."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from collectors.build import build_collector
from collectors.exchange.settings import ExchangeSource
from collectors.fills.settings import AccountSource, FillsSource
from collectors.settings import (
    CsvSource,
    HostSource,
    OpenMetricsSource,
    PrometheusQuery,
    PrometheusSource,
    SourceSettings,
    SqlSource,
)
from collectors.settings_base import HttpSource, SourceBase
from collectors.settings_derived import DerivedSettings
from collectors.settings_equities import EquitiesSource
from collectors.settings_json import JsonNumber, JsonSource
from collectors.settings_logs import JournalSource, LogSource, LokiSource
from collectors.settings_news import CalendarSource, NewsFields, NewsSource

DOCS = Path(__file__).parents[3] / "docs" / "sources"
KINDS: dict[str, tuple[type[BaseModel], ...]] = {
    "sql": (SqlSource,),
    "prometheus": (PrometheusSource, PrometheusQuery),
    "openmetrics": (OpenMetricsSource,),
    "host": (HostSource,),
    "csv": (CsvSource,),
    "logs": (LogSource,),
    "journald": (JournalSource,),
    "loki": (LokiSource,),
    "news": (NewsSource, NewsFields),
    "calendar": (CalendarSource,),
    "exchange": (ExchangeSource,),
    "account": (AccountSource,),
    "fills": (FillsSource,),
    "equities": (EquitiesSource,),
    "json": (JsonSource, JsonNumber),
}
SHARED = set(HttpSource.model_fields) | {"kind"}


class AnyEnvironment(dict[str, str]):
    """An environment in which every variable is set."""

    def get(self, key: str, default: Any = None) -> Any:
        return "https://feeds.example.com/x" if key.endswith("URL") else "value"

    def __getitem__(self, key: str) -> str:
        return str(self.get(key))


def page(kind: str) -> str:
    return (DOCS / f"{kind}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_kind_is_explained(kind: str) -> None:
    for model in KINDS[kind]:
        own = set(model.model_fields) - (SHARED if issubclass(model, SourceBase) else set())
        if kind in {"sql", "host", "csv", "logs", "journald"}:
            own |= set(model.model_fields) - set(SourceBase.model_fields) - {"kind"}
        missing = [name for name in sorted(own) if f"| `{name}` |" not in page(kind)]
        assert not missing, missing


def test_the_keys_that_all_share_are_explained() -> None:
    text = page("README")
    assert not [name for name in HttpSource.model_fields if f"| `{name}` |" not in text]
    assert not [kind for kind in KINDS if f"[{kind}.md]({kind}.md)" not in text]


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_works(kind: str) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", page(kind), re.DOTALL)
    configured = [
        TypeAdapter(SourceSettings).validate_python(one) for one in tomllib.loads(example)["sources"]
    ]
    assert {one.kind for one in configured} == {kind}
    for one in configured:
        assert build_collector(one, AnyEnvironment()).name == one.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_says_what_it_is(kind: str) -> None:
    for model in KINDS[kind]:
        named = {name: one for name, one in model.model_fields.items() if name != "kind" or one.default}
        assert not [name for name, one in named.items() if not one.description and name != "kind"]


def test_derived_series_are_explained_and_their_examples_work() -> None:
    text = page("derived")
    assert not [name for name in DerivedSettings.model_fields if f"| `{name}` |" not in text]
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    blocks = [DerivedSettings.model_validate(one) for one in tomllib.loads(example)["derived"]]
    assert len(blocks) == 4
    kinds = get_args(DerivedSettings.model_fields["kind"].annotation)
    assert not [kind for kind in kinds if f"| `{kind}` |" not in text]
