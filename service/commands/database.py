"""`analyst db`: migrations."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file.")]


@app.callback()
def database() -> None:
    """Keep `db` a group of subcommands."""


@app.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Bring the database to the newest schema; `serve` and `demo` do this at their start."""
    from db.database import Database  # noqa: PLC0415 -- keeps `analyst --help` fast
    from service.settings import load_settings  # noqa: PLC0415

    store = Database(load_settings(config).database.url)
    store.upgrade()
    typer.echo(f"{store.engine.url.render_as_string(hide_password=True)} is up to date")
