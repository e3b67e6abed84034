"""Alembic's entry: the platform's tables, over the package's own connection."""

from alembic import context
from sqlalchemy import create_engine

from pantau.database import Role, sqlalchemy_url

engine = create_engine(sqlalchemy_url(Role.OWNER, "psycopg"))
with engine.connect() as connection:
    context.configure(connection=connection, version_table_schema="public")
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
