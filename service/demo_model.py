"""The fake model server of the demo, a process of its own, so that a model's path is seen without a key."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from domain.errors import ConfigurationError

# Prices that nobody charges: with them the demo shows costs and keeps to budgets.
PRICE = {"input": 0.5, "output": 2.0}


@contextmanager
def fake_model(name: str | None) -> Iterator[Mapping[str, Any] | None]:
    """The section `llm` of a demo with a fake model; None without one. The server ends with the block.

    Args:
        name: None, or `fake`, or `fake:BEHAVIOUR`.

    Raises:
        ConfigurationError: another name, or the server did not start.
    """
    if name is None:
        yield None
        return
    kind, _, behaviour = name.partition(":")
    if kind != "fake":
        raise ConfigurationError("--llm", "the demo knows `fake`; configure other models for `analyst serve`")
    command = [sys.executable, "-m", "evaluation.fake_model", "--behaviour", behaviour or "tools"]
    process = subprocess.Popen(  # noqa: S603 -- our own module, our own arguments
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.strip():
            raise ConfigurationError("--llm", "the fake model server did not start; its message is above")
        ready = json.loads(line)
        yield {
            "model": ready["model"],
            "base_url": ready["base_url"],
            "prices": {ready["model"]: PRICE},
            "budget_usd_per_day": 5.0,
        }
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
