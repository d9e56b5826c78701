"""A scrape of any exporter, in the Prometheus text format or in OpenMetrics."""

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from fnmatch import translate
from typing import Any, Self

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collectors.answers import as_text, beginning
from collectors.collector import Collected, Position
from collectors.http import Answer, HttpReader
from collectors.intake import Intake
from collectors.settings import OpenMetricsSource
from domain.errors import SourceError
from domain.series import SeriesKind
from domain.timestamps import MAX_FUTURE, to_microseconds

_ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
_OPENMETRICS = "application/openmetrics-text"
_GROWING = ("_total", "_count", "_sum", "_bucket")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=[{ \t])")
# Comments, buckets and what has no number come on top of the samples that are kept.
_LINES_PER_SERIES = 10
# No series has so many labels, and the parser looks at each character.
_LONGEST_LINE = 65_536
_DISTRIBUTIONS = frozenset({"histogram", "summary", "gaugehistogram"})


class OpenMetricsCollector:
    """Reads all metrics of an exporter as of now; what was missed during an outage is not to be had."""

    kind = "openmetrics"

    def __init__(self, settings: OpenMetricsSource, http: HttpReader) -> None:
        self.name = settings.name
        self._settings = settings
        self._http = http
        self._allow = _matcher(settings.allow)
        self._deny = _matcher(settings.deny)

    @classmethod
    def of(cls, settings: OpenMetricsSource, environ: Mapping[str, str]) -> Self:
        return cls(settings, HttpReader.of(settings, environ))

    def collect(self, since: Position, now: datetime) -> Collected:  # noqa: ARG002 - a scrape has no past
        deadline = time.monotonic() + self._settings.deadline_seconds
        answer = self._http.get(accept=_ACCEPT, deadline=deadline)
        intake = Intake(self._settings)
        for family in self._families(answer):
            self._take(family, intake, now)
        if not len(intake) and not intake.left_out:
            intake.skip("samples: the answer holds no metric that is allowed")
        self._http.clock.note(intake, self.name, now)
        return Collected(intake.batch(), (), Position(now), intake.notes())

    def _families(self, answer: Answer) -> list[Any]:
        text = as_text(answer, self.name)
        if not text.endswith("\n"):
            raise SourceError(self.name, "the answer ends in the middle of a line")
        text = self._allowed_lines(text)
        parse: Callable[[str], Iterable[Any]] = text_string_to_metric_families
        if answer.content_type == _OPENMETRICS:
            parse = openmetrics.text_string_to_metric_families
        try:
            return list(parse(text))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            # The parser stumbles in many ways over what it does not know; all mean the same.
            why = f"({type(error).__name__}); it starts with {beginning(answer)!r}"
            raise SourceError(self.name, f"the answer is no metrics text {why}") from None

    def _allowed_lines(self, text: str) -> str:
        """The lines that can hold a wanted sample: a parsed line costs a hundred times its length in memory.

        Raises:
            SourceError: that many lines cannot be meant.
        """
        verdicts: dict[str, bool] = {}
        kept = []
        for line in text.splitlines(keepends=True):
            name = _NAME.match(line)
            if name is not None:
                word = name[0]
                if word not in verdicts:
                    verdicts[word] = self._is_allowed(word)
                if not verdicts[word]:
                    continue
            if len(line) > _LONGEST_LINE:
                raise SourceError(self.name, f"the answer has a line of more than {_LONGEST_LINE} characters")
            kept.append(line)
        most = _LINES_PER_SERIES * self._settings.max_series
        if len(kept) > most:
            raise SourceError(self.name, f"the answer holds more than {most} lines; set `allow` or `deny`")
        return "".join(kept)

    def _is_allowed(self, name: str) -> bool:
        return bool(self._allow.fullmatch(name)) and not self._deny.fullmatch(name)

    def _take(self, family: Any, intake: Intake, now: datetime) -> None:
        if family.type == "info":
            return
        distribution = family.type in _DISTRIBUTIONS
        for sample in family.samples:
            if not self._is_wanted(sample, distribution=distribution):
                continue
            micros = self._time_of(sample, intake, now)
            if micros is not None:
                kind = _kind(family.type, sample.name)
                row = intake.row(sample.name, _labels(sample), kind=kind, unit=family.unit or None)
                intake.add(row, micros, sample.value)

    def _is_wanted(self, sample: Any, *, distribution: bool) -> bool:
        name = sample.name
        if name.endswith("_created"):
            return False
        part = name.endswith("_bucket") or "quantile" in sample.labels
        if distribution and part and not self._settings.buckets:
            return False
        return self._is_allowed(name)

    def _time_of(self, sample: Any, intake: Intake, now: datetime) -> int | None:
        if sample.timestamp is None or not self._settings.honor_timestamps:
            return to_microseconds(now)
        micros = float(sample.timestamp) * 1e6
        if not math.isfinite(micros):
            intake.skip("samples refused: their time is no number")
            return None
        if micros > to_microseconds(now + MAX_FUTURE):
            intake.skip("samples refused: more than 10 minutes in the future")
            return None
        if micros < to_microseconds(now - timedelta(seconds=self._settings.max_age_seconds)):
            intake.skip("samples refused: older than max_age_seconds")
            return None
        return round(micros)


def _matcher(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs) or r"(?!)")


def _kind(family_type: str, name: str) -> SeriesKind:
    if family_type in {"counter", "histogram", "summary"}:
        return "counter" if family_type == "counter" or name.endswith(_GROWING) else "gauge"
    # Exporters that announce no types still follow this habit of naming.
    return "counter" if family_type in {"unknown", "untyped"} and name.endswith("_total") else "gauge"


def _labels(sample: Any) -> dict[str, str]:
    return {name: value for name, value in sample.labels.items() if value}
