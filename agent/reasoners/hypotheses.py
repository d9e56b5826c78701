"""From components and causes to hypotheses whose confidences, with `unknown`, sum to one."""

from collections.abc import Sequence

from agent.evidence.record import ComponentRow, Ledger
from agent.places import filled, place, places, short_name
from agent.reasoners.investigation import Fit, Investigation
from agent.reasoners.signatures import fit_cause, share_out, surroundings
from agent.vocabulary import class_of
from domain.diagnosis import Hypothesis
from prompts.runbook import Runbook

MAX_COMPONENTS = 12
MAX_NAMED = 3
LEAST = 0.02
LEAST_SHARE = 1e-9
MAX_FITS = 80
# Components of one class that a cause fits nearly as well as the best are hit by the same thing.
SAME_FIT = 0.7
UNCALIBRATED = 0.95
WITHOUT_GRAPH = 0.65
ONE_MODALITY = 0.85
SIGNIFICANCE = 0.05


def fit_all(ledger: Ledger, runbooks: Sequence[Runbook]) -> tuple[Fit, ...]:
    """Fits of every cause to the components in question; the shares of all, with `unknown`, sum to one."""
    out: list[Fit] = []
    looked_at = ledger.components[:MAX_COMPONENTS]
    unknown = max(0.0, 1.0 - sum(row.confidence for row in looked_at))
    for row in looked_at:
        around = surroundings(ledger, row.component)
        fits = [fit for runbook in runbooks if (fit := fit_cause(runbook, around)) is not None]
        shared, unnamed = share_out(fits, row.confidence)
        out += shared
        unknown += unnamed
    total = unknown + sum(one.share for one in out)
    scaled = [one.model_copy(update={"share": one.share / total}) for one in out]
    scaled.sort(key=lambda one: (-one.share, one.cause, one.component))
    return tuple(one for one in scaled if one.share > LEAST_SHARE)[:MAX_FITS]


def form(investigation: Investigation) -> tuple[tuple[Hypothesis, ...], tuple[str, ...]]:
    """The primary hypothesis and up to three alternatives, `unknown` among them; and the caps applied.

    Confidence of a cause is the sum over its components. Where evidence is thin the primary's confidence is
    capped and the rest goes to `unknown`.
    """
    ledger = investigation.ledger
    total: dict[str, float] = {}
    for fit in investigation.fits:
        total[fit.cause] = total.get(fit.cause, 0.0) + fit.share
    named = sorted(total, key=lambda cause: (-total[cause], cause))[:MAX_NAMED]
    named = [cause for cause in named if total[cause] >= LEAST]
    drafts = [_draft(investigation, cause, total[cause]) for cause in named]
    cap, reasons = _cap(ledger, drafts[0] if drafts else None)
    drafts = [
        one.model_copy(update={"confidence": min(one.confidence, cap)}) if i == 0 else one
        for i, one in enumerate(drafts)
    ]
    unknown = _unknown(ledger, max(0.0, 1.0 - sum(one.confidence for one in drafts)))
    ordered = sorted([*drafts, unknown], key=lambda one: -one.confidence)
    return _numbered(ordered), tuple(reasons)


def _numbered(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    return tuple(one.model_copy(update={"id": f"H{i + 1}"}) for i, one in enumerate(hypotheses))


def _draft(investigation: Investigation, cause: str, confidence: float) -> Hypothesis:
    runbook = investigation.runbook(cause)
    fits = [fit for fit in investigation.fits if fit.cause == cause]
    best = fits[0]
    row = investigation.ledger.row(best.component)
    shared = [
        fit.component
        for fit in fits
        if fit is best
        or (fit.score >= SAME_FIT * best.score and class_of(fit.component) == class_of(best.component))
    ]
    title = filled(runbook.title if runbook else cause, places(shared), short_name(best.component))
    supporting = tuple(dict.fromkeys(identifier for fit in fits[:3] for identifier in fit.supporting))
    own = tuple(row.evidence_ids) if row else ()
    return Hypothesis(
        id="H0",
        title=title[:1].upper() + title[1:],
        cause=cause,
        component=best.component,
        description=_first_paragraph(runbook),
        root_series=_root_series(investigation.ledger, shared),
        confidence=min(confidence, 1.0),
        supporting=_surest_first(investigation.ledger, (*supporting, *own))[:8],
        contradicting=tuple(one for one in best.contradicting if one not in {*supporting, *own})[:5],
        separating_check=None,
    )


def _surest_first(ledger: Ledger, ids: Sequence[str]) -> tuple[str, ...]:
    """Facts once each, those that are within noise last."""
    facts = {one: ledger.fact(one) for one in dict.fromkeys(ids)}
    noise = [one for one, fact in facts.items() if fact and (fact.q_value or 0.0) >= SIGNIFICANCE]
    return (*(one for one in facts if one not in noise), *noise)


def _first_paragraph(runbook: Runbook | None) -> str:
    return " ".join(runbook.description.split("\n\n")[0].split()) if runbook else ""


def _root_series(ledger: Ledger, components: Sequence[str]) -> tuple[str, ...]:
    rows: list[ComponentRow] = [row for row in ledger.components if row.component in components]
    return tuple(row.series for row in rows if row.series)[:6]


def _unknown(ledger: Ledger, confidence: float) -> Hypothesis:
    lead = ledger.components[0] if ledger.components else None
    where = f" The oddest component is {place(lead.component)}." if lead else ""
    return Hypothesis(
        id="H0",
        title="None of the known causes",
        cause="unknown",
        component=None,
        description=f"No described cause explains what moved well enough.{where}",
        confidence=min(max(confidence, 0.0), 1.0),
        supporting=tuple(one.id for one in ledger.evidence if one.kind == "normal")[:1],
        contradicting=(),
    )


def _cap(ledger: Ledger, primary: Hypothesis | None) -> tuple[float, list[str]]:
    """Upper bounds on confidence where evidence is thin, each with its reason."""
    if primary is None:
        return 1.0, []
    cap = 1.0 if ledger.calibrated else UNCALIBRATED
    reasons: list[str] = []
    row = ledger.row(primary.component) if primary.component else None
    if not ledger.has_topology:
        cap, reasons = min(cap, WITHOUT_GRAPH), [*reasons, "no cause graph"]
    if row is not None and row.q_value >= 0.05 and row.logs == 0:
        cap, reasons = min(cap, WITHOUT_GRAPH), [*reasons, "its series moved less than q < 0.05"]
    kinds = {one.kind for one in map(ledger.fact, primary.supporting) if one is not None}
    series = {one.series for one in map(ledger.fact, primary.supporting) if one is not None and one.series}
    if len(kinds) < 2 and len(series) < 2:
        cap, reasons = min(cap, ONE_MODALITY), [*reasons, "a single kind of evidence"]
    return cap, reasons
