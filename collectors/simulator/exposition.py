"""The texts behind the doors: OpenMetrics, CSV, RSS and JSON Feed."""

import json
from collections.abc import Sequence
from email.utils import format_datetime
from math import isnan
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from collectors.simulator.headlines import Item
from collectors.simulator.layout import STEP_S
from collectors.simulator.vocabulary import METRICS, SERIES
from domain.series import FloatArray, IntArray
from domain.timestamps import format_rfc3339

OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def openmetrics(steps: IntArray, values: FloatArray) -> str:
    """Metrics in the OpenMetrics text format, each with its timestamp.

    Args:
        steps: the newest steps, ascending, shape (n,).
        values: shape (n, n_series); NaN is left out.
    """
    stamps = [int(step) * STEP_S for step in steps]
    rows = values.T.tolist()
    lines: list[str] = []
    at = 0
    for metric in METRICS:
        lines += [f"# TYPE {metric.name} gauge", f"# HELP {metric.name} {metric.help}"]
        for _ in metric.labels:
            name = SERIES[at].name
            lines += [
                f"{name} {value!r} {stamp}"
                for value, stamp in zip(rows[at], stamps, strict=True)
                if not isnan(value)
            ]
            at += 1
    return "\n".join([*lines, "# EOF", ""])


def wide_csv(seconds: IntArray, values: FloatArray, columns: Sequence[int]) -> str:
    """A CSV file with the given series as columns; an empty field is a gap."""
    quoted = ['"' + SERIES[i].name.replace('"', '""') + '"' for i in columns]
    lines = [",".join(["timestamp", *quoted])]
    for stamp, row in zip(rfc3339_column(seconds), values[:, list(columns)].tolist(), strict=True):
        lines.append(stamp + "," + ",".join(map(repr, row)).replace("nan", ""))
    return "\n".join([*lines, ""])


def rfc3339_column(seconds: IntArray) -> list[str]:
    """Whole seconds since 1970 as RFC 3339 texts."""
    return [f"{text}Z" for text in np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()]


def rss(items: Sequence[Item], title: str) -> bytes:
    """An RSS 2.0 feed."""
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    for name, text in (("title", title), ("link", "http://localhost/"), ("description", title)):
        ET.SubElement(channel, name).text = text
    for item in items:
        entry = ET.SubElement(channel, "item")
        ET.SubElement(entry, "title").text = item.title
        ET.SubElement(entry, "guid", isPermaLink="false").text = item.id
        ET.SubElement(entry, "pubDate").text = format_datetime(item.timestamp, usegmt=True)
        ET.SubElement(entry, "category").text = item.kind
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def json_feed(items: Sequence[Item], title: str) -> str:
    """A JSON Feed (version 1.1); an item's tags are its kind and its component."""
    return json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": title,
            "items": [
                {
                    "id": item.id,
                    "content_text": item.text,
                    "date_published": format_rfc3339(item.timestamp),
                    "tags": [tag for tag in (item.kind, item.component) if tag],
                }
                for item in items
            ],
        }
    )
