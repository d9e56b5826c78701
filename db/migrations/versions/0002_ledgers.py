"""What diagnoses were reasoned from, so that the reasoning can be repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "diagnosis_ledger",
        sa.Column("diagnosis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["diagnosis_id"],
            ["diagnosis.id"],
            name=op.f("fk_diagnosis_ledger_diagnosis_id_diagnosis"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("diagnosis_id", name=op.f("pk_diagnosis_ledger")),
    )


def downgrade() -> None:
    op.drop_table("diagnosis_ledger")
