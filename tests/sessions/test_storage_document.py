import re
from pathlib import Path

import pytest

from sessions.store import Store

DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "storage.md").read_text()
SECTIONS = {title: text for title, text in re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", DOCUMENT, re.S | re.M)}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """Columns of each table of ours, and the names of the views and search indexes."""
    with Store.open(tmp_path_factory.mktemp("schema") / "workbench.db") as store, store.reading() as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        virtual = {name for kind, name, sql in rows if sql and sql.startswith("CREATE VIRTUAL")}
        tables = {n for kind, n, _ in rows if kind == "table" and "sqlite" not in n and not any(n.startswith(v) for v in virtual)}
        columns = {table: {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables}
    return columns, virtual | {name for kind, name, _ in rows if kind == "view"}


def test_every_table_and_column_is_documented_and_no_other(schema):
    columns, _ = schema
    assert set(SECTIONS) == set(columns)
    for table, names in columns.items():
        rows = re.findall(r"^\| (`.*?) \|", SECTIONS[table], re.M)
        documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        assert sorted(documented) == sorted(names), table


def test_every_view_and_search_index_is_documented(schema):
    views = DOCUMENT.split("## Views")[1].split("\n## ")[0]
    assert {name for name in schema[1] if f"`{name}`" not in views} == set()


def test_the_queries_of_the_document_run(tmp_path):
    queries = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.S)
    statements = [s for block in queries for s in block.split(";") if s.strip()]
    assert len(statements) >= 2
    with Store.open(tmp_path / "workbench.db") as store, store.reading() as connection:
        for statement in statements:
            connection.execute(statement).fetchall()
