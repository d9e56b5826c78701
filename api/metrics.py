"""What Prometheus reads: requests by route template, ingest, cycles; one registry per app."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ApiMetrics:
    """The meters of one app. Label values are bounded: route templates, never addresses."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self.seconds = Histogram(
            "analyst_http_request_seconds",
            "Time to the first byte of the answer.",
            ("method", "route"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.ingested = self._counter(
            "ingested", "Samples and events by what became of them.", "kind", "fate"
        )
        self.open_incidents = self._gauge("open_incidents", "Incidents that are not resolved.", "severity")
        self.source_up = self._gauge("source_up", "1 while a source is read without trouble.", "source")
        self.source_lag = self._gauge("source_lag_seconds", "Age of the newest data of a source.", "source")
        self.cycle_ms = self._gauge("last_cycle_milliseconds", "Duration of the last cycle by step.", "step")
        self.cycle_age = self._gauge("last_cycle_age_seconds", "Time since the last cycle ended.")
        self.streams = self._gauge("streams", "Open event streams.")
        self.alerts = self._gauge("alerts", "Alerts that were not delivered yet, by state.", "state")
        self.alert_age = self._gauge("alert_age_seconds", "How long the longest overdue alert waits.")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"analyst_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"analyst_{name}", meaning, labels, registry=self.registry)


class MetricsMiddleware:
    """Count and time each request."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                unmatched = "/static" if scope["path"].startswith("/static/") else "unmatched"
                route = getattr(scope.get("route"), "path", unmatched)
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(method, route, str(message["status"])).inc()
                self._metrics.seconds.labels(method, route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, counted)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
