"""Rules that a desk starts with; names follow what trading systems and Prometheus exporters call things.

For every method, a series belongs to the rules whose pattern it matches; the rule with the
pattern `*` takes what no other rule of its method wanted.
"""

from domain.anomaly import AnomalyType, Direction
from domain.rule import Method, Rule, SeverityThresholds

_MONEY: tuple[tuple[str, str, AnomalyType, Direction], ...] = (
    ("pnl-loss", "pnl", "sudden_loss", "down"),
    ("pnl-drop", "pnl_*", "performance_drop", "down"),
    ("drawdown", "*drawdown*", "drawdown", "both"),
    ("returns", "*sharpe*", "performance_drop", "down"),
    ("fill-ratio", "*fill_ratio*", "performance_drop", "down"),
    ("slippage", "*slippage*", "performance_drop", "up"),
    ("signal-strength", "*signal*", "performance_drop", "both"),
    ("inventory", "*inventory*", "level_shift", "both"),
    ("order-size", "*order_size*", "level_shift", "both"),
)
_MARKET: tuple[tuple[str, str, AnomalyType, Direction], ...] = (
    ("return", "*return_bps*", "price_spike", "both"),
    ("price", "*price*", "price_spike", "both"),
    ("volatility", "*volatility*", "volatility_spike", "up"),
    ("spread", "*spread*", "spread_widening", "up"),
    ("volume", "*volume*", "volume_spike", "both"),
    ("depth", "*depth_usd*", "liquidity_drain", "down"),
    ("liquidity", "*liquidity*", "liquidity_drain", "down"),
    ("funding", "*funding*", "funding_shock", "both"),
    ("correlation", "*correlation*", "correlation_breakdown", "down"),
)
_SYSTEM: tuple[tuple[str, str, AnomalyType, Direction], ...] = (
    ("latency", "*latency*", "execution_delay", "up"),
    ("duration", "*duration*", "execution_delay", "up"),
    ("lag", "*lag_*", "execution_delay", "up"),
    ("queue-depth", "*queue*", "execution_delay", "up"),
    ("pool-wait", "*wait*", "execution_delay", "up"),
    ("gc-pause", "*pause*", "execution_delay", "up"),
    ("reject-ratio", "*reject*", "error_rate_spike", "up"),
    ("errors", "*error*", "error_rate_spike", "up"),
    ("cpu", "*cpu*", "resource_exhaustion", "up"),
    ("memory", "*mem*", "resource_exhaustion", "up"),
    ("disk", "*disk*", "resource_exhaustion", "up"),
    ("connections", "*connections*", "resource_exhaustion", "up"),
    ("feed-age", "*feed_age*", "stale_feed", "up"),
    ("feed-messages", "*feed_messages*", "stale_feed", "down"),
    ("clock", "*clock*", "level_shift", "both"),
    ("mismatch", "*mismatch*", "level_shift", "both"),
    ("feed-gaps", "*_gaps*", "stale_feed", "up"),
    ("feed-duplicates", "*duplicate*", "stale_feed", "up"),
    ("bar-repeats", "*_repeats", "stale_feed", "up"),
    ("orders", "orders", "silent_strategy", "down"),
    ("orders-total", "orders_total", "silent_strategy", "down"),
)
_METHODS: tuple[tuple[str, str, Method, AnomalyType, Direction], ...] = (
    ("silent-series", "*", "stale", "stale_feed", "both"),
    # What is measured of fills ends with the fills, and is no feed.
    ("silent-fills", "*fill*", "stale", "silent_strategy", "both"),
    ("silent-fees", "*fee_*", "stale", "silent_strategy", "both"),
    ("silent-slippage", "*slippage*", "stale", "silent_strategy", "both"),
    ("silent-markouts", "*markout*", "stale", "silent_strategy", "both"),
    ("level-shift", "*", "changepoint", "level_shift", "both"),
    ("anything-else", "*", "combined", "level_shift", "both"),
    ("joint", "*", "pca", "multivariate", "both"),
)
# What a desk must never lose from sight: silence of it is told at once, not only where it lasts.
_VITAL: tuple[tuple[str, str, AnomalyType], ...] = (
    ("stale-feed", "*feed_*", "stale_feed"),
    ("stale-price", "*price*", "stale_feed"),
    ("stale-orders", "orders*", "silent_strategy"),
    ("stale-heartbeat", "*heartbeat*", "silent_strategy"),
)
# What repeats itself although it used to move: its law is known, so two repeats are enough where one is rare.
_STILL: tuple[tuple[str, str, AnomalyType], ...] = (
    ("frozen-price", "*price*", "stale_feed"),
    # A price may well come to the same tick again, a turnover hardly ever.
    ("frozen-volume", "*volume*", "stale_feed"),
    ("frozen-heartbeat", "*heartbeat*", "silent_strategy"),
    ("no-orders", "orders*", "silent_strategy"),
)
_STILLNESS = SeverityThresholds(low=5, medium=5, high=9, critical=18)
_SILENCE = SeverityThresholds(low=3, medium=3, high=6, critical=12)
# Many lines of no trouble, such as a program says at its start, wake nobody.
_NEVER_LOUD = SeverityThresholds(low=0, medium=1e6, high=1e6, critical=1e6)
_VOLUMES: tuple[tuple[str, str, SeverityThresholds | None], ...] = (
    ("log-lines", "[!IDNTidnt]*", None),
    ("log-lines-unlabelled", "", None),
    ("log-volume", "[IDNTidnt]*", _NEVER_LOUD),
)
# How grave a new or bursting log template is: 1 quiet or a warning, 2 an error, 3 critical, 0 not any more.
_LINES: tuple[Rule, ...] = (
    Rule(
        name="log-novelty",
        metric="log_novelty",
        method="threshold",
        threshold=0.5,
        direction="up",
        anomaly_type="log_novelty",
        severity_thresholds=SeverityThresholds(low=1, medium=2, high=3, critical=4),
    ),
    # A template that does not come again is no silence.
    Rule(
        name="log-novelty-ends",
        metric="log_novelty",
        method="stale",
        threshold=1e6,
        anomaly_type="log_novelty",
    ),
)


def default_rules() -> tuple[Rule, ...]:
    """The default rules, from money to machines, in a stable order."""
    combined = [
        Rule(name=name, metric=metric, method="combined", anomaly_type=kind, direction=direction)
        for name, metric, kind, direction in (*_MONEY, *_MARKET, *_SYSTEM)
    ]
    others = [
        Rule(name=name, metric=metric, method=method, anomaly_type=kind, direction=direction)
        for name, metric, method, kind, direction in _METHODS
    ]
    vital = [_vital(*one, "stale", 3.0, _SILENCE) for one in _VITAL]
    still = [_vital(*one, "frozen", 5.0, _STILLNESS) for one in _STILL]
    return (*combined, *_volumes(), *vital, *still, *others, *_LINES)


def _vital(
    name: str,
    metric: str,
    kind: AnomalyType,
    method: Method,
    threshold: float,
    severities: SeverityThresholds,
) -> Rule:
    return Rule(
        name=name,
        metric=metric,
        method=method,
        threshold=threshold,
        anomaly_type=kind,
        severity_thresholds=severities,
    )


def _volumes() -> list[Rule]:
    return [
        Rule(
            name=name,
            metric="log_lines*",
            labels={"level": level},
            method="combined",
            anomaly_type="log_novelty",
            direction="up",
            severity_thresholds=severities,
        )
        for name, level, severities in _VOLUMES
    ]
