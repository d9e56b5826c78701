"""Values as a person reads them: money with a real minus sign, sigmas, ages, instants in UTC."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

from markupsafe import Markup, escape

from domain.errors import InvalidInput
from domain.money import Impact, format_money
from domain.series import SeriesKey

MISSING = "\N{EM DASH}"
MINUS = "\N{MINUS SIGN}"
_CURRENCIES = frozenset({"USD", "USDT", "USDC"})
_NEGATIVE = re.compile(r"(?<![\w.\-])-(?=\$?\d)")
# No line breaks between a sign and its amount.
_AMOUNT = re.compile(rf"[{MINUS}+]\$\d[\d,.]*")
_CODE = re.compile(r"`([^`\n]{1,300})`")
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_ID = r"(?:E\d{1,4}|[AID]-\d{1,18})"
_CITED = re.compile(rf"(?<![\w-]){_ID}\b")
_BRACKETED = re.compile(rf"\[({_ID}(?:, ?{_ID}){{0,20}})\]")
_BULLET = re.compile(r"\s*[-*\u2022] (?=.)")
_UNITS = (
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
)


def money(impact: Impact | None) -> str:
    """`-$41,200` with a real minus sign, or a dash."""
    return MISSING if impact is None else amount(impact.amount, impact.unit)


def money_range(impact: Impact | None) -> str:
    """The 90 % interval of an impact."""
    if impact is None:
        return MISSING
    return f"{amount(impact.low, impact.unit)} to {amount(impact.high, impact.unit)}"


def amount(value: float, unit: str) -> str:
    """One amount of money with its sign; what rounds to nothing has none."""
    if abs(value) < 0.005:
        return format_money(0.0, unit).lstrip("+")
    return format_money(value, unit).replace("-", MINUS)


def number(value: float | None, unit: str = "") -> str:
    """Four significant digits, thousands as k, M, G."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return ("\N{INFINITY}" if value > 0 else f"{MINUS}\N{INFINITY}") + (f" {unit}" if unit else "")
    size = abs(value)
    scale, letter = next(((s, u) for s, u in _UNITS if size >= 10 * s), (1.0, ""))
    text = f"{size / scale:,.4g}" if size / scale < 1e4 else f"{size / scale:,.0f}"
    sign = MINUS if value < 0 else ""
    return f"{sign}{text}{letter}{f' {unit}' if unit else ''}"


def fact_value(value: float | None, unit: str) -> str:
    """A number of a fact: an instant reads as a clock, money as money, a long time in its largest unit."""
    if value is None:
        return MISSING
    if unit == "unix s" and 0 <= value < 7e9:
        return clock(datetime.fromtimestamp(value, UTC))
    if unit in _CURRENCIES:
        return amount(value, unit)
    return duration(timedelta(seconds=value)) if unit == "s" and 120 <= value < 1e9 else number(value, unit)


def sigma(value: float | None) -> str:
    """A signed number of standard deviations, one digit after the point."""
    if value is None or math.isnan(value):
        return MISSING
    sign = MINUS if value < 0 else "+"
    return f"{sign}{min(abs(value), 999.9):.1f}\N{GREEK SMALL LETTER SIGMA}"


def percent(share: float | None) -> str:
    """`82 %`; almost none is `<1 %` and almost all `>99 %`, for neither is certain."""
    if share is None:
        return MISSING
    if 0 < share < 0.005:
        return "<1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return ">99\N{NO-BREAK SPACE}%"
    return f"{share * 100:.0f}\N{NO-BREAK SPACE}%"


def probability(p_value: float | None) -> str:
    """A p-value: `0.013`, `2e-07`."""
    if p_value is None:
        return MISSING
    return f"{p_value:.2g}" if p_value >= 0.001 else f"{p_value:.0e}"


def age(since: datetime, now: datetime) -> str:
    """`42 s`, `14 min`, `3 h`, `2 d` ago."""
    return duration(now - since)


def duration(span: timedelta | None) -> str:
    """The largest fitting unit of a time span."""
    if span is None:
        return MISSING
    seconds = max(0.0, span.total_seconds())
    if seconds < 90:
        return f"{seconds:.0f}\N{NO-BREAK SPACE}s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f}\N{NO-BREAK SPACE}min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f}\N{NO-BREAK SPACE}h"
    return f"{seconds / 86_400:.0f}\N{NO-BREAK SPACE}d"


def milliseconds(value: float) -> str:
    """`31 ms`, `2.4 s`."""
    return f"{value:.0f}\N{NO-BREAK SPACE}ms" if value < 1000 else f"{value / 1000:.1f}\N{NO-BREAK SPACE}s"


def clock(instant: datetime | None, now: datetime | None = None) -> str:
    """`06:10`, with the date where it is not today."""
    if instant is None:
        return MISSING
    same_day = now is not None and instant.date() == now.date()
    return f"{instant:%H:%M}" if same_day else f"{instant:%Y-%m-%d %H:%M}"


def when(instant: datetime | None, now: datetime | None = None) -> Markup:
    """The same as an element that a pointer over it explains in the reader's own time."""
    if instant is None:
        return Markup(MISSING)  # noqa: S704 - our own character
    return Markup('<time datetime="{}">{}</time>').format(instant.isoformat(), clock(instant, now))


def words(identifier: str | None) -> str:
    """`sudden_loss` as `sudden loss`."""
    return (identifier or "").replace("_", " ")


def signed(text: str) -> Markup:
    """A text, escaped, with a real minus sign before its negative numbers and its amounts in one piece."""
    safe = str(escape(_NEGATIVE.sub(MINUS, text)))
    return Markup(_AMOUNT.sub(r'<span class="nowrap">\g<0></span>', safe))  # noqa: S704 - escaped above


def rich_text(text: str, evidence_ids: Iterable[str] = (), places: Mapping[str, str] | None = None) -> Markup:
    """Text with bold, code, lists and links to its own evidence; everything else is escaped first.

    Args:
        text: what was written, by whomever.
        evidence_ids: evidence on the same page.
        places: further ids with the addresses that they lead to.
    """
    known = {**{one: f"#{one}" for one in evidence_ids}, **(places or {})}
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        for listed, lines in groupby(block.splitlines(), lambda line: bool(_BULLET.match(line))):
            if listed:
                rows = [f"<li>{_inline(_BULLET.sub('', line), known)}</li>" for line in lines]
                blocks.append(f"<ul>{''.join(rows)}</ul>")
            else:
                blocks.append("<p>" + "<br>".join(_inline(line, known) for line in lines) + "</p>")
    return Markup("".join(blocks))  # noqa: S704 - every piece of foreign text went through escape()


def _inline(text: str, known: Mapping[str, str]) -> str:
    safe = str(signed(text))
    safe = _CODE.sub(r"<code>\1</code>", safe)
    safe = _BOLD.sub(r"<strong>\1</strong>", safe)
    safe = _BRACKETED.sub(lambda m: m[1] if set(known).issuperset(_CITED.findall(m[1])) else m[0], safe)
    return _CITED.sub(lambda m: _chip(m[0], known), safe)


def _chip(cited: str, known: Mapping[str, str]) -> str:
    if cited not in known:
        return cited
    return f'<a class="chip" href="{escape(known[cited])}">{cited}</a>'


def series_name(name: str) -> str:
    """A series by its metric and the values of its labels: `pnl{mm_btc,bybit}`."""
    try:
        key = SeriesKey.parse(name)
    except InvalidInput:
        return name
    return f"{key.metric}{{{','.join(value for _, value in key.labels)}}}" if key.labels else key.metric


_SERIES = re.compile(r"[A-Za-z_][\w:.]*\{[^{}]{1,2000}\}")


def short_title(text: str) -> str:
    """A title with the series in it shortened as `series_name` does."""
    return _SERIES.sub(lambda match: series_name(match[0]), text)
