"""The regular checks of the ledger, and what they found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ledger_checks",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("since", UtcInstant(), nullable=False),
        sa.Column("begun_at", UtcInstant(), nullable=False),
        sa.Column("settled_at", UtcInstant(), nullable=False),
        sa.Column("ended_at", UtcInstant()),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("held_until", UtcInstant(), nullable=False),
        sa.Column("after_job", BigId, nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("unaccounted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_checks"),
    )
    op.create_table(
        "ledger_findings",
        sa.Column("check_id", BigId, nullable=False),
        sa.Column("job_id", BigId, nullable=False),
        sa.Column("instants", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("scheduled_for", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("check_id", "job_id", name="pk_ledger_findings"),
        sa.ForeignKeyConstraint(
            ["check_id"], ["ledger_checks.id"], name="fk_ledger_findings_check_id_ledger_checks", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_ledger_findings_job_id_jobs", ondelete="CASCADE"),
        sa.CheckConstraint("kind IN ('missing', 'surplus')", name="ck_ledger_findings_kind"),
    )
    op.create_index("ix_ledger_findings_job", "ledger_findings", ["job_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("ledger_findings")
    op.drop_table("ledger_checks")
