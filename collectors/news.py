"""Feeds of headlines and notices: each item becomes an event, once."""

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from collectors.answers import as_json, as_text, check_parts, in_shape
from collectors.collector import NO_SAMPLES, Collected, Position
from collectors.feeds import FeedItem, UnreadableFeed, parse_json_feed, parse_xml
from collectors.http import Answer, HttpReader
from collectors.known_names import KnownNames
from collectors.notices import STATUS_PATH, parse_listed, parse_statuspage
from collectors.settings_news import NewsSource
from domain.errors import SourceError
from domain.event import Event
from domain.timestamps import MAX_FUTURE

_ACCEPT = "application/feed+json, application/json, application/atom+xml, application/rss+xml, text/xml;q=0.9"
_MAX_SEEN = 5_000
_MAX_LINK = 500
_HEADLINE_WORDS = 5
_WORD = re.compile(r"\w+")
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
        self._names = KnownNames.of(settings.symbols, settings.venues, known=settings.known_names)

    @classmethod
    def of(cls, settings: NewsSource, environ: Mapping[str, str]) -> Self:
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:
        deadline = time.monotonic() + self._settings.deadline_seconds
        items = self._parse(self._http.get(self._path(), accept=_ACCEPT, deadline=deadline))
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

    def _path(self) -> str:
        """A Statuspage is configured by its own address; the incidents are below it."""
        return STATUS_PATH if self._settings.format == "statuspage" else ""

    def _parse(self, answer: Answer) -> Sequence[FeedItem]:
        if self._settings.format == "statuspage":
            document = as_json(answer, self.name)
            return in_shape(self.name, "the status page", lambda: parse_statuspage(document))
        if self._settings.format == "json":
            text, fields = as_text(answer, self.name), self._settings.fields
            check_parts(answer, self.name)
            return in_shape(self.name, "the answer", lambda: parse_listed(text, fields))
        return self._parse_feed(answer)

    def _parse_feed(self, answer: Answer) -> Sequence[FeedItem]:
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
        named = self._names.labels(text)
        component = next((tag for tag in item.tags if _COMPONENT.fullmatch(tag)), None)
        if component is None and "venue" in named:
            component = f"venue:{named['venue']}"
        labels = {
            "kind": self._settings.event_kind,
            "feed": self.name,
            "component": component,
            "link": item.link if _is_plain_link(item.link) else None,
            "first_seen": now.isoformat(timespec="seconds"),
            **named,
            **item.labels,
        }
        return Event(
            timestamp=published,
            source=self._settings.source,
            text=text,
            labels={
                **{name: value for name, value in labels.items() if value is not None},
                **self._settings.labels,
            },
            dedupe_key=self._identity(item, key, published),
        )

    def _identity(self, item: FeedItem, key: str, published: datetime) -> str:
        """The same headline of the same day is one event, whichever feed brings it; notices are their own."""
        words = _WORD.findall(item.title.casefold())
        if self._settings.event_kind != "news" or len(words) < _HEADLINE_WORDS:
            return f"feed|{self.name}|{key}"
        title = hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()[:24]
        return f"headline|{published:%Y-%m-%d}|{title}"

    def _notes(self, items: Sequence[FeedItem]) -> tuple[str, ...]:
        if len(items) > self._settings.max_items:
            return (f"{len(items) - self._settings.max_items} items left out: max_items",)
        return () if items else ("the feed holds no items",)


def _key(item: FeedItem) -> str:
    identity = item.id or f"{item.link}|{item.title}"
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]


def _is_plain_link(link: str) -> bool:
    return link.startswith(("http://", "https://")) and len(link) <= _MAX_LINK and link.isprintable()
