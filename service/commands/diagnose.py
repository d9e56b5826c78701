"""`analyst diagnose`: one diagnosis in the terminal, from the service's database or a folder of CSV files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from agent.reasoners.investigation import Investigation
    from domain.diagnosis import Diagnosis, DiagnosisRequest


def diagnose(
    metric: Annotated[str | None, typer.Option(help="Series or metric name to explain.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Start of the window (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the window (RFC 3339).")] = None,
    anomaly: Annotated[str | None, typer.Option(help="Id of a stored anomaly, such as A-12.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of CSV files, instead of the database.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the diagnosis as JSON.")] = False,
) -> int:
    """Diagnose a window of a metric, or a stored anomaly, and print steps, verdict, evidence, actions."""
    from service.offline_diagnosis import open_case_source  # noqa: PLC0415 -- keeps `analyst --help` fast

    if (anomaly is None) == (metric is None or start is None or end is None):
        raise ConfigurationError("arguments", "give --anomaly ID, or --metric with --from and --to")
    with open_case_source(config, data) as source:
        request = source.request_of(anomaly) if anomaly else _request(metric or "", start or "", end or "")
        diagnosis = _run(source.begin(request), request)
    typer.echo(diagnosis.model_dump_json() if as_json else _text(diagnosis))
    return 0


def _request(metric: str, start: str, end: str) -> "DiagnosisRequest":
    from domain.diagnosis import DiagnosisRequest  # noqa: PLC0415
    from domain.timestamps import parse_rfc3339  # noqa: PLC0415

    first, last = parse_rfc3339(start, "--from"), parse_rfc3339(end, "--to")
    if last <= first:
        raise InvalidInput("--to", "must be after --from")
    return DiagnosisRequest(start_time=first, end_time=last, affected_metrics=(metric,))


def _run(investigation: "Investigation", request: "DiagnosisRequest") -> "Diagnosis":
    from agent.reasoners.statistical import STEPS, run_step, to_diagnosis  # noqa: PLC0415

    for number, name in enumerate(STEPS, 1):
        investigation = run_step(name, investigation)
        step = investigation.steps[-1]
        title = name.replace("_", " ").capitalize()
        sys.stderr.write(f"✓ {number} {title:<28} {step.duration_ms:6.0f} ms\n")
    return to_diagnosis(investigation, timestamp=request.end_time)


def _text(diagnosis: "Diagnosis") -> str:
    hypotheses = [one for one in (diagnosis.primary_hypothesis, *diagnosis.alternative_hypotheses) if one]
    lines = [diagnosis.executive_summary, "", "Hypotheses"]
    for one in hypotheses:
        bar = "█" * round(one.confidence * 20)
        lines.append(f"  {one.confidence:4.0%} {bar:<20} {one.title} [{', '.join(one.supporting[:5])}]")
    lines += ["", "Evidence"]
    lines += [f"  {one.id:>4} {one.statement}" for one in diagnosis.evidence[:12]]
    lines += ["", "Do now"]
    lines += [f"  {one.n}. {one.text}" for one in diagnosis.immediate_actions] or ["  nothing"]
    return "\n".join(lines)
