"""Conditional requests, the SQL as it ran, and what the audit pages read with."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the platform's tables. There is no way down: the ledger is not to be lost."""
    op.get_bind().connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text())
