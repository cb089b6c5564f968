"""Both databases have the same tables: names, columns and their order, what may be empty, what is unique."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.postgres import Cluster
from tests.support.stores import on_postgres

from oesd.store import Store, StoreDamaged, StoreError, StoreNewer, schema
from oesd.store.postgres.words import in_postgres, values_of

Columns = dict[str, list[tuple[str, str, bool, str | None]]]
_TYPES = {"bigint": "INTEGER", "bytea": "BLOB", "text": "TEXT", "double precision": "REAL"}


def _of_sqlite(path: Path) -> tuple[Columns, set[tuple[str, ...]]]:
    path.touch()
    schema.prepare(path)
    columns: Columns = {}
    unique = set()
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows = db.execute(f"PRAGMA table_info('{table}')").fetchall()
            columns[table] = [
                (name, kind, bool(needed or key), default) for _, name, kind, needed, default, key in rows
            ]
            for _, index, is_unique, *_ in db.execute(f"PRAGMA index_list('{table}')").fetchall():
                if is_unique:
                    unique.add((table, *sorted(row[2] for row in db.execute(f"PRAGMA index_info('{index}')"))))
            keys = tuple(sorted(row[1] for row in rows if row[5]))
            unique.add((table, *keys))
    return columns, {one for one in unique if len(one) > 1}


_COLUMNS = """
SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO', column_default::text,
       collation_name::text
FROM information_schema.columns WHERE table_schema = 'public' AND table_name != 'oesd_store'
ORDER BY table_name, ordinal_position
"""
_UNIQUE = """
SELECT i.indrelid::regclass::text, array_to_string(array(
    SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)), ',')
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND n.nspname = 'public'
"""


@on_postgres
def test_the_tables_are_the_same(tmp_path: Path, server: Cluster) -> None:
    columns, unique = _of_sqlite(tmp_path / "a.sqlite")
    found: Columns = {}
    collations = set()
    with Store.open(tmp_path / "data", server.create("same")) as store:
        for table, name, kind, needed, default, collation in store.read(lambda db: db.execute(_COLUMNS).fetchall()):
            plain = None if default is None else default.partition("::")[0]
            found.setdefault(table, []).append((name, _TYPES[kind], needed, plain))
            collations.add(collation)
        rows = store.read(lambda db: db.execute(_UNIQUE).fetchall())
    assert found == columns
    assert collations == {None, "C"}, "texts are in the order of their bytes"
    assert {(table, *sorted(names.split(","))) for table, names in rows} == unique


@on_postgres
def test_an_empty_database_of_step_four_comes_to_the_newest(tmp_path: Path, server: Cluster) -> None:
    from oesd.store.postgres import schema as steps
    from oesd.store.postgres.address import Address
    from oesd.store.postgres.session import Sessions

    assert max(steps.STEPS) == len(schema.STEPS), "a step of the one is a step of the other"
    url = server.create("stepped")
    with closing(Sessions(Address(url)).open_writer()) as session:
        session.execute(steps.STEPS[4].encode())
        session.execute("UPDATE oesd_store SET version = 4")
    with Store.open(tmp_path / "data", url) as store:
        assert store.tally().stored == 0
        assert store.read(lambda db: db.execute("SELECT version FROM oesd_store").fetchone()) == (len(schema.STEPS),)


@on_postgres
def test_a_newer_schema_and_tables_of_others_are_refused_untouched(tmp_path: Path, server: Cluster) -> None:
    from oesd.store.postgres.address import Address
    from oesd.store.postgres.session import Sessions

    newer, others = server.create("newer"), server.create("others")
    for url, sql in (
        (newer, "CREATE TABLE oesd_store AS SELECT 99 AS version"),
        (others, "CREATE TABLE guests (n int)"),
    ):
        with closing(Sessions(Address(url)).open_writer()) as session:
            session.execute(sql.encode())
    with pytest.raises(StoreNewer, match=r"newer oesd \(schema 99"):
        Store.open(tmp_path / "a", newer)
    with pytest.raises(StoreDamaged, match="tables of another program: give oesd a database of its own"):
        Store.open(tmp_path / "b", others)
    for url, table in ((newer, "oesd_store"), (others, "guests")):
        with closing(Sessions(Address(url)).open_reader()) as session:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            assert session.execute(query.encode()).fetchall() == [(table,)]
    assert not (tmp_path / "a" / "oesd.url").exists(), "a directory names only what is a store"


@pytest.mark.parametrize(
    ("sql", "words", "names"),
    [
        ("SELECT a FROM b WHERE c = ? AND d = ?", "SELECT a FROM b WHERE c = $1 AND d = $2", ()),
        ("SET a = ?2, b = ?1, c = ?2", "SET a = $2, b = $1, c = $2", ()),
        ("a = :one AND b = :two AND c = :one", "a = $1 AND b = $2 AND c = $1", ("one", "two")),
        ("x = '?:one''?' AND y::text = ?", "x = '?:one''?' AND y::text = $1", ()),
        ("FROM outbox o INDEXED BY outbox_fresh JOIN e", "FROM outbox o JOIN e", ()),
        ("BEGIN IMMEDIATE", "BEGIN", ()),
    ],
)
def test_sql_is_said_in_the_words_of_postgres(sql: str, words: str, names: tuple[str, ...]) -> None:
    assert in_postgres(sql) == (words, names)


def test_values_stand_in_the_order_of_their_numbers() -> None:
    assert values_of(("b", "a"), {"a": 1, "b": 2, "c": 3}) == [2, 1]
    assert values_of((), (1, 2)) == (1, 2)


def test_a_url_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    for url in ("mysql://me:canary@db/oesd", "canary", "postgresql:canary", "postgresql://[canary"):
        with pytest.raises(StoreError, match="such as") as told:
            Store.open(tmp_path / "data", url)
        assert "canary" not in str(told.value)
