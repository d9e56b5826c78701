"""Slack beside being told: its Web API, what people send us from there, and what we answer."""
