"""The REST reads in the terminal: anomalies, costs, export, feedback and the audit log."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from domain.errors import InvalidInput

UrlOption = Annotated[str | None, typer.Option(help="Address of a running service; else the database.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object per line for lists.")]


class _ShowById(TyperGroup):
    """`anomalies A-12` means `anomalies show A-12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("A-"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


anomalies_app = typer.Typer(invoke_without_command=True, cls=_ShowById)
audit_app = typer.Typer(no_args_is_help=True)
_NAMES = {"A": "anomalies", "I": "incidents", "D": "diagnoses"}


@anomalies_app.callback()
def anomalies(context: typer.Context) -> None:
    """List stored anomalies, or show one."""
    if context.invoked_subcommand is None:
        list_anomalies()


@anomalies_app.command("list")
def list_anomalies(
    severity: Annotated[str | None, typer.Option(help="This severity or a higher one.")] = None,
    status: Annotated[str | None, typer.Option(help="open or resolved.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric name, or a series with its labels.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Begun at or after (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Begun before (RFC 3339).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List anomalies, newest first."""
    from service.rest_client import open_rest  # noqa: PLC0415 -- keeps `analyst --help` fast

    with open_rest(url, config) as rest:
        found = rest.items(
            "anomalies",
            limit=limit,
            min_severity=severity,
            status=status,
            metric=metric,
            start=start,
            end=end,
        )
    if as_json:
        _lines(found)
        return
    rows = [("ID", "SEVERITY", "BEGAN (UTC)", "STATUS", "SCORE", "TYPE", "SERIES")]
    rows += [
        (
            one["id"],
            one["severity"],
            _clock(one["timestamp"]),
            one["status"],
            f"{one['score']:.3g}",
            one["anomaly_type"],
            one["affected_metrics"][0],
        )
        for one in found
    ]
    table(rows)


@anomalies_app.command("show")
def show_anomaly(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Such as A-12.")],
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one anomaly with why it was flagged."""
    from service.rest_client import open_rest  # noqa: PLC0415

    with open_rest(url, config) as rest:
        one = rest.get("anomalies", identifier)
        told = rest.get("anomalies", identifier, "explanation")
    if as_json:
        typer.echo(_json(one))
        return
    until = _clock(one["ended_at"]) if one["ended_at"] else "now"
    typer.echo(
        f"{one['id']} {one['severity']} {one['anomaly_type']} {_clock(one['timestamp'])} to {until} UTC"
    )
    for series in one["affected_metrics"][:10]:
        typer.echo(f"  {series}")
    for sentence in told["sentences"]:
        typer.echo(sentence)
    if one["incident_id"]:
        typer.echo(f"Part of {one['incident_id']}.")


def costs(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Tokens and cost of language models per day, and what is left of the budget."""
    from service.rest_client import open_rest  # noqa: PLC0415

    with open_rest(url, config) as rest:
        usage = rest.get("usage")
    if as_json:
        typer.echo(_json(usage))
        return 0
    rows = [("DAY", "MODEL", "CALLS", "TOKENS IN", "TOKENS OUT", "USD")]
    rows += [
        (
            one["day"],
            one["model"],
            str(one["calls"]),
            str(one["input_tokens"]),
            str(one["output_tokens"]),
            "unknown" if one["cost_usd"] is None else f"{one['cost_usd']:.4f}",
        )
        for one in usage["items"]
    ]
    if usage["items"]:
        table(rows)
    else:
        typer.echo("no language model was called")
    left = usage["budget_left_usd"]
    typer.echo("no budget is set" if left is None else f"${left:.2f} of today's budget are left")
    return 0


def export(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A-12, I-3 or D-4.")],
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Print an anomaly, an incident or a diagnosis as markdown, or as JSON."""
    from service.rest_client import open_rest  # noqa: PLC0415

    kind = kind_of(identifier)
    with open_rest(url, config) as rest:
        if as_json:
            typer.echo(_json(rest.get(kind, identifier)))
        else:
            typer.echo(rest.text(kind, f"{identifier}.md"), nl=False)
    return 0


def feedback(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A-12 or D-4.")],
    verdict: Annotated[
        str,
        typer.Argument(
            metavar="VERDICT",
            help="true_positive or false_positive; correct, incorrect or partially_correct.",
        ),
    ],
    cause: Annotated[str | None, typer.Option(help="What it really was, for a diagnosis.")] = None,
    comment: Annotated[str | None, typer.Option(help="Anything to add.")] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say whether an anomaly or a diagnosis was right."""
    from service.rest_client import open_rest  # noqa: PLC0415

    kind = kind_of(identifier)
    if kind == "incidents":
        raise InvalidInput("ID", "give an anomaly (A-12) or a diagnosis (D-4)")
    if cause and kind == "anomalies":
        raise InvalidInput("--cause", "is for diagnoses")
    body = {"verdict": verdict, "actual_cause": cause, "comment": comment}
    given = {name: value for name, value in body.items() if value is not None}
    with open_rest(url, config) as rest:
        stored = rest.post(kind, identifier, "feedback", body=given)
    typer.echo(_json(stored) if as_json else f"{identifier}: {verdict} by {stored['author']}")
    return 0


@audit_app.callback()
def audit() -> None:
    """Keep `audit` a group of subcommands."""


@audit_app.command("verify")
def verify(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Check the hash chain of the audit log; exit 1 and name the first bad row where it is broken."""
    from db.audit import AuditStore  # noqa: PLC0415
    from db.database import Database  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    database = Database(settings.database.url, settings.database)
    try:
        database.check()
        verdict = AuditStore(database).verify()
    finally:
        database.close()
    bad = verdict.first_bad
    if as_json:
        typer.echo(_json({"entries": verdict.entries, "first_bad": bad, "reason": verdict.reason}))
    elif bad is None:
        typer.echo(f"{verdict.entries} entries, the chain is whole")
    else:
        typer.echo(f"entry {bad} of {verdict.entries}: {verdict.reason}")
    return 0 if bad is None else 1


def kind_of(identifier: str) -> str:
    """Which list an id belongs to; raises InvalidInput."""
    prefix, dash, digits = identifier.partition("-")
    if prefix not in _NAMES or not dash or not digits.isdecimal():
        raise InvalidInput("ID", f"{identifier[:100]!r} is not an id such as A-12, I-3 or D-4")
    return _NAMES[prefix]


def table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their widest value; the last one is never cut."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [value.ljust(width) for value, width in zip(row[:-1], widths[:-1], strict=True)]
        typer.echo("  ".join([*cells, row[-1]]))


def _clock(instant: str) -> str:
    return instant[:16].replace("T", " ")


def _lines(items: list[Any]) -> None:
    for one in items:
        typer.echo(_json(one))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
