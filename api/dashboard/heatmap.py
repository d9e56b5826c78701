"""A calendar of when things happened: days of the week by hours of the day, in UTC."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CELL, _LEFT, _TOP = 22, 34, 16
_SHADES = 4


def heatmap(times: Sequence[datetime], _now: datetime) -> Markup:
    """A grid of 7 by 24 cells, darker where more happened; each says its count."""
    counts = Counter((one.weekday(), one.hour) for one in times)
    most = max(counts.values(), default=0)
    cells = "".join(_cell(day, hour, counts[day, hour], most) for day in range(7) for hour in range(24))
    names = "".join(
        f'<text class="tick" x="{_LEFT - 6}" y="{_TOP + day * _CELL + 15}" text-anchor="end">{name}</text>'
        for day, name in enumerate(_DAYS)
    )
    hours = "".join(
        f'<text class="tick" x="{_LEFT + hour * _CELL + 11}" y="11" text-anchor="middle">{hour:02d}</text>'
        for hour in range(0, 24, 3)
    )
    width, height = _LEFT + 24 * _CELL, _TOP + 7 * _CELL
    return Markup(  # noqa: S704 - numbers of our own only
        f'<svg class="heatmap" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{len(times)} incidents by day of the week and hour, UTC">{names}{hours}{cells}</svg>'
    )


def _cell(day: int, hour: int, n: int, most: int) -> str:
    shade = 0 if not n else 1 + min(_SHADES - 1, (n * _SHADES - 1) // most)
    return (
        f'<rect class="heat-{shade}" x="{_LEFT + hour * _CELL}" y="{_TOP + day * _CELL}" width="{_CELL - 2}" '
        f'height="{_CELL - 2}"><title>{_DAYS[day]} {hour:02d}:00 UTC: {n}</title></rect>'
    )
