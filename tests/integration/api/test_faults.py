"""When something behind the doors fails, callers are told in the one shape and nothing more."""

import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from api_desk import FakeAnalyst, running_desk
from service_process import eventually
from structlog.testing import capture_logs

from api.service_port import SuppliedSeries
from api.settings import ServerSettings
from domain.anomaly import Anomaly
from domain.cycle import Cycle, SourceHealth
from domain.rule import Rule


class _Broken(FakeAnalyst):
    def sources(self) -> Sequence[SourceHealth]:
        raise RuntimeError("password=hunter2 at /srv/secret")


def test_an_error_of_our_own_is_a_500_without_our_insides(tmp_path: Path) -> None:
    with capture_logs() as logged, running_desk(tmp_path, service_type=_Broken) as desk:
        answer = desk.client.get("/api/v1/sources")
        assert answer.status_code == 500
        assert "request.failed" in [entry["event"] for entry in logged]
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "hunter2" not in answer.text
        assert "RuntimeError" not in answer.text
        page = desk.client.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, "hunter2" in page.text) == (500, False)
        assert desk.client.get("/health").status_code == 200


def test_a_database_that_is_held_by_another_is_a_503_with_a_time_to_come_back(tmp_path: Path) -> None:
    with running_desk(tmp_path, busy_timeout_seconds=0.2) as desk:
        other = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = desk.client.patch("/api/v1/incidents/I-1", json={"status": "acknowledged"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert desk.client.get("/api/v1/incidents/I-1").json()["status"] == "open"
        other.execute("ROLLBACK")
        other.close()
        again = desk.client.patch("/api/v1/incidents/I-1", json={"status": "acknowledged"})
        assert again.status_code == 200


def test_a_body_that_does_not_arrive_in_time_is_a_408(tmp_path: Path) -> None:
    with running_desk(tmp_path, ServerSettings(body_seconds=0.3)) as desk:
        port = desk.client.base_url.port or 80
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(
                b"POST /api/v1/samples HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            answer = client.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in answer


def test_the_service_leaves_within_seconds_although_dashboards_are_open(tmp_path: Path) -> None:
    with running_desk(tmp_path) as desk:
        port = desk.client.base_url.port or 80
        readers = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3)]
        for reader in readers:
            reader.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert reader.recv(50)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    for reader in readers:
        reader.close()


def test_long_waits_do_not_hold_up_short_requests(tmp_path: Path) -> None:
    with running_desk(tmp_path) as desk:
        desk.service.finish_at_once = False

        def wait(number: int) -> None:
            body = {
                "start_time": f"2026-03-01T10:{number:02d}:00Z",
                "end_time": "2026-03-01T12:00:00Z",
                "affected_metrics": ["pnl"],
            }
            httpx2.post(f"{desk.url}/api/v1/diagnoses?wait=20", json=body, timeout=30, trust_env=False)

        waiting = [threading.Thread(target=wait, args=(number,)) for number in range(50)]
        for thread in waiting:
            thread.start()
        while len(desk.service.diagnosed) < 50:
            time.sleep(0.02)
        began = time.monotonic()
        assert desk.client.get("/api/v1/incidents").status_code == 200
        assert time.monotonic() - began < 5
        desk.service.finish_at_once = True
        for thread in waiting:
            thread.join()


class LaboriousAnalyst(FakeAnalyst):
    """Computes until it is let go."""

    at_work = 0
    done = threading.Event()

    def infer(self, series: Sequence[SuppliedSeries], rules: Sequence[Rule] | None) -> Sequence[Anomaly]:
        type(self).at_work += 1
        assert self.done.wait(20)
        return super().infer(series, rules)


def test_a_few_that_compute_leave_the_cores_to_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.doors.LABOUR_WAIT_S", 0.3)
    points = {"timestamps": ["2026-03-01T10:00:00Z"], "values": [1.0]}
    with running_desk(tmp_path, service_type=LaboriousAnalyst) as desk, ThreadPoolExecutor(6) as pool:

        def ask(_: int) -> httpx2.Response:
            return httpx2.post(
                f"{desk.url}/api/v1/infer", json={"series": {"x": points}}, timeout=30, trust_env=False
            )

        asked = [pool.submit(ask, n) for n in range(6)]
        eventually(lambda: sum(one.done() for one in asked) == 4, 10, "nobody was sent away")
        refused = [one.result() for one in asked if one.done()]
        assert {(one.status_code, one.headers["retry-after"]) for one in refused} == {(429, "5")}
        assert LaboriousAnalyst.at_work == 2
        LaboriousAnalyst.done.set()
        assert sorted(one.result().status_code for one in asked) == [200, 200, 429, 429, 429, 429]
        assert ask(7).status_code == 200


def test_a_cycle_that_is_cut_off_at_the_end_is_told_so_and_leaves_no_trace_of_our_insides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(FakeAnalyst):
        def run_cycle(self) -> Cycle:
            time.sleep(4)
            return super().run_cycle()

    answers: list[httpx2.Response] = []
    with running_desk(tmp_path, service_type=Slow) as desk:
        url = f"{desk.url}/api/v1/cycles"
        asking = threading.Thread(
            target=lambda: answers.append(httpx2.post(url, timeout=30, trust_env=False)), daemon=True
        )
        asking.start()
        time.sleep(0.5)
    asking.join(10)
    time.sleep(2)
    (answer,) = answers
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert "Traceback" not in caplog.text + capsys.readouterr().err


def test_who_waits_for_a_locked_database_is_told_so(tmp_path: Path) -> None:
    with running_desk(tmp_path, busy_timeout_seconds=0.5) as desk:
        other = sqlite3.connect(tmp_path / "desk.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        def change(_: int) -> httpx2.Response:
            url = f"{desk.url}/api/v1/incidents/I-1"
            return httpx2.patch(url, json={"assignee": "me"}, timeout=30, trust_env=False)

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(change, range(6)))
        other.execute("ROLLBACK")
        other.close()
        assert {one.status_code for one in found} == {503}
        for one in found:
            assert one.json()["detail"] in {
                "the database is locked by another process",
                "the database is held by another writer for too long",
            }
