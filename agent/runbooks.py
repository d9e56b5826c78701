"""The catalogue of causes, as the rest of the product may use it."""

from collections.abc import Sequence
from pathlib import Path

from agent.vocabulary import KINDS
from domain.errors import ConfigurationError
from prompts.runbook import Runbook, lint_runbooks, load_runbooks

__all__ = ["Runbook", "checked_runbooks", "load_runbooks"]


def checked_runbooks(extra_dirs: Sequence[Path] = ()) -> tuple[Runbook, ...]:
    """The catalogue after the lint; raises ConfigurationError naming all that is wrong with it."""
    found = load_runbooks(extra_dirs)
    problems = lint_runbooks(found, KINDS)
    if problems:
        raise ConfigurationError("runbooks", "; ".join(problems))
    return found
