"""Which built-in rules were offered: a later version adds what is new and brings back nothing that was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What every database was given until now.
_OFFERED = """
    pnl-loss pnl-drop drawdown returns fill-ratio slippage signal-strength inventory order-size return price volatility
    spread volume depth liquidity funding correlation latency duration lag queue-depth pool-wait gc-pause reject-ratio
    errors cpu memory disk connections feed-age feed-messages clock mismatch feed-gaps feed-duplicates orders
    orders-total log-lines stale-feed stale-price stale-orders stale-heartbeat frozen-price frozen-volume
    frozen-heartbeat no-orders silent-series level-shift anything-else joint log-novelty log-novelty-ends source-down
"""


def upgrade() -> None:
    table = op.create_table(
        "built_in_rule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_built_in_rule")),
    )
    in_use = op.get_bind().execute(sa.text("SELECT count(*) FROM rule")).scalar()
    if in_use:
        op.bulk_insert(table, [{"name": name} for name in _OFFERED.split()])


def downgrade() -> None:
    op.drop_table("built_in_rule")
