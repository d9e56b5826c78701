"""Readers of the outside world: samples and events, one module per kind of source."""
