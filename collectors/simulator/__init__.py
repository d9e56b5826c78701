"""A simulated trading desk behind real doors: SQL, OpenMetrics, log files and a news feed."""
