"""Processes of the release before go on to work while the schema is that of this one."""

import json

import pytest
from django_migration_linter.sql_analyser import PostgresqlAnalyser
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

from tests.postgres import MISSING, Postgres, has_postgresql
from tests.site import ROOT, run_manage

pytestmark = pytest.mark.skipif(not has_postgresql(), reason=MISSING)
LAST_OF_RELEASE = "0011_lines_and_leases"  # of 0.2.0
# What the linter calls an error, and why it is none. All else is to be mended: a new column has a
# default of the database's, or is NULL; what is not used any more goes a release later.
HARMLESS = {
    ("0021_trust_in_corrections", "ADD_UNIQUE"): "of tables and columns that are new with it",
    ("0026_cautions", "ALTER_COLUMN"): "readings become longer: what fitted does still",
}
CODE = """
import json
from django.db import connection
from django.db.migrations.loader import MigrationLoader
loader = MigrationLoader(connection)
own = sorted(key for key in loader.disk_migrations if key[0] == "digits")
found = {}
for key in own:
    node = loader.graph.nodes[key]
    with connection.schema_editor(collect_sql=True, atomic=node.atomic) as editor:
        state = loader.project_state(key, at_end=False)
        node.apply(state, editor, collect_sql=True)
    found[key[1]] = editor.collected_sql
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def statements(tmp_path_factory) -> dict[str, list[str]]:
    """The statements of each migration, as PostgreSQL gets them."""
    with Postgres() as server:
        settings = {"DATABASE_URL": server.url, "DATA_DIR": tmp_path_factory.mktemp("lint")}
        done = run_manage(["shell", "-c", CODE], settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def errors_of(sql: list[str]) -> list[dict]:
    errors, _, _ = analyse_sql_statements(PostgresqlAnalyser, [one for one in sql if one.strip()])
    return errors


def test_migrations_since_the_release_leave_processes_of_it_at_work(statements):
    files = sorted(path.stem for path in (ROOT / "digits" / "migrations").glob("0*.py"))
    assert sorted(statements) == files
    found = {
        (name, error.code): error.message
        for name, sql in statements.items()
        if name > LAST_OF_RELEASE
        for error in errors_of(sql)
    }
    assert found.keys() == HARMLESS.keys(), found


@pytest.mark.parametrize(
    "statement",
    [
        'ALTER TABLE "digits_upload" ADD COLUMN "new" integer NOT NULL',
        'ALTER TABLE "digits_upload" DROP COLUMN "name"',
        'ALTER TABLE "digits_upload" RENAME COLUMN "name" TO "title"',
        'DROP TABLE "digits_upload"',
    ],
)
def test_what_would_stop_them_is_found(statement):
    assert errors_of([statement])
