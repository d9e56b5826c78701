"""How well a cause's signature fits a component: signs seen, signs missing, and moves left unexplained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.evidence.record import Ledger, Signal
from agent.reasoners.investigation import Fit
from agent.vocabulary import class_of
from prompts.runbook import Runbook, Sign

# A sign that was looked for and found normal speaks against a cause, less than one seen speaks for it:
# monitoring is coarse and effects can be small.
MISSING = 0.35
# A strong move of the blamed component that a cause does not mention speaks for another cause.
UNEXPLAINED = 0.5
LOG_WEIGHT = 2.0
EVENT_WEIGHT = 2.0
# What somebody says of himself where nobody else measures him.
OWN_WORD = 1.5
FRESH_SECONDS = 1800.0
SIMILAR_WEIGHT = 0.5
SCOPE_WEIGHT = 0.8
# Fit that a cause must exceed to be more likely than one that no runbook describes.
UNNAMED = 1.2
SHARPNESS = 0.6
LEAST_FALL = -3.0
WIDESPREAD_P = 0.01


@dataclass(frozen=True)
class Surroundings:
    """The ledger arranged around one component: its own moves, and those before and behind it."""

    ledger: Ledger
    component: str
    root: Sequence[Signal]
    downstream: Sequence[Signal]
    upstream: Sequence[Signal]
    normal: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at(self, where: str) -> Sequence[Signal]:
        """The moves at a place relative to the component."""
        if where == "root":
            return self.root
        if where == "downstream":
            return self.downstream
        return self.upstream if where == "upstream" else self.ledger.signals

    def found_normal(self, where: str) -> frozenset[str]:
        """Kinds that were looked at there and are as always; `anywhere` is what bears the same name."""
        checked = self.ledger.checked
        if where == "root":
            return frozenset(checked.get(self.component, ()))
        if where != "anywhere":
            return frozenset()
        name = _bearer(self.component)
        beside = (kinds for one, kinds in checked.items() if name and _bearer(one) == name)
        return frozenset(kind for kinds in beside for kind in kinds)


def _bearer(component: str) -> str:
    """Whose part a component is: the venue of its feed, its gateway and its markets."""
    return component.split(":")[1] if ":" in component else ""


def surroundings(ledger: Ledger, component: str) -> Surroundings:
    """Arrange the moves around a component; without a graph all others count as downstream."""
    below = reachable(ledger.edges, component)
    above = reachable(tuple((effect, cause) for cause, effect in ledger.edges), component)
    others = [one for one in ledger.signals if one.component != component]
    if not ledger.edges:
        downstream, upstream = others, others
    else:
        downstream = [one for one in others if one.component in below]
        upstream = [one for one in others if one.component in above]
    root = [one for one in ledger.signals if one.component == component and not one.outcome]
    return Surroundings(ledger, component, root, downstream, upstream)


def reachable(edges: Sequence[tuple[str, str]], start: str) -> frozenset[str]:
    """Every component that a walk along the edges reaches from `start`."""
    steps: dict[str, list[str]] = {}
    for cause, effect in edges:
        steps.setdefault(cause, []).append(effect)
    seen: set[str] = set()
    front = [start]
    while front:
        front = [effect for cause in front for effect in steps.get(cause, ()) if effect not in seen]
        seen.update(front)
    return frozenset(seen)


def strength(signal: Signal) -> float:
    """0 to 1: how clearly a series moved; half of that where it is only notable."""
    size = min(1.0, float(np.log1p(abs(signal.z)) / np.log1p(15.0)))
    if signal.state in {"silent", "stopped", "frozen"}:
        size = max(size, 0.8)
    return size if signal.q_value < 0.05 else 0.5 * size


def fit_cause(runbook: Runbook, around: Surroundings) -> Fit | None:
    """Score one cause for one component; None where the cause cannot sit on such a component."""
    kind = class_of(around.component)
    if runbook.components and kind not in runbook.components:
        return None
    score = runbook.prior
    matched: list[str] = []
    supporting: list[str] = []
    contradicting: list[str] = []
    for sign in runbook.signature:
        value, signal = _weigh(sign, around)
        score += value
        if signal is not None and signal.evidence_id:
            (supporting if value > 0 else contradicting).append(signal.evidence_id)
            if value > 0:
                matched.append(f"{sign.kind}:{signal.direction}")
    score -= _unexplained(runbook, around)
    announced = _events(runbook, around)
    if announced[1] is None and _unmeasured(around):
        # Only what is reported of it can be the trouble of what nothing is measured on.
        return None
    for value, identifier in (_logs(runbook, around), announced):
        score += value
        if identifier:
            supporting.append(identifier)
    score += _scope(runbook, around) + SIMILAR_WEIGHT * (runbook.key in around.ledger.similar)
    return Fit(
        cause=runbook.key,
        component=around.component,
        score=score,
        share=0.0,
        matched=tuple(dict.fromkeys(matched)),
        supporting=tuple(dict.fromkeys(supporting)),
        contradicting=tuple(dict.fromkeys(contradicting)),
    )


def _unmeasured(around: Surroundings) -> bool:
    row = around.ledger.row(around.component)
    return row is not None and row.series is None and not row.logs


def _weigh(sign: Sign, around: Surroundings) -> tuple[float, Signal | None]:
    """What one sign adds: seen, seen the other way round, or looked for and not seen."""
    here = [one for one in around.at(sign.where) if one.kind == sign.kind and _state_fits(sign, one)]
    fitting = [one for one in here if sign.direction in {"any", one.direction}]
    if fitting:
        best = max(fitting, key=lambda one: (strength(one), one.series))
        return sign.weight * strength(best), best
    if here and sign.weight > 0:
        best = max(here, key=lambda one: (strength(one), one.series))
        return -0.7 * sign.weight * strength(best), best
    if sign.state != "any" or sign.kind not in around.found_normal(sign.where):
        return 0.0, None
    return -(MISSING * max(sign.weight, 0.0) if sign.normal is None else sign.normal), None


def _state_fits(sign: Sign, signal: Signal) -> bool:
    """Stillness has no direction: only a sign that asks for it is met, or a fall where it is one."""
    if sign.state != "any":
        return sign.state == signal.state
    if signal.state == "stopped":
        return sign.direction != "up" and signal.z <= LEAST_FALL
    return signal.state not in {"silent", "frozen"}


def _unexplained(runbook: Runbook, around: Surroundings) -> float:
    spoken = {sign.kind for sign in runbook.signature if sign.weight > 0}
    left = [strength(one) for one in around.root if one.kind not in spoken]
    return UNEXPLAINED * sum(sorted(left, reverse=True)[:3])


def _logs(runbook: Runbook, around: Surroundings) -> tuple[float, str | None]:
    """Lines that speak of the cause, on the component or downstream of it."""
    near = {around.component, *(one.component for one in around.downstream)}
    for line in around.ledger.logs:
        spoken = runbook.said_by(line.template) or (runbook.new_errors and line.is_new and line.is_error)
        if line.component in near and line.g > 0 and spoken:
            full = LOG_WEIGHT if line.component == around.component else 0.5 * LOG_WEIGHT
            return full * min(1.0, float(np.log1p(line.g)) / 4), line.evidence_id
    return 0.0, None


def _events(runbook: Runbook, around: Surroundings) -> tuple[float, str | None]:
    """An event that supports the component and can announce the cause."""
    for event in around.ledger.events:
        named = event.supports and around.component in {event.supports, event.component}
        if named and runbook.announced_by(event.kind, event.text):
            fresh = event.seconds_before_onset <= FRESH_SECONDS
            own = OWN_WORD if event.supports != around.component else 0.0
            weight = EVENT_WEIGHT if fresh else 0.5 * EVENT_WEIGHT + runbook.without_event
            return weight + own, event.evidence_id
    return runbook.without_event, None


def _scope(runbook: Runbook, around: Surroundings) -> float:
    """A cause of the world shows on many components of a class at once, a local one on one symbol."""
    if runbook.scope == "any":
        return 0.0
    kind = class_of(around.component)
    same = [row for row in around.ledger.components if class_of(row.component) == kind]
    # That many move together is what is asked here, so none has to stand out among all tests by itself.
    odd = [row for row in same if row.p_value < WIDESPREAD_P]
    share = len(odd) / max(len(same), 1)
    widespread = len(same) > 1 and share > 0.5
    return SCOPE_WEIGHT if widespread == (runbook.scope == "many") else -SCOPE_WEIGHT


def share_out(fits: Sequence[Fit], weight: float) -> tuple[list[Fit], float]:
    """Spread a component's weight over its causes; the second value is the share of causes without a runbook.

    The weight grows with the square root of how much better the described causes fit than an unnamed one: a
    component whose moves make sense together is likelier than one that merely moved more.
    """
    odds = np.exp(np.clip([(one.score - UNNAMED) / SHARPNESS for one in fits], -30.0, 30.0))
    total = 1.0 + float(odds.sum())
    grown = weight * float(np.sqrt(total))
    shares = grown * odds / total
    return [one.model_copy(update={"share": float(shares[i])}) for i, one in enumerate(fits)], grown / total
