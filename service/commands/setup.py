"""`analyst init` and `analyst check`: a commented configuration, and whether everything in it works."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import AnalystError, ConfigurationError


def init(
    path: Annotated[Path, typer.Argument(help="Where to write the configuration.")] = Path("analyst.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration to start from."""
    if path.exists() and not force:
        raise ConfigurationError(str(path), "exists already; --force overwrites it")
    try:
        path.write_text(example(), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be written") from None
    typer.echo(f"wrote {path}; next: edit it, then `analyst check` and `analyst serve`")


def example() -> str:
    """The configuration that `analyst init` writes: works as it is, shows the rest as comments."""
    return resources.files("service").joinpath("analyst.example.toml").read_text(encoding="utf-8")


def check(
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
) -> int:
    """Try every source, the database, the model and the alert receivers: one line each."""
    from service.checks import check_everything  # noqa: PLC0415
    from service.settings import load_settings  # noqa: PLC0415

    failed = False
    for name, attempt in check_everything(load_settings(config)):
        try:
            typer.echo(f"ok    {name}: {attempt()}")
        except AnalystError as error:
            failed = True
            typer.echo(f"FAIL  {name}: {error}")
    return 1 if failed else 0
