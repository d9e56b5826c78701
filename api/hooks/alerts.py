"""Notifications of Alertmanager and Grafana: alerts that fire or have ended."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from api.hooks.reading import instant, labels, listed, required, words
from api.problem import invalid
from domain.anomaly import Severity
from domain.event import Event

MAX_ALERTS = 1_000
_SEVERITY: Mapping[str, Severity] = {
    "critical": "critical",
    "crit": "critical",
    "page": "critical",
    "emergency": "critical",
    "fatal": "critical",
    "disaster": "critical",
    "p1": "critical",
    "error": "high",
    "high": "high",
    "major": "high",
    "p2": "high",
    "warning": "medium",
    "warn": "medium",
    "medium": "medium",
    "average": "medium",
    "p3": "medium",
    "minor": "low",
    "low": "low",
    "info": "low",
    "information": "low",
    "none": "low",
    "p4": "low",
    "p5": "low",
}
_HASH = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ForeignAlert:
    """One alert of another product; `fingerprint` is the same as long as its labels are."""

    fingerprint: str
    name: str
    status: Literal["firing", "resolved"]
    severity: Severity
    labels: Mapping[str, str]
    text: str
    starts_at: datetime
    ends_at: datetime | None

    def event(self, sender: str) -> Event:
        """What is stored of it: once for its beginning, once for its end."""
        own = {
            "kind": "alert",
            "status": self.status,
            "severity": self.severity,
            "alertname": self.name,
            "sender": sender,
            "fingerprint": self.fingerprint,
        }
        at = self.ends_at if self.status == "resolved" and self.ends_at else self.starts_at
        text = f"{self.name} is {self.status}" + (f": {self.text}" if self.text else "")
        began = int(self.starts_at.timestamp() * 1_000_000)
        return Event(
            timestamp=at,
            source="events",
            text=text,
            labels={**self.labels, **own},
            dedupe_key=f"{sender}|{self.fingerprint}|{began}|{self.status}",
        )


def alerts_of(document: Mapping[str, Any], now: datetime) -> list[ForeignAlert]:
    """The alerts of a notification, in its order; raises HttpProblem naming the field that is unusable."""
    if "alerts" not in document:
        raise invalid("alerts", "is missing")
    found = []
    for i, one in enumerate(listed(document, "alerts", MAX_ALERTS)):
        if not isinstance(one, dict):
            raise invalid(f"alerts.{i}", "must be an object")
        found.append(_alert(one, f"alerts.{i}.", now))
    return found


def severity_of(found: Mapping[str, str]) -> Severity:
    """The severity that labels tell in the words of their product; medium where they tell none."""
    said = found.get("severity") or found.get("priority") or found.get("level") or ""
    return _SEVERITY.get(said.strip().lower(), "medium")


def _alert(one: Mapping[str, Any], place: str, now: datetime) -> ForeignAlert:
    found = labels(one, "labels", place)
    notes = labels(one, "annotations", place)
    starts_at = instant(one, "startsAt", now, place)
    if starts_at is None:
        raise invalid(f"{place}startsAt", "is missing")
    status = _status(required(one, "status", place), place)
    # An alert that fires says when it would end by itself, which is no end.
    ends_at = instant(one, "endsAt", now, place) if status == "resolved" else None
    return ForeignAlert(
        fingerprint=_fingerprint(words(one, "fingerprint", place), found),
        name=found.get("alertname", "alert"),
        status=status,
        severity=severity_of(found),
        labels={name: value for name, value in found.items() if name != "alertname"},
        text=notes.get("summary") or notes.get("description") or notes.get("message") or "",
        starts_at=starts_at,
        ends_at=ends_at,
    )


def _status(said: str, place: str) -> Literal["firing", "resolved"]:
    if said == "firing":
        return "firing"
    if said == "resolved":
        return "resolved"
    raise invalid(f"{place}status", "must be firing or resolved")


def _fingerprint(given: str, found: Mapping[str, str]) -> str:
    if _HASH.fullmatch(given):
        return given
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def worst_first(alerts: Sequence[ForeignAlert]) -> list[ForeignAlert]:
    """The worst alert first, then the oldest."""
    order = ("critical", "high", "medium", "low")
    return sorted(alerts, key=lambda one: (order.index(one.severity), one.starts_at, one.fingerprint))
