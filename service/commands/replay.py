"""`analyst replay`: derive stored diagnoses again from what they were reasoned from."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import ConfigurationError


def replay(
    diagnosis: Annotated[str | None, typer.Argument(metavar="ID", help="A diagnosis, such as D-12.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All stored diagnoses.")] = False,
    with_model: Annotated[
        str | None, typer.Option("--with-model", help="Ask this model instead, and print what differs.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
) -> int:
    """Repeat the reasoning of stored diagnoses; prints every difference, and exits 1 where there is one."""
    from service.replaying import open_replays  # noqa: PLC0415 -- keeps `analyst --help` fast

    if (diagnosis is None) != everything:
        raise ConfigurationError("arguments", "give the ID of a diagnosis, or --all")
    different = 0
    total = 0
    with open_replays(config) as replays:
        for one in replays.ids() if diagnosis is None else [diagnosis]:
            result = replays.again(one, with_model)
            if result is None:
                continue
            total += 1
            different += bool(result.differences)
            for note in result.notes:
                sys.stderr.write(f"{one}: {note}\n")
            print(f"{one}: {'the same' if not result.differences else 'differs'}")
            for line in result.differences:
                print(f"  {line}")
    print(f"{total} diagnoses repeated, {different} with differences")
    return 1 if different else 0
