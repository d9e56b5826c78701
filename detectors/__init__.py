"""Arrays in, anomalies out: one module per method, calibration and ranking."""
