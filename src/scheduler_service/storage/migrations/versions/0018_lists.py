"""Tables and indexes by which lists find their rows, however many jobs and runs there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from scheduler_service.storage.types import BigId, UtcInstant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_UNSUCCESSFUL = "status IN ('cancelled', 'failed', 'missed', 'skipped')"
_LOOKED_UP = "name, description, tags, priority, created_at, updated_at, deleted_at"


def upgrade() -> None:
    """Create them, fill them from the stored jobs, and let triggers keep them in step."""
    op.create_table(
        "job_lookup",
        sa.Column("job_id", BigId, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("folded_description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_lookup_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_lookup"),
    )
    for column in ("name", "priority", "created_at", "updated_at"):
        op.create_index(f"ix_job_lookup_{column}", "job_lookup", [column, "job_id"])
    op.create_table(
        "job_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("job_id", BigId, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_tags_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tag", "job_id", name="pk_job_tags"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_tags_job", "job_tags", ["job_id"])
    _replace_indexes()
    if op.get_bind().dialect.name == "postgresql":
        _follow_on_postgresql()
    else:
        _follow_on_sqlite()


def downgrade() -> None:
    """Remove them."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for trigger in ("added", "changed"):
        op.execute(f"DROP TRIGGER jobs_lookup_{trigger}" + (" ON jobs" if is_postgresql else ""))
    if is_postgresql:
        op.execute("DROP FUNCTION look_up_job()")
    else:
        op.execute("DROP TABLE IF EXISTS job_texts")
    op.drop_table("job_tags")
    op.drop_table("job_lookup")
    for index, table in (("idle", "jobs"), ("unsuccessful", "runs"), ("unscheduled", "runs")):
        op.drop_index(f"ix_{table}_{index}", table)
    for index in ("status", "due"):
        op.drop_index(f"ix_jobs_{index}", "jobs")
    op.execute("CREATE INDEX ix_jobs_status ON jobs (status) WHERE deleted_at IS NULL")
    op.execute("CREATE INDEX ix_jobs_due ON jobs (next_run_at) WHERE next_run_at IS NOT NULL")


def _replace_indexes() -> None:
    for index in ("status", "due"):
        op.drop_index(f"ix_jobs_{index}", "jobs")
    op.execute("CREATE INDEX ix_jobs_status ON jobs (status, id) WHERE deleted_at IS NULL")
    op.execute("CREATE INDEX ix_jobs_due ON jobs (next_run_at, id) WHERE next_run_at IS NOT NULL")
    op.execute("CREATE INDEX ix_jobs_idle ON jobs (id) WHERE next_run_at IS NULL")
    op.execute(f"CREATE INDEX ix_runs_unsuccessful ON runs (status, id) WHERE {_UNSUCCESSFUL}")
    op.execute('CREATE INDEX ix_runs_unscheduled ON runs ("trigger", id) WHERE "trigger" <> \'schedule\'')


def _follow_on_postgresql() -> None:
    # Servers before 17 lack this collation, see `storage/dialect.py`.
    version = op.get_bind().dialect.server_version_info or ()
    collation = ' COLLATE "pg_c_utf8"' if version >= (17,) else ""
    lookup = f"""
  INSERT INTO job_lookup (job_id, name, priority, created_at, updated_at, folded_name, folded_description)
  SELECT id, name, priority, created_at, updated_at, lower(name{collation}), lower(description{collation}) FROM jobs
  WHERE deleted_at IS NULL"""
    tags = """
  INSERT INTO job_tags (tag, job_id)
  SELECT DISTINCT tag, jobs.id FROM jobs CROSS JOIN jsonb_array_elements_text(jobs.tags) AS tag
  WHERE deleted_at IS NULL"""
    op.execute(lookup)
    op.execute(tags)
    op.execute(
        f"""
CREATE FUNCTION look_up_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  DELETE FROM job_lookup WHERE job_id = NEW.id;
  DELETE FROM job_tags WHERE job_id = NEW.id;{lookup} AND id = NEW.id;{tags} AND jobs.id = NEW.id;
  RETURN NULL;
END $$
"""
    )
    op.execute("CREATE TRIGGER jobs_lookup_added AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION look_up_job()")
    op.execute(
        f"CREATE TRIGGER jobs_lookup_changed AFTER UPDATE OF {_LOOKED_UP} ON jobs "
        "FOR EACH ROW EXECUTE FUNCTION look_up_job()"
    )
    # The extension is part of every distribution, and the owner of a database may create it. Where it is missing, a
    # search reads all texts.
    op.execute(
        """
DO $$ BEGIN
  CREATE EXTENSION IF NOT EXISTS pg_trgm;
  CREATE INDEX ix_job_lookup_texts ON job_lookup
  USING gin (folded_name gin_trgm_ops, folded_description gin_trgm_ops) WITH (fastupdate = off);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
  RAISE NOTICE 'pg_trgm is not available: searches for jobs read all texts';
END $$
"""
    )


def _follow_on_sqlite() -> None:
    # The connection registers a lower() for every script, see `storage/database.py`.
    lookup = """
  INSERT INTO job_lookup (job_id, name, priority, created_at, updated_at, folded_name, folded_description)
  SELECT id, name, priority, created_at, updated_at, lower(name), lower(description) FROM jobs
  WHERE deleted_at IS NULL"""
    tags = """
  INSERT INTO job_tags (tag, job_id)
  SELECT DISTINCT each.value, jobs.id FROM jobs CROSS JOIN json_each(jobs.tags) AS each
  WHERE deleted_at IS NULL"""
    op.execute(lookup)
    op.execute(tags)
    added = f"{lookup} AND id = NEW.id;{tags} AND jobs.id = NEW.id;"
    op.execute(f"CREATE TRIGGER jobs_lookup_added AFTER INSERT ON jobs FOR EACH ROW BEGIN {added} END")
    op.execute(
        f"CREATE TRIGGER jobs_lookup_changed AFTER UPDATE OF {_LOOKED_UP} ON jobs FOR EACH ROW BEGIN "
        f"DELETE FROM job_lookup WHERE job_id = NEW.id; DELETE FROM job_tags WHERE job_id = NEW.id;{added} END"
    )
    if _has_trigrams():
        for statement in _TEXTS:
            op.execute(statement)


def _has_trigrams() -> bool:
    try:
        op.execute("CREATE VIRTUAL TABLE temp.trigram_trial USING fts5(x, tokenize='trigram case_sensitive 1')")
    except sa.exc.DBAPIError:  # a SQLite without FTS5, or older than 3.34
        return False
    op.execute("DROP TABLE temp.trigram_trial")
    return True


# An index of the texts that `job_lookup` holds; FTS5 keeps no copy of them (SQLite's manual, FTS5, 4.4.3).
_REMOVE = (
    "INSERT INTO job_texts (job_texts, rowid, folded_name, folded_description) "
    "VALUES ('delete', OLD.job_id, OLD.folded_name, OLD.folded_description);"
)
_ADD = (
    "INSERT INTO job_texts (rowid, folded_name, folded_description) "
    "VALUES (NEW.job_id, NEW.folded_name, NEW.folded_description);"
)
_TEXTS = (
    """
CREATE VIRTUAL TABLE job_texts USING fts5(
  folded_name, folded_description, content='job_lookup', content_rowid='job_id', tokenize='trigram case_sensitive 1'
)
""",
    "INSERT INTO job_texts (job_texts) VALUES ('rebuild')",
    f"CREATE TRIGGER job_lookup_added AFTER INSERT ON job_lookup FOR EACH ROW BEGIN {_ADD} END",
    f"CREATE TRIGGER job_lookup_removed AFTER DELETE ON job_lookup FOR EACH ROW BEGIN {_REMOVE} END",
)
