"""Incidents with known causes: the ground truth of the simulated desk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from collectors.simulator.kinds import KINDS
from collectors.simulator.layout import SYMBOLS, VENUES
from collectors.simulator.stress import Pressure
from domain.timestamps import format_rfc3339

Origin = Literal["history", "ongoing", "schedule", "request"]


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident with its cause: the ground truth of an evaluation."""

    number: int
    kind: str
    target: str
    start: datetime
    end: datetime
    intensity: float
    origin: Origin

    @property
    def component(self) -> str:
        """The component that fails; everything else follows from it."""
        return KINDS[self.kind].component.format(self.target)

    @property
    def components(self) -> tuple[str, ...]:
        """All names under which the failing part of the world is known on the desk."""
        if self.component.startswith("market"):
            symbols = SYMBOLS if self.component == "market" else (self.target,)
            markets = [f"market:{venue}:{symbol}" for venue in VENUES for symbol in symbols]
        else:
            markets = [f"market:{self.target}:{symbol}" for symbol in SYMBOLS]
        return (self.component, *(markets if self.component.startswith(("market", "venue")) else ()))

    def pressures(self) -> list[Pressure]:
        """Its effects in time."""
        start, end = self.start.timestamp(), self.end.timestamp()
        return [
            Pressure(effect, start, end, self.intensity) for effect in KINDS[self.kind].effects(self.target)
        ]

    def truth(self) -> dict[str, Any]:
        """What an evaluation may know, as JSON types."""
        return {
            "id": f"X-{self.number}",
            "kind": self.kind,
            "target": self.target,
            "component": self.component,
            "components": list(dict.fromkeys(self.components)),
            "started_at": format_rfc3339(self.start),
            "ended_at": format_rfc3339(self.end),
            "duration_minutes": (self.end - self.start) / timedelta(minutes=1),
            "intensity": self.intensity,
            "origin": self.origin,
        }


def target_of(kind: str, text: str | None, default: str) -> str:
    """The target that a text such as `bybit` or `gateway:bybit` names, or the default.

    Raises:
        ValueError: the text names nothing that this kind can strike.
    """
    if text is None:
        return default
    name = text.rsplit(":", maxsplit=1)[-1]
    if name not in KINDS[kind].targets:
        raise ValueError(f"{kind} can strike {', '.join(KINDS[kind].targets)}, not {text!r}")
    return name
