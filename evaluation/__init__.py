"""Backtests, metrics and replay over stored history."""
