"""A day of a small desk as pushes: a latency and a PnL, healthy or hit in the last cells."""

import random
from datetime import datetime, timedelta
from typing import Any

LATENCY_RULE = """
[[rules]]
name = "latency-limit"
metric = "order_ack_latency_ms"
method = "threshold"
threshold = 100
direction = "up"
anomaly_type = "execution_delay"
"""
STRATEGY = """
[[strategies]]
name = "mm"
venues = ["bybit"]
symbols = ["BTC"]
"""


def day(now: datetime, *, hit_cells: int = 3) -> list[dict[str, Any]]:
    """288 cells of five minutes up to now; the gateway slows down and money is lost in the last ones."""
    dice = random.Random(1)
    samples: list[dict[str, Any]] = []
    pnl_labels = {"strategy": "mm", "venue": "bybit", "symbol": "BTC"}
    for i in range(288):
        at = (now - timedelta(minutes=5 * (287 - i))).isoformat()
        hit = i >= 288 - hit_cells
        latency, pnl = dice.gauss(300 if hit else 15, 1), dice.gauss(-900 if hit else 20, 5)
        gateway = {"metric": "order_ack_latency_ms", "labels": {"venue": "bybit"}, "timestamp": at}
        money = {"metric": "pnl", "labels": pnl_labels, "timestamp": at, "source": "pnl_data", "unit": "USD"}
        samples += [{**gateway, "value": latency, "unit": "ms"}, {**money, "value": pnl}]
    return samples
