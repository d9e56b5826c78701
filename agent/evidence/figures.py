"""Numbers as a sentence shows them: rounded to what a reader can use, with their unit."""

from datetime import datetime, timedelta

from domain.money import format_money

_MONEY = frozenset({"USD", "USDT", "USDC"})
_TIGHT = {"%", "ratio"}


def figure(value: float, unit: str = "") -> str:
    """Three significant digits and a unit: `118 ms`, `0.42`, `$41,200`."""
    if unit in _MONEY:
        return format_money(value, unit).replace("+", "", 1) if value >= 0 else format_money(value, unit)
    text = plain(value)
    return text if unit in {"", "ratio"} else f"{text}{'' if unit in _TIGHT else ' '}{unit}"


def plain(value: float) -> str:
    """Three significant digits, with thousands separators and without an exponent where that is readable."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size == 0:
        return "0"
    return f"{value:.3g}" if size >= 1e-3 else f"{value:.2e}"


def clock(instant: datetime) -> str:
    """Hour and minute in UTC."""
    return f"{instant:%H:%M}"


def span(length: timedelta) -> str:
    """A duration: `40 s`, `12 min`, `3 h 10 min`."""
    seconds = round(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def sigmas(effect: float) -> str:
    """An effect in usual spreads: `21.7 sigma`; it is not measured beyond 60."""
    return "over 60 sigma" if abs(effect) >= 60 else f"{abs(effect):.1f} sigma"


def times(value: float, baseline: float) -> str:
    """How many times the baseline a value is, where that says something: ` (x13)`, else nothing."""
    if baseline == 0 or value == 0 or (value > 0) != (baseline > 0):
        return ""
    ratio = value / baseline
    if ratio >= 2:
        return f" (x{plain(round(ratio, 1))})"
    return f" ({'+' if ratio >= 1 else '-'}{abs(ratio - 1) * 100:.0f}%)"
