"""`analyst watch`: live incidents in the terminal."""

import json
import math
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.anomaly import SEVERITIES
from domain.errors import AnalystError, InvalidInput

if TYPE_CHECKING:
    from service.rest_client import Rest

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24
_SHORT = {"critical": "CRIT", "high": "HIGH", "medium": "MED", "low": "LOW"}


def watch(
    once: Annotated[
        bool, typer.Option("--once", help="Print once; exit 1 where one at or above S is open.")
    ] = False,
    severity: Annotated[str, typer.Option(help="Only incidents of this severity or a higher one.")] = "low",
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    url: Annotated[str | None, typer.Option(help="Address of a running service; else the database.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one incident per line.")] = False,
) -> int:
    """Show open incidents with their causes as they change; Ctrl-C ends."""
    from service.rest_client import open_rest  # noqa: PLC0415 -- keeps `analyst --help` fast

    if severity not in SEVERITIES:
        raise InvalidInput("--severity", f"must be one of {', '.join(SEVERITIES)}")
    with open_rest(url, config) as rest:
        if once:
            found = _open(rest, severity)
            typer.echo(
                "\n".join(json.dumps(one) for one in found) if as_json else _frame(rest, found, severity)
            )
            return 1 if found else 0
        if as_json:
            raise InvalidInput("--json", "goes with --once")
        return _live(rest, severity, interval)


def _live(rest: "Rest", severity: str, interval: float) -> int:
    """Redraw until Ctrl-C; the last frame stays on the screen."""
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        try:
            while True:
                try:
                    frame = _frame(rest, _open(rest, severity), severity)
                except AnalystError as error:
                    frame = f"○ reconnecting: {error}"
                live.update(Text(frame, no_wrap=True, overflow="ellipsis"), refresh=True)
                time.sleep(interval)
        except KeyboardInterrupt:
            return 130


def _open(rest: "Rest", severity: str) -> list[Any]:
    """Open and acknowledged incidents, the worst first."""
    found = [
        *rest.items("incidents", limit=500, status="open"),
        *rest.items("incidents", limit=500, status="acknowledged"),
    ]
    least = SEVERITIES.index(severity)
    chosen = [one for one in found if SEVERITIES.index(one["severity"]) >= least]
    return sorted(chosen, key=lambda one: (-SEVERITIES.index(one["severity"]), one["started_at"]))


def _frame(rest: "Rest", found: list[Any], severity: str) -> str:
    cycles = [one for one in rest.get("cycles", limit=5)["items"] if one["finished_at"]]
    sources = rest.get("sources")["items"]
    now: str | None = cycles[0]["finished_at"] if cycles else None
    head = ["no cycle yet"]
    if cycles and now:
        head = [f"cycle {cycles[0]['id']} · {now[11:19]} UTC · {cycles[0]['series']} series"]
    ok = sum(one["status"] == "ok" for one in sources)
    head += [f"{len(found)} open", f"sources {ok}/{len(sources)} ok"]
    lines = ["● " + " · ".join(head)]
    if not found:
        least = "" if severity == "low" else f" of severity {severity} or higher"
        return "\n".join([*lines, f"no open incident{least}"])
    names = ("SEV".ljust(5), "ID".ljust(7), "AGE".rjust(5), "LAST 2 H".ljust(WIDTH), "IMPACT".rjust(10))
    lines.append("  ".join((*names, " CONF", "WHAT AND WHY")))
    lines += [_row(rest, one, now) for one in found]
    return "\n".join(lines)


def _row(rest: "Rest", one: Any, now: str | None) -> str:
    cause, confidence = _cause(rest, one["diagnosis_id"])
    impact = one["impact"]
    money = f"{impact['amount']:+,.0f}" if impact else "-"
    age = _age(one["started_at"], now)
    acked = f" [{one['assignee']}]" if one["assignee"] else ""
    cells = (
        _SHORT[one["severity"]].ljust(5),
        one["id"].ljust(7),
        age.rjust(5),
        _spark(rest, one).ljust(WIDTH),
        money.rjust(10),
        confidence.rjust(5),
    )
    return "  ".join((*cells, f"{one['title']}: {cause}{acked}"))


def _cause(rest: "Rest", diagnosis_id: str | None) -> tuple[str, str]:
    if diagnosis_id is None:
        return "not diagnosed yet", ""
    found = rest.get("diagnoses", diagnosis_id)
    primary = found["primary_hypothesis"]
    if primary is None or found["status"] != "done":
        return found["status"], ""
    share = f"{primary['confidence'] * 100:.0f}%"
    return (
        primary["title"] if found["outcome"] == "cause_found" else f"inconclusive (lead: {primary['title']})"
    ), share


def _age(start: str, now: str | None) -> str:
    if now is None:
        return ""
    minutes = (datetime.fromisoformat(now) - datetime.fromisoformat(start)) / timedelta(minutes=1)
    return f"{minutes:.0f}m" if minutes < 100 else f"{minutes / 60:.0f}h"


def _spark(rest: "Rest", incident: Any) -> str:
    """The leading series of an incident over the last two hours."""
    from domain.series import SeriesKey  # noqa: PLC0415

    if not incident["anomaly_ids"]:
        return ""
    name = rest.get("anomalies", incident["anomaly_ids"][0])["affected_metrics"][0]
    try:
        key = SeriesKey.parse(name)
    except InvalidInput:
        return ""
    wanted = {f"label.{label}": value for label, value in key.labels}
    series = rest.get("series", metric=key.metric, limit=1, **wanted)["items"]
    if not series:
        return ""
    samples = rest.get("series", str(series[0]["id"]), "samples")["items"]
    return sparkline([one["value"] for one in samples][-WIDTH:])


def sparkline(values: list[float]) -> str:
    """One block per value, from the lowest to the highest."""
    finite = [one for one in values if math.isfinite(one)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    size = (high - low) or 1.0
    return "".join(BARS[min(7, int((one - low) / size * 8))] if math.isfinite(one) else " " for one in values)
