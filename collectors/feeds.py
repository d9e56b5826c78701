"""Parsing of feeds: RSS, Atom and JSON Feed into items; document types and entities are refused."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.parsers import expat

from collectors.gate import clean_text, read_micros
from domain.errors import InvalidTimestamp
from domain.timestamps import from_microseconds

_ITEMS = frozenset({"item", "entry"})
_FIELDS: Mapping[str, str] = {
    "title": "title",
    "guid": "id",
    "id": "id",
    "link": "link",
    "pubDate": "published",
    "published": "published",
    "updated": "updated",
    "date": "updated",
    "description": "summary",
    "summary": "summary",
    "content": "content",
    "encoded": "content",
    "category": "tags",
}
_MAX_DEPTH = 50
_MAX_ELEMENTS = 300_000
MOST_ITEMS = 20_000
_MAX_FIELD = 20_000
_MAX_TITLE = 500
_MAX_SUMMARY = 1_500
_TAG = re.compile(r"<[^>]{0,2000}>")
_SPACE = re.compile(r"\s+")


class UnreadableFeed(ValueError):
    """The text is no feed, or one that must not be parsed."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An entry of a feed as text without markup; `published` is None where it has no usable time."""

    id: str
    title: str
    summary: str
    link: str
    published: datetime | None
    tags: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Reader:
    """Gathers the fields of items from the events of the XML parser."""

    items: list[dict[str, list[str]]] = field(default_factory=list)
    depth: int = 0
    elements: int = 0
    _item: dict[str, list[str]] | None = None
    _item_depth: int = 0
    _field: str | None = None
    _field_depth: int = 0
    _text: list[str] = field(default_factory=list)
    _size: int = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > _MAX_DEPTH:
            raise UnreadableFeed("is nested too deeply")
        if self.elements > _MAX_ELEMENTS:
            raise UnreadableFeed(f"has more than {_MAX_ELEMENTS} elements")
        local = name.rpartition(":")[2]
        if self._item is None:
            if local in _ITEMS:
                self._item, self._item_depth = {}, self.depth
        elif self.depth == self._item_depth + 1:
            self._field, self._field_depth = _FIELDS.get(local), self.depth
            self._text, self._size = [], 0
            self._attributes(self._item, attributes)

    def _attributes(self, item: dict[str, list[str]], attributes: Mapping[str, str]) -> None:
        """Atom keeps links and categories in attributes."""
        if self._field == "link" and attributes.get("rel", "alternate") == "alternate":
            item.setdefault("link", []).extend(filter(None, [attributes.get("href")]))
        if self._field == "tags":
            item.setdefault("tags", []).extend(filter(None, [attributes.get("term")]))

    def text(self, text: str) -> None:
        if self._field is not None and self._size < _MAX_FIELD:
            self._text.append(text)
            self._size += len(text)

    def end(self, name: str) -> None:  # noqa: ARG002 - the parser has checked that it matches
        if self._item is not None and self._field is not None and self.depth == self._field_depth:
            value = "".join(self._text).strip()
            if value:
                self._item.setdefault(self._field, []).append(value)
            self._field = None
        if self._item is not None and self.depth == self._item_depth:
            self.items.append(self._item)
            self._item = None
        self.depth -= 1


def parse_xml(body: bytes) -> list[FeedItem]:
    """Items of an RSS or Atom feed in the order of the feed.

    Raises:
        UnreadableFeed: not well-formed, no feed, or with a document type, which could hold entity bombs.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise UnreadableFeed(f"is not well-formed XML: {expat.ErrorString(error.code)}") from None
    except (LookupError, ValueError) as error:
        reason = error if isinstance(error, UnreadableFeed) else f"is not well-formed XML: {str(error)[:100]}"
        raise UnreadableFeed(str(reason)) from None
    if len(reader.items) > MOST_ITEMS:
        raise UnreadableFeed(f"holds more than {MOST_ITEMS} items")
    return [_item(found) for found in reader.items]


def _refuse_doctype(*_: object) -> None:
    raise UnreadableFeed("has a document type, which is refused")


def _item(found: Mapping[str, Sequence[str]]) -> FeedItem:
    def first(*names: str) -> str:
        return next((found[name][0] for name in names if found.get(name)), "")

    return FeedItem(
        id=first("id", "link", "title")[:_MAX_FIELD],
        title=plain(first("title"), _MAX_TITLE),
        summary=plain(first("summary", "content"), _MAX_SUMMARY),
        link=first("link"),
        published=read_time(first("published", "updated")),
        tags=tuple(plain(tag, 100) for tag in found.get("tags", ())[:20]),
    )


def parse_json_feed(document: Mapping[str, Any]) -> list[FeedItem]:
    """Items of a JSON Feed; raises KeyError, TypeError or ValueError where it is none."""
    items = document["items"]
    if not isinstance(items, list):
        raise TypeError("items")
    if len(items) > MOST_ITEMS:
        raise UnreadableFeed("items")
    return [
        FeedItem(
            id=str(item.get("id") or item.get("url") or item.get("title") or "")[:_MAX_FIELD],
            title=plain(str(item.get("title") or ""), _MAX_TITLE),
            summary=plain(
                str(item.get("content_text") or item.get("summary") or item.get("content_html") or ""),
                _MAX_SUMMARY,
            ),
            link=str(item.get("url") or ""),
            published=read_time(str(item.get("date_published") or item.get("date_modified") or "")),
            tags=tuple(plain(str(tag), 100) for tag in (item.get("tags") or ())[:20]),
        )
        for item in items
    ]


def plain(text: str, longest: int) -> str:
    """Text without markup, entities and control characters, on one line."""
    text = html.unescape(_TAG.sub(" ", text[: longest * 10]))
    return clean_text(_SPACE.sub(" ", text), longest)


def read_time(text: str) -> datetime | None:
    """RFC 3339 or RFC 822 time; None where it is neither. Without an offset it is UTC."""
    text = text.strip()
    if not text:
        return None
    try:
        return from_microseconds(read_micros(text))
    except (InvalidTimestamp, OverflowError):
        pass
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
