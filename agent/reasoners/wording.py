"""The six steps and the summary in words; every number comes from the ledger."""

import re
from collections.abc import Sequence

from agent.evidence.facts import in_words, tail_of
from agent.evidence.figures import clock, span
from agent.evidence.record import Ledger
from agent.places import listed, place
from agent.reasoners.investigation import Investigation
from domain.diagnosis import Hypothesis
from domain.evidence import Evidence
from domain.money import format_money

MAX_WORDS = 80
SIGNIFICANCE = 0.05
NO_DATA = "No data: no series can be compared with its past in this window."


def cite(ids: Sequence[str], limit: int = 4) -> str:
    """` [E1, E2]`, or nothing."""
    return f" [{', '.join(ids[:limit])}]" if ids else ""


def percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def of_kind(ledger: Ledger, *kinds: str) -> list[Evidence]:
    """Facts of some kinds, in the order of the ledger."""
    return [one for one in ledger.evidence if one.kind in kinds]


def examination(ledger: Ledger) -> tuple[str, tuple[str, ...]]:
    """What was looked at, how much of it moved, what is missing, and what it cost."""
    if no_data(ledger):
        missing = of_kind(ledger, "missing")
        lines = [f"{one.statement} [{one.id}]" for one in missing]
        return " ".join([NO_DATA, *lines]), tuple(one.id for one in missing)
    cited = of_kind(ledger, "impact", "attribution", "normal", "missing")
    text = f"Looked at {span(ledger.end - ledger.onset)} from {clock(ledger.onset)} UTC on."
    lines = [f"{one.statement} [{one.id}]" for one in cited]
    return " ".join([text, *lines]), tuple(one.id for one in cited)


def no_data(ledger: Ledger) -> bool:
    """Whether nothing is held of the window, so that nothing can be said about it."""
    return not ledger.tested and not ledger.logs


def findings(ledger: Ledger) -> list[str]:
    """Onset, largest moves, log lines and what can be said about order, one sentence each with its fact."""
    if no_data(ledger):
        return [NO_DATA]
    moves = [one for one in of_kind(ledger, "shift", "silence") if moved(one) and not _is_money(ledger, one)]
    moves = moves[:4]
    chosen = [*of_kind(ledger, "onset"), *moves, *of_kind(ledger, "log_template")[:2]]
    lines = [f"{one.statement} [{one.id}]" for one in chosen]
    leads = of_kind(ledger, "lead_lag")
    if leads:
        lines += [f"{one.statement} [{one.id}]" for one in leads[:2]]
    elif len(moves) > 1:
        lines.append("The order of the moves cannot be told at this resolution.")
    elif not moves:
        lines.append("Beside money no series moved beyond noise.")
    return lines


def moved(fact: Evidence) -> bool:
    """Whether a fact is a move that all the tests together leave standing."""
    return fact.q_value is None or fact.q_value < SIGNIFICANCE


def _is_money(ledger: Ledger, fact: Evidence) -> bool:
    outcomes = {signal.series for signal in ledger.signals if signal.outcome}
    return bool(set(fact.series) & outcomes)


def candidates(investigation: Investigation) -> str:
    """Which causes fit, and how many were weighed."""
    named = [one for one in investigation.hypotheses if one.cause != "unknown"]
    weighed = len(investigation.runbooks)
    if not named:
        return f"None of {weighed} known causes fits a component that moved."
    fits = listed([f"{one.title} ({percent(one.confidence)})" for one in named])
    rest = next((one.confidence for one in investigation.hypotheses if one.cause == "unknown"), 0.0)
    verb = "fits" if len(named) == 1 else "fit"
    return f"Of {weighed} known causes {len(named)} {verb}: {fits}. Something else: {percent(rest)}."


def weighing(hypothesis: Hypothesis, ledger: Ledger) -> str:
    """For and against one hypothesis."""
    supported = [fact for fact in map(ledger.fact, hypothesis.supporting) if fact is not None]
    against = [fact for fact in map(ledger.fact, hypothesis.contradicting) if fact is not None]
    text = f"{hypothesis.title}: "
    text += f"for it {_side(supported, ledger)}" if supported else "no fact supports it directly"
    return f"{text}; against it {_side(against, ledger)}." if against else f"{text}."


def _side(facts: Sequence[Evidence], ledger: Ledger) -> str:
    return listed([f"{brief(one, ledger)} [{one.id}]" for one in facts[:3]])


_STATES = {"silent": "silent", "stopped": "at zero", "frozen": "frozen"}


def brief(fact: Evidence, ledger: Ledger) -> str:
    """A fact in a few words, where its sentence stands elsewhere: `feed latency of the okx feed up`."""
    signal = next((one for one in ledger.signals if one.evidence_id == fact.id), None)
    if signal is not None:
        what = in_words(signal.kind, signal.component, signal.series)
        noise = "" if moved(fact) else ", within noise"
        return f"{_lower(what)} {_STATES.get(signal.state, signal.direction)}{noise}"
    if fact.kind == "log_template":
        way = "more" if fact.direction == "up" else "missing"
        level = str(fact.parameters.get("level", "")).lower() or "log"
        return f"{way} {level} lines of {place(fact.component or '')}"
    return _lower(fact.statement.rstrip("."))


def determination(investigation: Investigation) -> str:
    """The conclusion, why it is no surer, and what would change it."""
    ledger, hypotheses = investigation.ledger, investigation.hypotheses
    first = hypotheses[0]
    if investigation.outcome == "no_fault":
        return "Nothing moved beyond its habits, so there is no fault to explain."
    if no_data(ledger):
        return NO_DATA
    if investigation.outcome == "inconclusive":
        lead = next((one for one in hypotheses if one.cause != "unknown"), None)
        text = "The facts do not single out a cause."
        return f"{text} The best lead is: {lead.title} ({percent(lead.confidence)})." if lead else text
    kind = "" if investigation.calibrated else ", not yet calibrated on this desk"
    text = f"{first.title}: {percent(first.confidence)}{kind}."
    chain = path_to_target(ledger, first.component)
    if len(chain) > 1:
        text += f" It reaches the target along {' -> '.join(map(place, chain))}."
    if investigation.caps:
        text += f" Confidence is limited by: {listed(investigation.caps)}."
    rival = next((one for one in hypotheses[1:] if one.cause != "unknown"), None)
    if rival is not None:
        text += f" Next: {rival.title} ({percent(rival.confidence)})."
    if first.separating_check:
        aim = "To tell them apart" if rival is not None else "To make sure"
        text += f" {aim}: {first.separating_check}{_split_of_money(ledger, first.separating_check)}"
    return text


def _split_of_money(ledger: Ledger, check: str) -> str:
    """Where the split of PnL that a check asks for stands, or what it cannot be made from."""
    if not re.search(r"\bsplit pnl\b", check, re.IGNORECASE):
        return ""
    split = next((one for one in of_kind(ledger, "attribution") if "By factor" in one.statement), None)
    if split is not None:
        return f" That split is [{split.id}]."
    return " No fees, funding or fills are held to split it by."


def path_to_target(ledger: Ledger, component: str | None) -> list[str]:
    """A shortest walk along the cause graph from a component to the target; empty without one."""
    goal = ledger.target_component
    if component is None or goal is None:
        return []
    came: dict[str, str | None] = {component: None}
    front = [component]
    while front and goal not in came:
        reached = [(cause, effect) for cause, effect in ledger.edges if cause in front and effect not in came]
        for cause, effect in reached:
            came.setdefault(effect, cause)
        front = list(dict.fromkeys(effect for _, effect in reached))
    if goal not in came:
        return []
    walk: list[str] = []
    step: str | None = goal
    while step is not None:
        walk.append(step)
        step = came[step]
    return walk[::-1]


def summary(investigation: Investigation) -> str:
    """At most 80 words, the money first."""
    ledger = investigation.ledger
    if no_data(ledger):
        return f"{NO_DATA} Ask for a window that the sources cover, or wait until they report again."
    parts = [_money(ledger), _verdict(investigation)]
    if investigation.immediate and investigation.outcome != "no_fault":
        parts.append(f"First: {_lower(investigation.immediate[0].text)}.")
    return shortened(" ".join(part for part in parts if part))


def _money(ledger: Ledger) -> str:
    since = f"since {clock(ledger.onset)} UTC"
    impact = ledger.impact
    where = _whose(ledger)
    if impact is None:
        return f"No PnL impact can be computed; {ledger.significant} series moved {since}{where}."
    low, high = format_money(impact.low, impact.unit), format_money(impact.high, impact.unit)
    amount = format_money(impact.amount, impact.unit)
    return f"{amount} against expectation {since}{where} (90% interval {low} to {high}){tail_of(impact)}."


def _whose(ledger: Ledger) -> str:
    """Whose money it is: one strategy's, or the desk's."""
    names = {part.value for part in ledger.impact.by if part.label == "strategy"} if ledger.impact else set()
    if len(names) == 1:
        return f" on {place(f'strategy:{names.pop()}')}"
    if names:
        return " on the desk"
    return f" on {place(ledger.target_component)}" if ledger.target_component else ""


def _verdict(investigation: Investigation) -> str:
    first = investigation.hypotheses[0] if investigation.hypotheses else None
    if investigation.outcome == "no_fault":
        return "No fault found: all series that were checked are within their habits."
    if first is None or investigation.outcome != "cause_found":
        lead = next((one for one in investigation.hypotheses if one.cause != "unknown"), None)
        return (
            f"No confident cause; best lead: {lead.title} ({percent(lead.confidence)})."
            if lead
            else "No cause found."
        )
    kind = "" if investigation.calibrated else ", uncalibrated"
    text = f"{first.title} ({percent(first.confidence)}{kind})."
    facts = [fact for fact in map(investigation.ledger.fact, first.supporting) if fact is not None]
    fact = next((one for one in facts if one.component == first.component and moved(one)), None)
    return f"{text} {fact.statement}" if fact else text


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def shortened(text: str, limit: int = MAX_WORDS) -> str:
    """Cut at the last whole sentence within the limit of words."""
    words = text.split()
    if len(words) <= limit:
        return text
    kept = " ".join(words[:limit])
    end = kept.rfind(". ")
    return kept[: end + 1] if end > 0 else kept
