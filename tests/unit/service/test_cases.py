"""What an investigation looks at: measurements, and log lines by template, not their volume too."""

from datetime import UTC, datetime, timedelta

import numpy as np

from agent.evidence.case import Case, LogCounts
from agent.evidence.settings import EvidenceSettings
from domain.diagnosis import DiagnosisRequest
from domain.event import Event
from domain.series import Series, SeriesKey, Window
from service.cases import CaseBuilder, Events, judged, targets_of

START = datetime(2026, 3, 1, tzinfo=UTC)
VOLUME = Series(1, SeriesKey.of("log_lines", {"component": "service:risk", "level": "ERROR"}))
LINE = Series(
    2,
    SeriesKey.of("log_template_lines", {"component": "service:risk", "level": "ERROR", "template": "no <*>"}),
)
LATENCY = Series(3, SeriesKey.of("order_ack_latency_ms", {"venue": "bybit"}))


class NoEvents:
    def between(self, start: datetime, end: datetime, *, limit: int) -> list[Event]:
        return []


def case(*series: Series, about: str, events: Events | None = None) -> Case:
    window = Window(series, 300, START, np.ones((len(series), 24)))
    builder = CaseBuilder(
        window_for=lambda _: window,
        events=events or NoEvents(),
        past=list,
        strategies=[],
        edges=[],
        settings=EvidenceSettings(),
        clock=lambda: window.end,
    )
    begin = START + timedelta(hours=1)
    request = DiagnosisRequest(start_time=begin, end_time=window.end, affected_metrics=(about,))
    return builder.build(request)


def test_the_volume_of_a_log_is_no_evidence_beside_its_templates() -> None:
    built = case(VOLUME, LINE, LATENCY, about=LATENCY.name)
    assert built.window.series == (LATENCY,)
    assert [one.template for one in built.logs] == ["no <*>"]


def test_the_volume_of_a_log_stays_where_there_are_no_templates_or_it_is_asked_about() -> None:
    assert case(VOLUME, LATENCY, about=LATENCY.name).window.series == (VOLUME, LATENCY)
    assert case(VOLUME, LINE, LATENCY, about=VOLUME.name).targets == (VOLUME.name,)


def test_detection_watches_the_volume_and_leaves_single_templates_to_the_evidence() -> None:
    window = Window((VOLUME, LINE, LATENCY), 300, START, np.ones((3, 4)))
    assert judged(window).series == (VOLUME, LATENCY)


SHARPE = Series(5, SeriesKey.of("rolling_sharpe", {"strategy": "maker"}), "pnl_data")
PNL = Series(6, SeriesKey.of("pnl", {"strategy": "maker"}), "pnl_data")


def test_what_is_explained_is_money_and_not_what_follows_from_it_slowly() -> None:
    window = Window((LATENCY, SHARPE, PNL), 300, START, np.ones((3, 4)))
    assert targets_of((LATENCY.name, SHARPE.name), window) == (LATENCY.name,)
    assert targets_of((LATENCY.name, SHARPE.name, PNL.name), window) == (PNL.name,)


class OneLine:
    """The line that a new template was told by."""

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[Event]:
        labels = {"kind": "log", "component": "service:risk", "level": "ERROR", "template": "no <*>"}
        return [Event(timestamp=start, source="system_logs", text="no margin for BTC", labels=labels)]


def test_a_template_that_is_affected_is_told_and_quoted_as_it_was_written() -> None:
    novelty = Series(4, SeriesKey.of("log_novelty", dict(LINE.key.labels)))
    built = case(LINE, LATENCY, novelty, about=novelty.name, events=OneLine())
    assert [(one.told, one.quoted) for one in built.logs if isinstance(one, LogCounts)] == [
        (True, "no margin for BTC")
    ]
    built = case(LINE, LATENCY, novelty, about=LATENCY.name, events=OneLine())
    assert [(one.told, one.quoted) for one in built.logs if isinstance(one, LogCounts)] == [
        (False, "no margin for BTC")
    ]
