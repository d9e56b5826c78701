"""Gathers the ledger of a case: every fact with its statistic, before a word is written about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.evidence import context, facts
from agent.evidence.attribution import impact_of_case
from agent.evidence.blank import blank_ledger, holds_data
from agent.evidence.case import Case
from agent.evidence.changes import changed_at
from agent.evidence.factors import Part, set_apart
from agent.evidence.logs import TemplateShift, about, template_shifts
from agent.evidence.measured import Measured, measure_case
from agent.evidence.oddness import odd_components
from agent.evidence.ranking import Ranked, rank_components
from agent.evidence.record import ComponentRow, EventFinding, Ledger, LogFinding, Signal
from agent.evidence.settings import EvidenceSettings
from agent.evidence.signals import note_signals
from domain.evidence import TimeWindow

__all__ = ["Case", "Ledger", "gather"]

MAX_LOGS = 8
NOTABLE = 0.1
MAX_CHECKED = 40
NO_CAUSE = 0.5


def gather(case: Case, settings: EvidenceSettings) -> Ledger:
    """Compute all facts of a case. Pure: the same case and settings give the same ledger.

    Cost: a few milliseconds per hundred series; nothing is sampled or cut before it is tested.
    """
    if not holds_data(case):
        return blank_ledger(case.targets, case.start, case.end, case.window.step_s, len(case.window.series))
    case, parts = _without_parts(case)
    measured = measure_case(case, settings)
    window = measured.window
    onset = window.time_at(measured.onset.column)
    spoken = template_shifts(case.logs, window.start, onset, case.end)
    logs = about(spoken, measured.components, odd_components(measured, settings))
    ranked, none = rank_components(
        measured, case.topology, logs, settings, context.changed_components(case, measured)
    )
    shown = ranked[: settings.max_components or None]
    book = facts.Notebook(TimeWindow(start=onset, end=window.time_at(measured.last)))
    facts.note_onset(book, measured)
    impact, money_series = impact_of_case(measured, settings, parts, _reached(case, ranked, none))
    if impact is not None:
        facts.note_impact(book, impact, money_series)
    signals = note_signals(book, measured, ranked, settings)
    findings = _log_findings(book, logs, settings)
    events = _events(book, case, measured, ranked)
    normal, missing = _normal_and_missing(measured, settings)
    scope = _scope(case, measured, settings, events)
    facts.note_tested(book, normal, scope["significant"])
    facts.note_missing(book, missing)
    similar = _similar(book, case, signals)
    return Ledger(
        **scope,
        evidence=tuple(book.facts[: settings.max_evidence]),
        signals=tuple(signals),
        logs=tuple(findings),
        events=tuple(events),
        components=_with_reported(_rows(measured, shown, signals, findings), events),
        none_confidence=none,
        impact=impact,
        normal=normal,
        checked=_checked(measured, ranked, settings),
        missing=tuple(missing[:50]),
        untested=len(missing),
        similar=similar,
    )


def _without_parts(case: Case) -> tuple[Case, tuple[Part, ...]]:
    rest, parts = set_apart(case.window)
    return replace(case, window=rest), parts


def _reached(case: Case, ranked: Sequence[Ranked], none: float) -> frozenset[str]:
    """Whose money the likeliest cause can touch; nobody's where the target alone is asked about."""
    if case.target_is_symptom or none > NO_CAUSE or not ranked:
        return frozenset()
    start = ranked[0].component
    return frozenset({start}) | case.topology.reached_from(start)


def _scope(
    case: Case, measured: Measured, settings: EvidenceSettings, events: Sequence[EventFinding]
) -> dict[str, Any]:
    """What was asked and how much of it could be tested."""
    window, tested = measured.window, measured.shifts.tested
    return {
        "targets": tuple(window.series[row].name for row in measured.targets),
        "target_component": measured.target_component,
        "start": case.start,
        "end": case.end,
        "step_s": window.step_s,
        "onset": window.time_at(measured.onset.column),
        "onset_low": window.time_at(measured.onset.low),
        "onset_high": window.time_at(measured.onset.high),
        "onset_estimated": measured.estimated,
        "calibrated": settings.calibrated,
        "has_topology": bool(case.topology.edges),
        "edges": _edges_around(case, measured, events),
        "tested": int(tested.sum()),
        "significant": int((tested & (measured.q < settings.significance)).sum()),
    }


def _log_findings(
    book: facts.Notebook, logs: Sequence[TemplateShift], settings: EvidenceSettings
) -> list[LogFinding]:
    told = sorted(
        (one for one in logs if one.q_value < settings.significance),
        key=lambda one: (-abs(one.g), one.component, one.template),
    )
    findings = [
        LogFinding(
            component=one.component,
            level=one.level,
            template=one.template[:500],
            observed=one.observed,
            expected=one.expected,
            g=one.g,
            q_value=one.q_value,
            is_new=one.is_new,
            is_error=one.is_error,
            logger=one.logger,
            quoted=one.quoted,
        )
        for one in told[:MAX_LOGS]
    ]
    return [one.model_copy(update={"evidence_id": facts.note_log(book, one)}) for one in findings]


def _events(
    book: facts.Notebook, case: Case, measured: Measured, ranked: Sequence[Ranked]
) -> list[EventFinding]:
    odd = [
        one.component
        for one in ranked
        if one.explained_by is None and ((one.rows and measured.q[one.rows[0]] < NOTABLE) or one.logs > 0)
    ]
    found = context.find_events(case, measured, odd)
    return [one.model_copy(update={"evidence_id": context.note_event(book, one)}) for one in found]


def _normal_and_missing(measured: Measured, settings: EvidenceSettings) -> tuple[dict[str, int], list[str]]:
    normal: dict[str, int] = {}
    missing = []
    for i, one in enumerate(measured.window.series):
        if not measured.shifts.tested[i]:
            missing.append(one.name)
        elif measured.q[i] >= settings.significance:
            family = measured.kinds[i].family
            normal[family] = normal.get(family, 0) + 1
    return normal, missing


def _checked(
    measured: Measured, ranked: Sequence[Ranked], settings: EvidenceSettings
) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    rows_of = measured.rows_of()
    for one in ranked[:MAX_CHECKED]:
        rows = [i for i in rows_of.get(one.component, ()) if measured.shifts.tested[i]]
        odd = {measured.kinds[i].name for i in rows if measured.q[i] < settings.notable}
        out[one.component] = tuple(sorted({measured.kinds[i].name for i in rows} - odd))
    return out


def _similar(book: facts.Notebook, case: Case, signals: Sequence[Signal]) -> tuple[str, ...]:
    shifted = frozenset(one.series for one in signals)
    found = context.similar_incidents(case.past, shifted, case.now or case.end)
    return tuple(context.note_similar(book, found))


def _rows(
    measured: Measured, ranked: Sequence[Ranked], signals: Sequence[Signal], logs: Sequence[LogFinding]
) -> list[ComponentRow]:
    by_series = {one.series: one for one in signals}
    out = []
    for one in ranked:
        mine = [signal for signal in signals if signal.component == one.component and not signal.outcome]
        own = [signal.evidence_id for signal in mine]
        spoken = [log.evidence_id for log in logs if log.component == one.component]
        out.append(
            ComponentRow(
                component=one.component,
                score=one.score,
                own=one.own,
                logs=one.logs,
                explained_by=one.explained_by,
                hops=one.hops,
                confidence=one.confidence,
                evidence_ids=tuple(identifier for identifier in (*own, *spoken) if identifier),
                **_strongest(measured, one, by_series),
            )
        )
    return out


def _strongest(measured: Measured, one: Ranked, signals: Mapping[str, Signal]) -> dict[str, Any]:
    """The component's strongest series; one that is known from its logs alone has none."""
    if not one.rows:
        return {
            "series": None,
            "p_value": 1.0,
            "q_value": 1.0,
            "onset": measured.window.time_at(measured.onset.column),
        }
    best = one.rows[0]
    name = measured.window.series[best].name
    return {
        "series": name,
        "p_value": float(measured.shifts.p[best]),
        "q_value": float(measured.q[best]),
        "onset": changed_at(measured, best),
        "lead_seconds": signals[name].lead_seconds if name in signals else None,
    }


def _with_reported(rows: Sequence[ComponentRow], events: Sequence[EventFinding]) -> tuple[ComponentRow, ...]:
    """The rows, and one for each component that nothing is measured on and that is reported to be in trouble.

    A venue says that it is down, and what is seen of it is a strategy that is filled no more: the two share
    what the strategy had.
    """
    known = {one.component: one for one in rows}
    added: dict[str, ComponentRow] = {}
    for event in events:
        behind = known.get(event.supports or "")
        if event.kind in context.REPORTS and behind and event.component and event.component not in known:
            half = behind.model_copy(update={"confidence": behind.confidence / 2})
            known[behind.component] = half
            unmeasured = {"series": None, "p_value": 1.0, "q_value": 1.0, "lead_seconds": None, "hops": None}
            ids = (event.evidence_id,) if event.evidence_id else ()
            told = {**unmeasured, "component": event.component, "evidence_ids": ids, "own": 0.0, "logs": 0.0}
            added[event.component] = half.model_copy(update=told)
    # By confidence, as they came.
    return tuple(sorted([*known.values(), *added.values()], key=lambda one: -one.confidence))


def _edges_around(
    case: Case, measured: Measured, events: Sequence[EventFinding]
) -> tuple[tuple[str, str], ...]:
    """The edges between components in the window or reported on: what the reasoner may walk along."""
    reported = {one.component for one in events if one.supports}
    known = {*measured.components, measured.target_component, *reported}
    return tuple(
        (edge.cause, edge.effect)
        for edge in case.topology.edges
        if edge.cause in known and edge.effect in known
    )
