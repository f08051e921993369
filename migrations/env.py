"""Alembic's entry: the connection is handed over by `app.database.migrate`."""

from alembic import context

config = context.config
connection = config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=config.attributes.get("metadata"),
    include_name=lambda name, kind, parents: (
        kind != "table" or not (name or "").startswith("procrastinate_")
    ),
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
