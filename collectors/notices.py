"""Notices in JSON: incidents of a Statuspage, and any list of items by path expressions."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from collectors.feeds import MOST_ITEMS, FeedItem, UnreadableFeed, plain, read_time
from collectors.gate import read_micros
from collectors.settings_news import NewsFields
from domain.errors import InvalidTimestamp
from domain.timestamps import from_microseconds

STATUS_PATH = "/api/v2/incidents.json"
_MAX_ID = 20_000
_MAX_TITLE = 500
_MAX_SUMMARY = 1_500
_MOST_TAGS = 20


def parse_statuspage(document: Mapping[str, Any]) -> list[FeedItem]:
    """One item per update of an incident, newest first; raises KeyError or TypeError for anything else."""
    items = [
        _update(incident, update)
        for incident in _list(document["incidents"])
        for update in (_list(incident.get("incident_updates") or []) or [incident])
    ]
    newest = sorted((one for one in items if one.published), key=lambda one: str(one.published), reverse=True)
    return [*newest, *(one for one in items if not one.published)]


def _update(incident: Mapping[str, Any], update: Mapping[str, Any]) -> FeedItem:
    status = str(update.get("status") or incident.get("status") or "")
    name = plain(str(incident["name"]), _MAX_TITLE)
    hit = [str(one["name"]) for one in _list(incident.get("components") or []) if "name" in one]
    told = update.get("display_at") or update.get("created_at") or incident.get("created_at")
    labels = {
        "status": plain(status, 50),
        "impact": plain(str(incident.get("impact") or ""), 50),
        "affected": plain(", ".join(hit[:_MOST_TAGS]), 200),
    }
    return FeedItem(
        id=f"{incident['id']}|{update.get('id', '')}"[:_MAX_ID],
        title=f"{name} ({status})" if status else name,
        summary=plain(str(update.get("body") or ""), _MAX_SUMMARY),
        link=str(incident.get("shortlink") or ""),
        published=read_time(str(told or "")),
        tags=(),
        labels={name: value for name, value in labels.items() if value},
    )


def parse_listed(text: str, fields: NewsFields) -> list[FeedItem]:
    """Items of any JSON by path expressions; raises ValueError or TypeError where they do not fit."""
    import jmespath  # noqa: PLC0415 - only where a path is configured

    items = jmespath.search(fields.items, json.loads(text))
    if not isinstance(items, list):
        raise TypeError("items")
    if len(items) > MOST_ITEMS:
        raise UnreadableFeed("items")
    paths = {
        name: jmespath.compile(getattr(fields, name)) for name in NewsFields.model_fields if name in _READ
    }
    return [_listed({name: path.search(item) for name, path in paths.items()}, fields) for item in items]


_READ = frozenset({"id", "title", "summary", "link", "time", "tags"})


def _listed(found: Mapping[str, Any], fields: NewsFields) -> FeedItem:
    raw_tags = found["tags"] or ()
    tags = [raw_tags] if isinstance(raw_tags, str) else raw_tags
    return FeedItem(
        id=str(found["id"] or found["link"] or found["title"] or "")[:_MAX_ID],
        title=plain(_text(found["title"]), _MAX_TITLE),
        summary=plain(_text(found["summary"]), _MAX_SUMMARY),
        link=_text(found["link"]),
        published=_time(found["time"], fields),
        tags=tuple(plain(str(tag), 100) for tag in list(tags)[:_MOST_TAGS]),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise TypeError("is no text")
    return str(value)


def _time(raw: Any, fields: NewsFields) -> datetime | None:
    if raw is None or raw == "":
        return None
    if isinstance(raw, str) and not raw.strip().isdecimal():
        return read_time(raw)
    try:
        return from_microseconds(read_micros(raw, unit=fields.time_unit))
    except (InvalidTimestamp, OverflowError, ValueError):
        return None


def _list(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise TypeError("is no list")
    if len(value) > MOST_ITEMS:
        raise UnreadableFeed("a list")
    return value
