"""The platform's tables: ledger, deliveries, readings, builds, checks, releases."""

from pathlib import Path

from alembic import op

revision = (
    "platform_2"  # its predecessors kept no hashes of rows: their databases are refused (pantau/setup.py)
)
down_revision = None


def upgrade() -> None:
    """Create the schemas and tables. There is no way down: the ledger is not to be lost."""
    op.get_bind().connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text())
