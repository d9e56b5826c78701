"""Feeds of headlines and notices: each item becomes an event, once."""

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from collectors.answers import as_json, as_text, in_shape
from collectors.collector import NO_SAMPLES, Collected, Position
from collectors.feeds import FeedItem, UnreadableFeed, parse_json_feed, parse_xml
from collectors.http import Answer, HttpReader
from collectors.settings_news import NewsSource
from domain.errors import SourceError
from domain.event import Event
from domain.timestamps import MAX_FUTURE

_ACCEPT = "application/feed+json, application/json, application/atom+xml, application/rss+xml, text/xml;q=0.9"
_MAX_SEEN = 5_000
_MAX_LINK = 500
_COMPONENT = re.compile(r"[a-z_]{2,30}:[A-Za-z0-9_.:-]{1,100}", re.ASCII)


class NewsCollector:
    """Reads a feed and hands on the items that were not in it before, oldest first.

    An item that was changed under the same id is not told again.
    """

    kind = "news"

    def __init__(self, settings: NewsSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._words = {
            symbol: re.compile(r"\b(?:" + "|".join(map(re.escape, (symbol, *words))) + r")\b", re.IGNORECASE)
            for symbol, words in settings.symbols.items()
        }

    @classmethod
    def of(cls, settings: NewsSource, environ: Mapping[str, str]) -> Self:
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:
        deadline = time.monotonic() + self._settings.deadline_seconds
        items = self._parse(self._http.get(accept=_ACCEPT, deadline=deadline))
        seen: dict[str, None] = dict.fromkeys(since.cursor.get("seen", ()))
        oldest = now - timedelta(hours=self._settings.max_age_hours)
        events = []
        for item in items[: self._settings.max_items]:
            key = _key(item)
            known = key in seen
            # To the end of the line, so that what the feed still holds is forgotten last.
            seen.pop(key, None)
            seen[key] = None
            if not known and (item.title or item.summary) and (item.published or now) >= oldest:
                events.append(self._event(item, key, now))
        notes = self._notes(items)
        events.sort(key=lambda event: event.timestamp)
        return Collected(NO_SAMPLES, tuple(events), Position(now, {"seen": [*seen][-_MAX_SEEN:]}), notes)

    def _parse(self, answer: Answer) -> Sequence[FeedItem]:
        if "json" in answer.content_type or answer.body.lstrip()[:1] == b"{":
            document = as_json(answer, self.name)
            return in_shape(self.name, "the feed", lambda: parse_json_feed(document))
        as_text_checked = answer.body[:500].lstrip().lower()
        if as_text_checked.startswith((b"<html", b"<!doctype html")):
            as_text(answer, self.name)
        try:
            items = parse_xml(answer.body)
        except UnreadableFeed as error:
            raise SourceError(self.name, f"the feed {error}") from None
        if not items and b"<rss" not in answer.body[:2000] and b"<feed" not in answer.body[:2000]:
            raise SourceError(self.name, "the answer is XML, but no RSS or Atom feed")
        return items

    def _event(self, item: FeedItem, key: str, now: datetime) -> Event:
        published = item.published or now
        if published > now + MAX_FUTURE:
            published = now
        text = " \u2014 ".join(part for part in (item.title, item.summary) if part)
        component = next((tag for tag in item.tags if _COMPONENT.fullmatch(tag)), None)
        symbols = [symbol for symbol, pattern in self._words.items() if pattern.search(text)]
        labels = {
            "kind": self._settings.event_kind,
            "feed": self.name,
            "component": component,
            "symbol": symbols[0] if len(symbols) == 1 else None,
            "symbols": ",".join(symbols)[:_MAX_LINK] or None,
            "link": item.link if _is_plain_link(item.link) else None,
        }
        return Event(
            timestamp=published,
            source=self._settings.source,
            text=text,
            labels={
                **{name: value for name, value in labels.items() if value is not None},
                **self._settings.labels,
            },
            dedupe_key=f"feed|{self.name}|{key}",
        )

    def _notes(self, items: Sequence[FeedItem]) -> tuple[str, ...]:
        if len(items) > self._settings.max_items:
            return (f"{len(items) - self._settings.max_items} items left out: max_items",)
        return () if items else ("the feed holds no items",)


def _key(item: FeedItem) -> str:
    identity = item.id or f"{item.link}|{item.title}"
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]


def _is_plain_link(link: str) -> bool:
    return link.startswith(("http://", "https://")) and len(link) <= _MAX_LINK and link.isprintable()
