"""Triggers with which the database itself refuses to change or delete audit events."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from digits.models import AuditEvent, AuditRemoval

REFUSED = "audit events are append-only"
# What is older than the one row of AuditRemoval says may go.
ON_SQLITE = (
    "DROP TRIGGER IF EXISTS audit_no_update",
    "DROP TRIGGER IF EXISTS audit_no_delete",
    """
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON {events}
    BEGIN SELECT RAISE(ABORT, '{refused}'); END
    """,
    """
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON {events}
    WHEN NOT EXISTS (SELECT 1 FROM {removal} WHERE OLD.created_at < until)
    BEGIN SELECT RAISE(ABORT, '{refused}'); END
    """,
)
ON_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION digits_audit_refuses() RETURNS trigger AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM {removal} WHERE OLD.created_at < until) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION '{refused}' USING ERRCODE = 'integrity_constraint_violation';
    END
    $$ LANGUAGE plpgsql
    """,
    "DROP TRIGGER IF EXISTS audit_is_append_only ON {events}",
    """
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON {events}
    FOR EACH ROW EXECUTE FUNCTION digits_audit_refuses()
    """,
)
STATEMENTS = {"sqlite": ON_SQLITE, "postgresql": ON_POSTGRESQL}


def guard(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the triggers anew. It follows each migration: SQLite drops those of a changed table."""
    connection = connections[using]
    names = {
        "events": AuditEvent._meta.db_table,
        "removal": AuditRemoval._meta.db_table,
        "refused": REFUSED,
    }
    if names["events"] not in connection.introspection.table_names():
        return  # migrated back to before it
    with transaction.atomic(using), connection.cursor() as cursor:
        for statement in STATEMENTS.get(connection.vendor, ()):
            cursor.execute(statement.format(**names))
