"""What `analyst init` writes: a configuration that works as it is and shows the rest as comments."""

EXAMPLE = '''\
# LLM Analyst. Every key can be overridden by an environment variable: ANALYST_SCHEDULER__INTERVAL_SECONDS=60.
# Secrets stand in the environment or in files named here, never in this file.

[database]
url = "sqlite:///analyst.db"
# url = "postgresql://analyst@db.example/analyst"   # extra `postgres`; password: PGPASSWORD or ~/.pgpass

[server]
host = "127.0.0.1"        # any other address needs [[tokens]]
port = 8000

[scheduler]
interval_seconds = 300    # a cycle collects, detects, groups, diagnoses and alerts
lookback_hours = 24       # the window that is scored and shown

[detection]
history_days = 28         # what baselines learn from
alarm_budget = 0.33       # false alarms that you accept per series and day

# Sources. This one works everywhere; more kinds are in docs/sources/.
[[sources]]
name = "this-host"
kind = "host"

# [[sources]]
# name = "pnl"
# kind = "sql"
# source = "pnl_data"
# url_env = "PNL_DATABASE_URL"
# query = """
# SELECT ts, strategy, venue, symbol, pnl FROM pnl WHERE ts > :since AND ts < :until ORDER BY ts LIMIT :limit"""
# time_column = "ts"
# values = { pnl = "pnl" }
# label_columns = ["strategy", "venue", "symbol"]
# unit = "USD"

# [[sources]]
# name = "prometheus"
# kind = "prometheus"
# url = "http://127.0.0.1:9090"
# [[sources.queries]]
# query = "rate(gateway_ack_seconds_sum[5m]) / rate(gateway_ack_seconds_count[5m])"
# metric = "order_ack_latency_seconds"

# What trades where, and on which machine: from this follows which component can hurt which other one.
# [[strategies]]
# name = "mm_btc"
# venues = ["bybit"]
# symbols = ["BTC"]
# host = "trade-1"

# Edges that do not follow from the strategies.
# [[edges]]
# cause = "database:orders"
# effect = "service:risk"

# Rules of your own, beside the built-in ones.
# [[rules]]
# name = "cpu-hot"
# metric = "cpu_percent"
# method = "threshold"
# threshold = 95
# direction = "up"
# anomaly_type = "resource_exhaustion"

# A language model is optional: without one the statistical reasoner diagnoses.
# [llm]
# model = "..."           # key: OPENAI_API_KEY, endpoint: base_url or OPENAI_BASE_URL
# budget_usd_per_day = 5.0

[alerts]
severity_threshold = "medium"
max_alerts_per_hour = 10
cooldown_minutes = 30

# [alerts.slack]
# webhook_url_env = "SLACK_WEBHOOK_URL"

# Tokens: who may do what (viewer, operator, ingest, admin).
# [[tokens]]
# name = "desk"
# role = "operator"
# env = "ANALYST_DESK_TOKEN"
'''
