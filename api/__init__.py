"""The doors: REST, streams and the dashboard."""
