"""A source that dies is an anomaly of its own within two cycles; the other sources go on."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from service_process import ServiceProcess, eventually, write_config

INTERVAL_S = 2
SOURCES = """
[[sources]]
name = "exporter"
kind = "openmetrics"
url = "http://127.0.0.1:{port}/metrics"
allow_private_addresses = true
deadline_seconds = 1
retries = 0
[[sources]]
name = "this-host"
kind = "host"
"""


class _Exporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'queue_depth{queue="orders"} 3\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' name
        """Requests are not logged."""


def test_a_source_that_dies_is_told_within_two_cycles(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Exporter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = write_config(tmp_path, [SOURCES.format(port=server.server_port)], interval_s=INTERVAL_S)
    with ServiceProcess("serve", "--config", str(config)) as process:
        eventually(lambda: len(_done(process)) >= 3, 60)
        assert process.get("/api/v1/anomalies", anomaly_type="stale_feed")["items"] == []
        server.shutdown()
        server.server_close()
        cycles = len(_done(process))
        found = eventually(lambda: process.get("/api/v1/anomalies", anomaly_type="stale_feed")["items"], 60)
        assert 'source="exporter"' in found[0]["affected_metrics"][0]
        assert len(_done(process)) - cycles <= 4
        states = {one["name"]: one["status"] for one in process.get("/api/v1/sources")["items"]}
        assert states == {"exporter": "failed", "this-host": "ok"}


def _done(process: ServiceProcess) -> list[object]:
    return [one for one in process.get("/api/v1/cycles", limit=100)["items"] if one["status"] == "done"]
