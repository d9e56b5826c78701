"""Where investigations look: the window in memory, or storage where it does not reach back."""

from collections.abc import Mapping
from datetime import timedelta

from api.stores import Stores
from db.anomalies import AnomalyFilter
from domain.diagnosis import DiagnosisRequest
from domain.series import Window
from service.cases import CaseBuilder
from service.clock import Clock
from service.confirmed import confirmed
from service.punctuality import with_rest
from service.settings import Settings
from service.windows import Windows

REFERENCE = timedelta(days=2)
MOST_TOLD = 500


def build_cases(settings: Settings, stores: Stores, windows: Windows, clock: Clock) -> CaseBuilder:
    """What investigations look at: the window in memory, or storage where it does not reach back."""

    def window_for(request: DiagnosisRequest) -> Window | None:
        series = [named for name in request.affected_metrics if (named := windows.named(name))]
        step_s = series[0].step_s if series else settings.scheduler.interval_seconds
        held = windows.view(step_s)
        reference = timedelta(hours=settings.scheduler.lookback_hours) / 2
        # What was scraped at the end lies in the cell that began then.
        end = request.end_time + timedelta(seconds=step_s)
        if held is not None and held.start <= request.start_time - reference:
            return held.between(held.start, max(end, held.start))
        return stores.samples.window(step_s, request.start_time - REFERENCE, end)

    def late(window: Window, is_now: bool) -> Mapping[str, int]:
        told = stores.anomalies.list(AnomalyFilter(start=window.start, end=window.end), MOST_TOLD).items
        silent = {
            name
            for one in (*told, *stores.anomalies.open())
            if one.method == "stale"
            for name in one.affected_metrics
        }
        return with_rest(windows.punctuality.late(window) if is_now else {}, window, silent)

    return CaseBuilder(
        window_for=window_for,
        events=stores.events,
        past=lambda: confirmed(stores, clock()),
        strategies=settings.strategies,
        edges=settings.edges,
        settings=settings.evidence,
        clock=clock,
        late=late,
    )
