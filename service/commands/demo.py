"""`analyst demo`: a simulated trading desk with the real service in front of it."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the dashboard and the API.")] = 8000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same desk.")] = 7,
    speed: Annotated[
        float, typer.Option(min=1, max=600, help="How much faster than the wall the desk's clock runs.")
    ] = 60.0,
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser window.")] = False,
    start: Annotated[
        str | None, typer.Option(help="Where the desk's clock starts (RFC 3339); now by default.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Where to keep everything; temporary by default."),
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(help="`fake`: investigate with a model too, played by a server of our own."),
    ] = None,
) -> int:
    """Start a simulated desk with 14 days of history, live data and incidents; no key, no network."""
    from service.demo import run_demo  # noqa: PLC0415 -- keeps `analyst --help` fast

    with tempfile.TemporaryDirectory(prefix="analyst-demo-", ignore_cleanup_errors=True) as temporary:
        return run_demo(
            port=port,
            seed=seed,
            speed=speed,
            headless=headless,
            start=start,
            directory=directory or Path(temporary),
            llm=llm,
        )
