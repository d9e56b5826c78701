"""How answers write figures, times and names; all that comes from outside is quoted and kept on one line."""

import re
from datetime import datetime, timedelta

from agent.chat.times import Span
from agent.vocabulary import kind_named, unit_named
from domain.errors import InvalidInput
from domain.money import Impact, format_money
from domain.series import SeriesKey

MAX_QUOTE = 160
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LABEL = re.compile(r'\b[A-Za-z_]\w*="([^"]*)"')
_MONEY = {"USD", "USDT", "USDC"}


def figure(value: float | None, unit: str = "") -> str:
    """`118 ms`, `36.1 %`, `$41,200`, four significant digits."""
    if value is None:
        return "no value"
    if unit in _MONEY:
        return money(value, unit)
    if unit == "ratio":
        return f"{plain(value * 100)} %"
    if unit in {"%", "percent"}:
        return f"{plain(value)} %"
    return f"{plain(value)} {unit}".strip()


def plain(value: float) -> str:
    """A number with four significant digits and thousands separated."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size < 1e-4:
        return f"{value:.2e}"
    digits = max(0, 3 - len(str(int(size))) + (1 if size >= 1 else 0))
    text = f"{value:.{max(digits, 4 if size < 1 else digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amount: float, unit: str) -> str:
    """`-$41,200`, without a sign where it is a level and positive."""
    return format_money(amount, unit).removeprefix("+")


def signed_money(amount: float, unit: str) -> str:
    """`+$41,200` or `-$41,200`."""
    return format_money(amount, unit)


def impact(found: Impact | None) -> str:
    """`-$41,200 (90 % interval -$52,000 to -$33,000)`, empty where it is not known."""
    if found is None:
        return ""
    low, high = (format_money(bound, found.unit) for bound in (found.low, found.high))
    return f"{format_money(found.amount, found.unit)} (90 % interval {low} to {high})"


def percent(share: float) -> str:
    """`72 %`; never a certainty."""
    if share >= 0.995:
        return "over 99 %"
    return "under 1 %" if share < 0.005 else f"{share * 100:.0f} %"


def clock(instant: datetime, now: datetime) -> str:
    """`06:10`, with the date where it is another day."""
    return f"{instant:%H:%M}" if instant.date() == now.date() else f"{instant:%Y-%m-%d %H:%M}"


def between(span: Span, now: datetime) -> str:
    """`from 09:00 to 12:05 UTC`."""
    if span.instant:
        return f"at {clock(span.start, now)} UTC"
    if span.day and span.length == timedelta(days=1):
        return f"on {span.start:%A %Y-%m-%d} (UTC)"
    if span.end.date() != span.start.date():
        return f"from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
    return f"from {clock(span.start, now)} to {span.end:%H:%M} UTC"


def lasting(length: timedelta) -> str:
    """`40 min`, `3 h 20 min`, `2 days`."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{minutes / 1440:.0f} days"


def short(name: str) -> str:
    """A series by its metric and the values of its labels: `pnl{mm_btc,bybit}`."""
    try:
        key = SeriesKey.parse(name)
    except InvalidInput:
        return one_line(name)
    return one_line(
        f"{key.metric}{{{','.join(value for _, value in key.labels)}}}" if key.labels else key.metric
    )


def short_title(title: str) -> str:
    """A title whose series are shortened as `short` does."""
    return one_line(_LABEL.sub(r"\1", title))


def unit_named_in(name: str) -> str:
    """The unit that the name of a series gives away; money of profit is in USD."""
    try:
        metric = SeriesKey.parse(name).metric
    except InvalidInput:
        return ""
    return unit_named(metric) or ("USD" if kind_named(metric).name == "pnl" else "")


def one_line(text: str, most: int = MAX_QUOTE) -> str:
    """Foreign text without control characters and shortened."""
    flat = " ".join(_UNSAFE.sub(" ", text).split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def quoted(text: str) -> str:
    """Foreign text in quotation marks that it cannot close itself."""
    return f"“{one_line(text).replace('“', chr(39)).replace('”', chr(39))}”"


def plural(count: int, noun: str) -> str:
    """`1 incident`, `2 incidents`, `3 anomalies`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else noun if noun.endswith("series") else f"{noun}s"
    return f"{count} {noun if count == 1 else many}"


def listed(names: list[str] | tuple[str, ...], most: int = 12) -> str:
    """`a, b and c`, cut with a count."""
    shown = [one_line(one) for one in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
