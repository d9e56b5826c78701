"""The read-only tools of the chat: typed questions to the stored desk; a model may call the same ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from agent.chat import results
from agent.chat.data import DeskData
from agent.chat.figures import co_movers_of, comparison_of, movers_of, statistics_of
from agent.chat.lexicon import HIDDEN_METRICS
from agent.vocabulary import unit_of
from domain.errors import InvalidInput, NotFound
from domain.series import FloatArray, Series
from domain.timestamps import to_microseconds

MAX_SERIES = 60
MAX_SPAN = timedelta(days=35)
_DAY = timedelta(days=1)
Labels = Mapping[str, Sequence[str]]
Stretch = tuple[datetime, datetime]


class SeriesTools:
    """Tools over series and samples. Times are half open, [start, end)."""

    def __init__(self, data: DeskData) -> None:
        self._data = data

    def all_series(self) -> Sequence[Series]:
        """Every stored series; no tool of a model's, but what its prompt is made from."""
        return self._data.series()

    def list_series(
        self, metric: str | None = None, labels: Labels | None = None, limit: int = 100
    ) -> results.SeriesList:
        """Stored series of a metric with any of the given values for each given label."""
        found = self._matching(metric, labels or {})
        items = tuple(
            results.SeriesInfo(
                series=one.name,
                metric=one.key.metric,
                labels=dict(one.key.labels),
                unit=unit_of(one),
                source=one.source,
            )
            for one in found[:limit]
        )
        return results.SeriesList(items=items, total=len(found))

    def series_statistics(
        self, series: Sequence[str], start: datetime, end: datetime
    ) -> results.StatisticsList:
        """Count, first, last, mean, median, spread, percentiles, extremes with their times, sum."""
        check_span(start, end)
        items = [statistics_of(one, *self._data.samples(one, start, end)) for one in self._named(series)]
        sums = [one.sum for one in items if one.sum is not None]
        added = sum(sums) if sums and len({one.unit for one in items}) == 1 else None
        return results.StatisticsList(start=start, end=end, items=tuple(items), sum_of_sums=added)

    def compare_windows(
        self,
        series: Sequence[str],
        span: Sequence[datetime],
        other: Sequence[datetime],
        *,
        total: bool = False,
    ) -> results.ComparisonList:
        """Means (or sums, for flows) of each series in `span` beside those in `other`, both [start, end]."""
        (start, end), (other_start, other_end) = span, other
        return self._compared(series, (start, end), [(other_start, other_end)], total=total)

    def compare_with_usual(
        self, series: Sequence[str], start: datetime, end: datetime, *, total: bool = False, days: int = 7
    ) -> results.ComparisonList:
        """Means (or sums) in a stretch beside the same hours of each of the days before."""
        first = max(1, -(-(end - start) // _DAY))
        shifts = [timedelta(days=first + n) for n in range(max(1, min(days, 28)))]
        others = [(start - shift, end - shift) for shift in shifts]
        return self._compared(series, (start, end), others, total=total)

    def money(
        self,
        metric: str,
        start: datetime,
        end: datetime,
        labels: Labels | None = None,
        by: str | None = None,
    ) -> results.Money:
        """The sum of a flow of money such as `pnl`, whole and split by one label."""
        check_span(start, end)
        found = self._matching(metric, labels or {})
        units = {unit_of(one) for one in found}
        if len(units) > 1:
            raise InvalidInput("metric", f"is in {len(units)} currencies, which cannot be added")
        parts: dict[str, float] = {}
        total, samples = 0.0, 0
        for one in found:
            values = _finite(self._data.samples(one, start, end)[1])
            total += float(values.sum())
            samples += len(values)
            if by is not None:
                name = one.key.label(by) or "other"
                parts[name] = parts.get(name, 0.0) + float(values.sum())
        ranked = sorted(parts.items(), key=lambda item: (item[1], item[0]))
        return results.Money(
            metric=metric,
            start=start,
            end=end,
            amount=total,
            unit=next(iter(units), ""),
            by=by,
            parts=tuple(results.MoneyPart(name=name, amount=amount) for name, amount in ranked),
            series=tuple(one.name for one in found),
            samples=samples,
        )

    def movers(self, start: datetime, end: datetime, limit: int = 8) -> results.MoverList:
        """The series that moved most in a stretch, against the four stretches (or an hour) before it."""
        check_span(start, end)
        before = start - max(4 * (end - start), timedelta(hours=1))
        found: list[results.Mover] = []
        tested = 0
        for step_s in self._steps():
            window = self._data.window(step_s, before, end)
            rows = [i for i, one in enumerate(window.series) if one.key.metric not in HIDDEN_METRICS]
            chosen = window.select(rows)
            tested += len(rows)
            first = min(max(chosen.column_of(start), 0), chosen.n_steps)
            found += movers_of(chosen, first, chosen.n_steps, limit)
        found.sort(key=lambda one: (-abs(one.z), one.series))
        return results.MoverList(
            start=start, end=end, baseline_start=before, tested=tested, items=tuple(found[:limit])
        )

    def moved_together(
        self, series: str, start: datetime, end: datetime, limit: int = 8
    ) -> results.CoMoverList:
        """The series whose changes correlate most with those of one series; with the lag, if any."""
        check_span(start, end)
        target = self._named([series])[0]
        window = self._data.window(target.step_s, start, end)
        rows = [i for i, one in enumerate(window.series) if one.key.metric not in HIDDEN_METRICS]
        chosen = window.select(rows)
        row = chosen.positions.get(target.name)
        items = co_movers_of(chosen, row, limit) if row is not None else []
        return results.CoMoverList(target=target.name, start=start, end=end, items=tuple(items))

    def log_templates(
        self, start: datetime, end: datetime, components: Sequence[str] = (), limit: int = 8
    ) -> results.LogList:
        """Log templates seen in a stretch, errors and new ones first; beside the same length before."""
        check_span(start, end)
        found: list[results.LogPattern] = []
        for one in self._matching("log_template_lines", {"component": components} if components else {}):
            lines = _finite(self._data.samples(one, start, end)[1]).sum()
            before = _finite(self._data.samples(one, start - (end - start), start)[1]).sum()
            if lines:
                labels = dict(one.key.labels)
                found.append(
                    results.LogPattern(
                        component=labels.get("component", ""),
                        level=labels.get("level", ""),
                        template=labels.get("template", ""),
                        lines=float(lines),
                        lines_before=float(before),
                        new=not before,
                    )
                )
        found.sort(key=_log_order)
        total = float(sum(one.lines for one in found))
        return results.LogList(start=start, end=end, items=tuple(found[:limit]), total_lines=total)

    def _compared(
        self, series: Sequence[str], span: Stretch, others: Sequence[Stretch], *, total: bool
    ) -> results.ComparisonList:
        for start, end in (span, *others):
            check_span(start, end)
        named = self._named(series)
        rows = [
            (self._data.samples(one, *span)[1], [self._data.samples(one, *other)[1] for other in others])
            for one in named
        ]
        items = [
            comparison_of(one, now, before, total=total)
            for one, (now, before) in zip(named, rows, strict=True)
        ]
        whole = None
        if total and len({unit_of(one) for one in named}) == 1:
            joined = [np.concatenate([before[i] for _, before in rows]) for i in range(len(others))]
            whole = comparison_of(named[0], np.concatenate([now for now, _ in rows]), joined, total=True)
        return results.ComparisonList(
            start=span[0],
            end=span[1],
            other_start=min(start for start, _ in others),
            other_end=max(end for _, end in others),
            total=total,
            items=tuple(items),
            whole=whole,
        )

    def _matching(self, metric: str | None, labels: Labels) -> list[Series]:
        return [
            one
            for one in self._data.series()
            if ((metric is None and one.key.metric not in HIDDEN_METRICS) or one.key.metric == metric)
            and all(one.key.label(name) in set(values) for name, values in labels.items())
        ]

    def _named(self, names: Sequence[str]) -> list[Series]:
        if len(names) > MAX_SERIES:
            raise InvalidInput("series", f"names more than {MAX_SERIES} series")
        known = {one.name: one for one in self._data.series()}
        for name in names:
            if name not in known:
                raise NotFound("series", name[:200])
        return [known[name] for name in names]

    def _steps(self) -> list[int]:
        return sorted({one.step_s for one in self._data.series()})


_LEVELS = {"FATAL": 0, "CRITICAL": 0, "ERROR": 1, "WARN": 2, "WARNING": 2}


def _log_order(one: results.LogPattern) -> tuple[int, bool, float, str]:
    return (_LEVELS.get(one.level.upper(), 3), not one.new, -one.lines, one.template)


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def check_span(start: datetime, end: datetime) -> None:
    """Raise InvalidInput where a stretch is empty, too long, or ends before 1970."""
    if end <= start:
        raise InvalidInput("end", "must be after the start")
    if end - start > MAX_SPAN:
        raise InvalidInput("start", f"is more than {MAX_SPAN.days} days before the end")
    if to_microseconds(start) < 0:
        raise InvalidInput("start", "is before 1970")
