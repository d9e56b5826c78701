"""What each fact of a ledger admits: its quantities, times and names, and the words that go with them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from agent.claims import Dimension, plain_signs, tokens
from agent.evidence.record import Ledger
from agent.places import place
from agent.vocabulary import component_of
from domain.diagnosis import Hypothesis
from domain.errors import InvalidInput
from domain.evidence import Evidence
from domain.series import SeriesKey

Role = Literal["value", "baseline", "effect", "bound", "chance", "change", "difference", "lead", "stated"]
_MONEY = frozenset({"USD", "USDT", "USDC"})
# Levels of our intervals and tests, which any sentence may name.
LEVELS = (0.05, 0.1, 90.0, 95.0)
_PLAIN_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a fact admits; `unit` is empty where any unit is believed."""

    dimension: Dimension
    value: float
    unit: str
    role: Role


@dataclass(frozen=True)
class Grounds:
    """One fact, and what may be said when it is cited."""

    fact: Evidence

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        return (*_stated(self.fact), *_measured(self.fact), *_derived(self.fact), *_parameters(self.fact))

    @cached_property
    def minutes(self) -> frozenset[int]:
        """The minutes of the day at which the fact says that something happened."""
        stated = {
            int(one.value) for one in tokens(plain_signs(self.fact.statement)) if one.dimension == "time"
        }
        return frozenset(stated | {minute for at in _moments(self.fact) for minute in _minutes(at)})

    @cached_property
    def window(self) -> tuple[frozenset[int], frozenset[int]]:
        """The minutes at which its window starts and ends."""
        window = self.fact.window
        return frozenset(_minutes(window.start)), frozenset(_minutes(window.end))

    @cached_property
    def days(self) -> frozenset[str]:
        found = {self.fact.window.start, self.fact.window.end, *_moments(self.fact)}
        stated = {one.text[:10] for one in tokens(self.fact.statement) if one.dimension == "date"}
        return frozenset(stated | {f"{one.astimezone(UTC):%Y-%m-%d}" for one in found})

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the fact is about, in lower case."""
        found = set(names_of_component(self.fact.component))
        for series in self.fact.series:
            found |= set(names_of_series(series))
        found |= {str(key).lower() for key in self.fact.parameters}
        return frozenset(found)


def _stated(fact: Evidence) -> Iterable[Quantity]:
    for token in tokens(plain_signs(fact.statement)):
        if token.dimension not in {"time", "date"}:
            yield Quantity(token.dimension, token.value, token.unit, "stated")


def _measured(fact: Evidence) -> Iterable[Quantity]:
    if fact.unit != "unix s":
        yield from _in_unit(fact.value, fact.unit, "value")
        yield from _in_unit(fact.baseline, fact.unit, "baseline")
        if fact.interval is not None:
            yield from _in_unit(fact.interval.low, fact.unit, "bound")
            yield from _in_unit(fact.interval.high, fact.unit, "bound")
    if fact.effect_size is not None:
        yield Quantity("number", fact.effect_size, "", "effect")
    for chance in (fact.p_value, fact.q_value):
        if chance is not None:
            yield Quantity("number", chance, "", "chance")
    if fact.lead_seconds is not None:
        yield Quantity("duration", fact.lead_seconds, "", "lead")


def _in_unit(value: float | None, unit: str, role: Role) -> Iterable[Quantity]:
    if value is None:
        return
    if unit in _MONEY:
        yield Quantity("money", value, "", role)
    elif unit == "%":
        yield Quantity("percent", value, "", role)
    elif unit in {"s", "min", "h"}:
        yield Quantity("duration", value * {"s": 1.0, "min": 60.0, "h": 3_600.0}[unit], "", role)
    else:
        yield Quantity("number", value, unit, role)
        if unit in {"", "ratio"} and abs(value) <= 1.5:
            yield Quantity("percent", value * 100, "", role)


def _derived(fact: Evidence) -> Iterable[Quantity]:
    """How many times the baseline, and the change against it."""
    value, baseline = fact.value, fact.baseline
    if value is None or not baseline or fact.unit == "unix s":
        return
    ratio = value / baseline
    if ratio > 0:
        yield Quantity("multiple", ratio, "", "change")
        yield Quantity("percent", (ratio - 1) * 100, "", "change")
    yield from _in_unit(value - baseline, fact.unit, "difference")


def _parameters(fact: Evidence) -> Iterable[Quantity]:
    """The slices of an attribution, the counts of what is normal, the figures of a query."""
    if fact.kind not in {"attribution", "normal", "query"}:
        return
    for value in fact.parameters.values():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield from _in_unit(float(value), fact.unit, "stated")
            yield Quantity("number", float(value), "", "stated")


def _moments(fact: Evidence) -> Iterable[datetime]:
    """When something happened: the change, the onset with its interval, or else the window."""
    changed = fact.parameters.get("changed_at")
    if isinstance(changed, str):
        yield datetime.fromisoformat(changed)
    elif fact.unit == "unix s":
        bounds = (fact.interval.low, fact.interval.high) if fact.interval else ()
        for seconds in (fact.value, *bounds):
            if seconds is not None:
                yield datetime.fromtimestamp(seconds, UTC)
    else:
        yield from (fact.window.start, fact.window.end)


def _minutes(at: datetime) -> Iterable[int]:
    utc = at.astimezone(UTC)
    rounded = utc + timedelta(seconds=30)
    return (utc.hour * 60 + utc.minute, rounded.hour * 60 + rounded.minute)


def names_of_series(name: str) -> Iterable[str]:
    """How a series may be called: its canonical name, its metric and the values of its labels."""
    yield name.lower()
    try:
        key = SeriesKey.parse(name)
    except InvalidInput:
        return
    yield key.metric.lower()
    for _, value in key.labels:
        yield value.lower()
    yield place(component_of(key)).lower()


def names_of_component(component: str | None) -> Iterable[str]:
    """How a component may be called: its name, the words for it and its parts."""
    if not component:
        return
    yield component.lower()
    yield place(component).lower()
    yield from (part.lower() for part in component.split(":")[1:])


@dataclass(frozen=True)
class Register:
    """All names that a ledger knows, and what may be said without citing a fact."""

    ledger: Ledger
    hypotheses: Sequence[Hypothesis] = ()
    causes: frozenset[str] = frozenset()

    @cached_property
    def grounds(self) -> Mapping[str, Grounds]:
        return {one.id: Grounds(one) for one in self.ledger.evidence}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name of a series, component or label value, in lower case."""
        ledger = self.ledger
        series = {*ledger.targets, *(one.series for one in ledger.signals), *ledger.missing}
        series |= {name for one in ledger.evidence for name in one.series}
        components = {row.component for row in ledger.components} | {
            one for edge in ledger.edges for one in edge
        }
        components |= {one.component for one in ledger.evidence if one.component}
        found = {name for one in series for name in names_of_series(one)}
        found |= {name for one in components for name in names_of_component(one)}
        return frozenset(name for name in found if len(name) > 1 and not name.replace(".", "").isdigit())

    @cached_property
    def telling(self) -> re.Pattern[str]:
        """Finds names in a text, the longest first; a plain word counts only behind the word for its kind."""
        plain = sorted(
            (re.escape(one) for one in self.names if _PLAIN_WORD.fullmatch(one)), key=len, reverse=True
        )
        other = sorted(
            (re.escape(one) for one in self.names if not _PLAIN_WORD.fullmatch(one)), key=len, reverse=True
        )
        venues = [re.escape(one) for one in sorted(self._venues)]
        kinds = "strategy|host|database|service|venue|gateway|feed|market|pair"
        parts = [rf"(?<![\w:])(?:{'|'.join(other)})(?![\w:{{])"] if other else []
        parts += [rf"(?<![\w:])(?:{'|'.join(venues)})(?![\w:])"] if venues else []
        parts += [rf"(?<=\b(?:strategy)\s)(?:{'|'.join(plain)})\b"] if plain else []
        parts += [rf"(?:{kinds}):[\w:.-]+", r"\b[a-z_]+\{[^}]*\}", r"(?-i:\b[A-Z]{2,6}[-/][A-Z]{2,6}\b)"]
        return re.compile("|".join(parts), re.IGNORECASE)

    @cached_property
    def _venues(self) -> frozenset[str]:
        """Venues, symbols and pairs: names wherever they stand."""
        ledger = self.ledger
        found = set()
        for name in {*ledger.targets, *(one for fact in ledger.evidence for one in fact.series)}:
            try:
                labels = SeriesKey.parse(name).labels
            except InvalidInput:
                continue
            found |= {value.lower() for label, value in labels if label in {"venue", "symbol", "exchange"}}
        for component in {row.component for row in ledger.components} | {c for e in ledger.edges for c in e}:
            kind, *parts = component.lower().split(":")
            if kind in {"market", "gateway", "feed", "venue"}:
                found |= set(parts)
        return frozenset(one for one in found if len(one) > 1)

    @cached_property
    def target_names(self) -> frozenset[str]:
        """What is to be explained, by its whole name only: its parts may belong to something else."""
        target = self.ledger.target_component
        return frozenset({target.lower(), place(target).lower()}) if target else frozenset()

    @cached_property
    def general(self) -> tuple[Quantity, ...]:
        """Numbers of the case as a whole: how much was tested, how sure the hypotheses are, what it cost."""
        ledger = self.ledger
        found = [
            Quantity("number", float(ledger.tested), "", "value"),
            Quantity("number", float(ledger.significant), "", "value"),
            Quantity("duration", (ledger.end - ledger.onset).total_seconds(), "", "value"),
            *(Quantity("percent", one.confidence * 100, "", "value") for one in self.hypotheses),
        ]
        if ledger.impact is not None:
            impact = ledger.impact
            found += [Quantity("money", one, "", "value") for one in (impact.amount, impact.low, impact.high)]
        return tuple(found)

    @cached_property
    def general_minutes(self) -> frozenset[int]:
        ledger = self.ledger
        times = (ledger.onset, ledger.onset_low, ledger.onset_high, ledger.start, ledger.end)
        return frozenset(minute for at in times for minute in _minutes(at))

    @cached_property
    def general_names(self) -> frozenset[str]:
        found = {*self.target_names, *names_of_component(self.ledger.target_component)}
        for name in self.ledger.targets:
            found |= set(names_of_series(name))
        for one in self.hypotheses:
            found |= set(names_of_component(one.component))
            for name in one.root_series:
                found |= set(names_of_series(name))
        return frozenset(found)
