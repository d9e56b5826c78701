"""The `analyst` command: registers one function per subcommand and turns our errors into one line."""

import os
import signal
import sys
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer

from domain.errors import AnalystError
from service.commands import (
    backtest,
    chat,
    database,
    demo,
    detect,
    diagnose,
    reads,
    replay,
    root_cause,
    serve,
    setup,
    watch,
)

# typer carries a click of its own; of its usage errors only a subclass has a public name.
UsageError: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="analyst",
    help="Anomaly diagnosis for trading desks: what broke, since when, what it costs, why, what to do first.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"analyst {installed_version('llm-analyst')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Anomaly diagnosis for trading desks: what broke, since when, what it costs, why, what to do first."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("init")(setup.init)
app.command("check")(setup.check)
app.command("detect")(detect.detect)
app.command("backtest")(backtest.backtest)
app.command("root-cause")(root_cause.root_cause)
app.command("diagnose")(diagnose.diagnose)
app.command("replay")(replay.replay)
app.command("chat")(chat.chat)
app.command("watch")(watch.watch)
app.command("costs")(reads.costs)
app.command("export")(reads.export)
app.command("feedback")(reads.feedback)
app.add_typer(reads.anomalies_app, name="anomalies", help="Stored anomalies: list them, or show one.")
app.add_typer(reads.audit_app, name="audit", help="The audit log: verify its chain.")
app.add_typer(database.app, name="db", help="The database: migrations.")


def main(arguments: list[str] | None = None) -> None:
    """Exit 0 = done, 1 = ran and found a failure, 2 = unusable input, 130 = interrupted."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of one call."""
    try:
        return _code(app(arguments, standalone_mode=False))
    except UsageError as error:
        said = error.format_message()
        # A group that is called without a subcommand answers with its help.
        sys.stderr.write(f"{said}\n" if said.startswith("Usage:") else f"analyst: {said}\n")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except AnalystError as error:
        sys.stderr.write(f"analyst: {error}\n")
        return 2
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _code(result: Any) -> int:
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


if __name__ == "__main__":
    main()
