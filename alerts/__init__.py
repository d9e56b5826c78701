"""Alerts: policy, outbox worker and receivers."""
