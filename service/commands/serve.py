"""`analyst serve`: the scheduler, the API and the dashboard in one process."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind, instead of the configured one.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to bind.")] = None,
) -> int:
    """Run the service: scheduler, API, dashboard, alerts."""
    from service.running import run_service  # noqa: PLC0415 -- keeps `analyst --help` fast
    from service.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = settings.server.model_copy(update=chosen)
    return run_service(settings.model_copy(update={"server": server}))
