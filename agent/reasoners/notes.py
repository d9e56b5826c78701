"""What a model's reasoner keeps between steps: the texts that passed the check, and what was counted."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.reasoners.answers import View
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import LEAST_CONFIDENCE
from agent.verify import Verified
from domain.diagnosis import Diagnosis, Hypothesis, StepName, Verification

# A model may lower a confidence by this share, never the order or the outcome.
MOST_DOUBT = 0.2


class Notes(BaseModel):
    """Checkpointed with the investigation, merged into the diagnosis at its end."""

    model_config = ConfigDict(frozen=True)

    model: str = ""
    used: bool = False
    fallback_reason: str | None = None
    prompts: tuple[str, ...] = ()
    claims: int = 0
    removed: int = 0
    texts: dict[str, str] = {}
    cited: dict[str, tuple[str, ...]] = {}
    whys: dict[str, str] = {}
    views: tuple[View, ...] = ()
    left_out: tuple[str, ...] = ()
    repaired: bool = False

    @classmethod
    def of(cls, investigation: Investigation) -> "Notes":
        """The notes of an investigation; empty ones where there are none yet."""
        return cls.model_validate(investigation.notes)

    def into(self, investigation: Investigation) -> Investigation:
        """The investigation with these notes."""
        return investigation.model_copy(update={"notes": self.model_dump(mode="json")})

    def counted(self, checked: Iterable[Verified]) -> "Notes":
        """With the claims of some more texts."""
        found = list(checked)
        return self.model_copy(
            update={
                "claims": self.claims + sum(one.claims for one in found),
                "removed": self.removed + sum(one.failed for one in found),
            }
        )

    def finish(self, diagnosis: Diagnosis) -> Diagnosis:
        """The diagnosis with who reasoned, what was checked and why it is not the model's, if so."""
        values: dict[str, Any] = {
            "reasoner": "llm" if self.used else "statistical",
            "llm_model_used": self.model if self.used else None,
            "fallback_reason": self.fallback_reason,
            "prompt_versions": self.prompts,
        }
        if self.used:
            verified = self.claims - self.removed
            values["verification"] = Verification(claims=self.claims, verified=verified, removed=self.removed)
        return diagnosis.model_copy(update=values)


def retold(investigation: Investigation, step: StepName, notes: Notes) -> Investigation:
    """The investigation with the model's text of a step, where one passed the check."""
    text = notes.texts.get(step)
    if not text:
        return investigation
    cited = notes.cited.get(step, ())
    steps = tuple(
        one.model_copy(update={"text": text, "evidence_ids": cited}) if one.name == step else one
        for one in investigation.steps
    )
    return investigation.model_copy(update={"steps": steps})


def doubted(investigation: Investigation, notes: Notes) -> Investigation:
    """Hypotheses with what the model holds against them; it may lower a confidence, no more.

    Order, outcome and verdicts stay those of the statistics, whatever the model says: text from outside may
    have told it what to say.
    """
    known = {one.id for one in investigation.ledger.evidence}
    views = {(one.cause, one.component): one for one in notes.views}
    views |= {(one.cause, None): one for one in reversed(notes.views)}
    seen = [_seen(one, views, notes.whys, known) for one in investigation.hypotheses]
    return investigation.model_copy(update={"hypotheses": _lowered(seen, views)})


def _seen(
    one: Hypothesis, views: Mapping[tuple[str, str | None], View], whys: Mapping[str, str], known: set[str]
) -> Hypothesis:
    view = views.get((one.cause, one.component)) or views.get((one.cause, None))
    if view is None:
        return one
    against = [name for name in view.contradicting if name in known and name not in one.supporting]
    merged = tuple(dict.fromkeys((*one.contradicting, *against)))[:8]
    why = whys.get(one.cause, "")
    description = f"{one.description} {why}".strip() if why else one.description
    return one.model_copy(update={"contradicting": merged, "description": description})


def _lowered(found: list[Hypothesis], views: Mapping[tuple[str, str | None], View]) -> tuple[Hypothesis, ...]:
    """Lower the first hypothesis where the model doubts it for reasons; what it loses is unknown."""
    if not found or found[0].cause == "unknown":
        return tuple(found)
    first = found[0]
    view = views.get((first.cause, first.component)) or views.get((first.cause, None))
    unknown = next((i for i, one in enumerate(found) if one.cause == "unknown"), None)
    if view is None or unknown is None or not set(view.contradicting) & set(first.contradicting):
        return tuple(found)
    others = max((one.confidence for one in found[1:] if one.cause != "unknown"), default=0.0)
    equal = (first.confidence + found[unknown].confidence) / 2
    kept = [first.confidence * (1 - MOST_DOUBT), view.confidence, others, equal]
    kept += [limit for limit in (0.5, LEAST_CONFIDENCE, 0.1) if first.confidence >= limit][:1]
    lowered = min(first.confidence, max(kept) + 1e-9)
    rest = found[unknown].confidence + first.confidence - lowered
    found[0] = first.model_copy(update={"confidence": lowered})
    found[unknown] = found[unknown].model_copy(update={"confidence": rest})
    return tuple(sorted(found, key=lambda one: -one.confidence))
