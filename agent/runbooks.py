"""The catalogue of causes, as the rest of the product may use it."""

from prompts.runbook import Runbook, load_runbooks

__all__ = ["Runbook", "load_runbooks"]
