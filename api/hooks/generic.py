"""Changes that any other program reports: one object, or a list of them under `events`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.hooks.changes import component_for
from api.hooks.reading import instant, labels, listed, required, words
from api.hooks.settings import HookSettings
from api.problem import invalid
from domain.event import Event

MAX_EVENTS = 1_000
KINDS = ("deploy", "config_change", "config", "release", "flag", "notice")
_FIELDS = frozenset({"timestamp", "text", "kind", "component", "repository", "labels"})


def events_of(
    document: Mapping[str, Any], delivery_id: str, settings: HookSettings, now: datetime
) -> list[Event]:
    """The events of a delivery; raises HttpProblem naming the field that is unusable."""
    if "events" not in document:
        return [_event(document, "", f"generic|{delivery_id}", settings, now)]
    found = []
    for i, one in enumerate(listed(document, "events", MAX_EVENTS)):
        if not isinstance(one, dict):
            raise invalid(f"events.{i}", "must be an object")
        found.append(_event(one, f"events.{i}.", f"generic|{delivery_id}|{i}", settings, now))
    if not found:
        raise invalid("events", "is empty")
    return found


def _event(one: Mapping[str, Any], place: str, key: str, settings: HookSettings, now: datetime) -> Event:
    unknown = sorted(one.keys() - _FIELDS)
    if unknown:
        raise invalid(f"{place}{unknown[0]}", "is not a known field")
    kind = words(one, "kind", place) or "deploy"
    if kind not in KINDS:
        raise invalid(f"{place}kind", f"must be one of {', '.join(KINDS)}")
    repository = words(one, "repository", place)
    component = words(one, "component", place) or component_for(repository, settings.components)
    own = {"kind": kind, "component": component, "repository": repository, "sender": "generic"}
    return Event(
        timestamp=instant(one, "timestamp", now, place) or now,
        source="events",
        text=required(one, "text", place),
        labels={**labels(one, "labels", place), **{name: text[:500] for name, text in own.items() if text}},
        dedupe_key=key,
    )
