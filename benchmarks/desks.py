"""The desks of docs/examples against real servers and recorded answers, each with one trouble.

Usage: desks.py --answers FOLDER [--desk NAME]...; the folder holds `bybit.json` of {"routes": [{"path",
"query", "body"}]}. Of each configuration only addresses, paths and secrets are changed. `analyst check` and,
for the market maker, `analyst serve` run as processes of their own.

Real: PostgreSQL (the market maker's ledger and the service's database), Prometheus with a scraped exporter
and six hours of blocks before that, systemd-journald with journalctl (as root, where systemd itself does not
run), log files that are renamed, compressed and truncated, SQLite, this machine, ccxt's, yfinance's and our
own clients. Recorded: the venue's public answers; the moment of each is moved to the moment of asking, and
all its times with it; its other numbers stay as they are. By hand, in the documented shape: what nobody
recorded, which is the venue's bars of minutes, open interest, ETH and private routes, Loki, quotes of shares,
news, calendar, status page, and Slack.

The market maker runs at the time of the wall, a minute per cycle; the single bot on a clock that steps up to
it; the desk of equities on a Wednesday in New York's hours, where the journal's entries are real and their
times moved. Prints tables, and exits with 1 where a check fails, a source is not read, what was written is
not what is stored, a calm desk is alarmed, or the trouble is not told with its cause first.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from desk_ends import BY_HAND, Clock, Ends, Get, rewritten
from desk_three import DESKS
from example_desks import EXAMPLES
from fake_slack import FakeSlack
from replayed_account import load_routes
from service_process import ServiceProcess, eventually

ROOT = Path(__file__).parents[1]
SECRETS = ("BYBIT_READ_KEY", "BYBIT_READ_SECRET", "BOT_READ_KEY", "BOT_READ_SECRET", "LOKI_TOKEN")
SLOW_MS = 5_000
SEVERE = {"medium", "high", "critical"}


class Report:
    """Prints lines and remembers what was not as it must be."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def must(self, good: bool, line: str) -> None:
        print(f"{'ok  ' if good else 'BAD '} {line}", flush=True)
        if not good:
            self.wrong.append(line)


class Served:
    """`analyst serve` at the time of the wall; its own clock runs the cycles."""

    def __init__(self, ends: Ends, process: ServiceProcess) -> None:
        self._ends, self._process = ends, process
        self.get: Get = process.get
        self._last = ""

    def cycle(self) -> Mapping[str, Any]:
        """What happens until the end of this minute, and the cycle after it."""
        now = self._ends.clock()
        over = now.replace(second=0, microsecond=0) + self._ends.step
        if over - now < timedelta(seconds=6):
            over += self._ends.step
        time.sleep(max(0.0, (over - self._ends.clock()).total_seconds() - 3))
        self._ends.cycles += 1
        self._ends.rotate(over)
        # What happened while nobody waited, too: checks and the start take their time.
        while self._ends.ticked < over:
            self._ends.tick(min(over, self._ends.ticked + self._ends.step))
        return dict(eventually(lambda: self._done(over), 60, "no cycle came"))

    def _done(self, slot: datetime) -> Mapping[str, Any] | None:
        time.sleep(0.3)
        found: list[Mapping[str, Any]] = self.get("/api/v1/cycles", limit=5)["items"]
        return next((one for one in found if one["finished_at"] and at(one["scheduled_for"]) >= slot), None)


class Stepped:
    """The service in this process, on a clock that is moved cycle by cycle."""

    def __init__(self, ends: Ends, service: Any, client: Any) -> None:
        self._ends, self._service, self._client = ends, service, client

    def get(self, path: str, **params: Any) -> Any:
        answer = self._client.get(path, params=params)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        return answer.json()

    def cycle(self) -> Mapping[str, Any]:
        set_clock(self._ends, self._ends.clock() + self._ends.step)
        now = self._ends.clock()
        self._ends.cycles += 1
        self._ends.rotate(now)
        self._ends.tick(now)
        slot = self._service.parts.claim(now)
        return dict(self._service.parts.pipeline.run_cycle(slot, now).model_dump(mode="json"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def set_clock(ends: Ends, now: datetime) -> None:
    ends.clock.at = now
    ends.outside.pass_by(now - ends.outside.now)


@contextmanager
def started(ends: Ends, config: Path) -> Iterator[Served | Stepped]:
    if ends.live:
        with ServiceProcess("serve", "--config", str(config), "--port", "0", fresh=True) as process:
            yield Served(ends, process)
        return
    # ruff: noqa: PLC0415 - only where it runs in this process
    from fastapi.testclient import TestClient

    from service.settings import load_settings
    from service.wiring import build_service

    service = build_service(load_settings(config), clock=ends.clock)
    parts = service.parts
    try:
        parts.windows.load(ends.clock())
        parts.investigations.start()
        parts.alerting.worker.start()
        client = TestClient(service.app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
        yield Stepped(ends, service, client)
    finally:
        parts.alerting.worker.stop(5.0)
        parts.sources.close()
        parts.investigations.stop()
        parts.database.close()


def written(ends: Ends, folder: Path) -> Path:
    """The desk's configuration as it is run."""
    text = (EXAMPLES / ends.toml).read_text(encoding="utf-8")
    changed = rewritten(text, ends.edits(), ends.database)
    path = folder / ends.toml
    path.write_text(changed, encoding="utf-8")
    before, after = Counter(text.splitlines()), Counter(changed.splitlines())
    print(f"     {ends.toml}: {sum((after - before).values())} of {len(changed.splitlines())} lines changed")
    return path


def check(config: Path, report: Report) -> None:
    """`analyst check` as a user runs it."""
    began = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-m", "service.cli", "check", "--config", str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    for line in done.stdout.splitlines():
        print(f"     {line}")
    said = done.stderr.strip().splitlines()[-1:] or [""]
    seconds = time.monotonic() - began
    report.must(done.returncode == 0, f"analyst check: exit {done.returncode} in {seconds:.1f} s {said[0]}")


def ids_of(get: Get, ends: Ends) -> dict[str, Mapping[str, Any]]:
    """The anomalies of the trouble's series by id."""
    items = get("/api/v1/anomalies", limit=500)["items"]
    return {one["id"]: one for one in items if ends.metric in one["affected_metrics"][0]}


def told(get: Get, ends: Ends, known: set[str]) -> Mapping[str, Any] | None:
    """The diagnosis of the incident that the trouble's series brought up."""
    found = ids_of(get, ends)
    incidents = {str(one["incident_id"]) for name, one in found.items() if name not in known}
    for name in sorted(incidents - {"None"}):
        incident = get(f"/api/v1/incidents/{name}")
        if incident["diagnosis_id"]:
            diagnosis: Mapping[str, Any] = get(f"/api/v1/diagnoses/{incident['diagnosis_id']}")
            return diagnosis
    return None


def run_cycles(ends: Ends, driver: Served | Stepped, report: Report) -> dict[str, tuple[int, int]]:
    """Calm cycles, then troubled ones; what every source brought over all of them."""
    brought: dict[str, tuple[int, int]] = {}
    known: set[str] = set()
    right_after: int | None = None
    diagnosis: Mapping[str, Any] | None = None
    print("     cycle  status    ms  series  new  sources that are not ok")
    for number in range(1, ends.calm + ends.troubled + 1):
        if number == ends.calm + 1:
            known = set(ids_of(driver.get, ends))
            quiet(driver.get, report)
            ends.worsen()
            print("     the trouble begins")
        done = driver.cycle()
        health = driver.get("/api/v1/sources", limit=500)["items"]
        for one in health:
            samples, events = brought.get(one["name"], (0, 0))
            brought[one["name"]] = (max(samples, one["samples"]), max(events, one["events"]))
        bad = [
            f"{one['name']}: {one['status']} {one['last_error'] or ''}"
            for one in health
            if one["status"] != "ok"
        ]
        spent = sum(one["ms"] for one in done["steps"])
        row = f"{number:5}  {done['status']:6} {spent:6.0f} {done['series']:6}  {done['anomalies']:4}"
        report.must(done["status"] == "done" and not bad, f"{row}  {'; '.join(bad) or '-'}")
        if spent > SLOW_MS:
            print("       " + ", ".join(f"{one['name']} {one['ms']:.0f} ms" for one in done["steps"]))
        if ends.trouble:
            diagnosis = told(driver.get, ends, known) or diagnosis
            if right_after is None and is_right(diagnosis, ends):
                right_after = number - ends.calm
    good = is_right(diagnosis, ends)
    show(diagnosis, whole=not good)
    report.must(good, f"right cause first after {right_after} cycles, and at the end: {good}")
    return brought


def quiet(get: Get, report: Report) -> None:
    """No alarm before there is anything to tell."""
    anomalies = get("/api/v1/anomalies", limit=500)["items"]
    severe = [one for one in anomalies if one["severity"] in SEVERE]
    report.must(not severe, f"{len(anomalies)} anomalies while calm, {len(severe)} of them medium or worse")
    for one in anomalies:
        print(f"       {one['severity']:8} {one['rule']:24} {one['affected_metrics'][0]} {one['timestamp']}")


def is_right(diagnosis: Mapping[str, Any] | None, ends: Ends) -> bool:
    first = (diagnosis or {}).get("primary_hypothesis") or {}
    return first.get("cause") in ends.causes and first.get("component") == ends.component


def show(diagnosis: Mapping[str, Any] | None, *, whole: bool) -> None:
    if diagnosis is None:
        print("     no diagnosis")
        return
    print(f"     {diagnosis['executive_summary']}")
    found = [diagnosis["primary_hypothesis"], *diagnosis["alternative_hypotheses"][:2]]
    for one in found:
        if one:
            print(f"     {one['confidence']:.2f} {one['cause']} at {one['component']}: {one['title']}")
    for one in diagnosis["evidence"] if whole else ():
        print(f"       {one['id']} {one['statement']}")


def show_sources(ends: Ends, get: Get, brought: Mapping[str, tuple[int, int]], report: Report) -> None:
    print(f"     {'source':20} {'kind':11} {'other end':34} samples events status")
    kinds = ends.kinds()
    for one in get("/api/v1/sources", limit=500)["items"]:
        samples, events = brought[one["name"]]
        row = f"{one['name']:20} {one['kind']:11} {kinds.get(one['name'], BY_HAND):34} {samples:7} {events:6}"
        report.must(samples + events > 0 and one["status"] == "ok", f"{row} {one['status']}")


def show_venue(ends: Ends, report: Report) -> None:
    if not ends.venue.answered:
        return
    for (path, by), n in sorted(ends.venue.answered.items()):
        print(f"     {n:5} x {path}: {by}")
    recorded, by_hand, nobody = (ends.venue.count(one) for one in ("recording", "hand", "nobody"))
    report.must(
        bool(recorded) and not nobody,
        f"requests of ccxt answered by recording {recorded}, by hand {by_hand}, by nobody {nobody}",
    )


def show_alerts(slack: FakeSlack) -> None:
    posts = slack.posts()
    print(f"     {len(posts)} messages in Slack; the last one:")
    for block in posts[-1].get("blocks", []) if posts else ():
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        for part in parts if block["type"] != "actions" else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                print("       " + part["text"][:600].replace("\n", "\n       "))


def run(make: Callable[..., Ends], routes: list[dict[str, Any]]) -> list[str]:
    report = Report()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="desk-")))
        ends = make(stack, folder, Clock(), routes)
        print(f"\n=== {ends.toml}")
        os.environ["ANALYST_ALERTS__SLACK__WEBHOOK_URL"] = ends.slack.hook_url
        os.environ["ANALYST_ALERTS__ALLOW_HOSTS"] = '["127.0.0.1"]'
        ends.past()
        check(written(ends, folder), report)
        ends.checking = False
        if ends.begin is not None:
            set_clock(ends, ends.begin)
        with started(ends, written(ends, folder)) as driver:
            brought = run_cycles(ends, driver, report)
            show_sources(ends, driver.get, brought, report)
            for line, good in ends.counted(driver.get):
                report.must(good, line)
        show_venue(ends, report)
        show_alerts(ends.slack)
        for line, good in ends.facts():
            report.must(good, line)
    return report.wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--desk", action="append", choices=[one.toml.removesuffix(".toml") for one in DESKS])
    arguments = parser.parse_args()
    quieten()
    routes = load_routes((arguments.answers / "bybit.json").read_text(encoding="utf-8"))
    os.environ |= dict.fromkeys(SECRETS, "a-secret-of-the-desk")
    wrong = []
    for desk in DESKS:
        if not arguments.desk or desk.toml.removesuffix(".toml") in arguments.desk:
            wrong += run(desk, routes)
    print(f"\n{len(wrong)} lines are not as they must be")
    sys.exit(1 if wrong else 0)


def quieten() -> None:
    import structlog

    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


if __name__ == "__main__":
    main()
