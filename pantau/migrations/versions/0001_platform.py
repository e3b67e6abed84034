"""The platform's tables: ledger, deliveries, readings, builds, checks, releases."""

from pathlib import Path

from alembic import op

# Its predecessors kept no hashes of rows, and knew no roles: their databases are refused (pantau/setup.py).
revision = "platform_3"
down_revision = None


def upgrade() -> None:
    """Create the schemas and tables. There is no way down: the ledger is not to be lost."""
    op.get_bind().connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text())
