"""How far the journal was judged: what arrived later is news to the next process, however old its time."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("sample_state", sa.Column("judged_to", whole, nullable=False, server_default="0"))
    op.execute(
        "UPDATE sample_state SET judged_to = (SELECT coalesce(max(id), sample_state.trimmed_to) FROM sample_journal)"
    )


def downgrade() -> None:
    op.drop_column("sample_state", "judged_to")
