"""The store's tests on either database: ``OESD_TEST_STORE=postgresql`` puts PostgreSQL in the place of SQLite.

A directory's tables are then in a database of its own, on one server for the whole run; whoever opens the directory
again finds them.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.postgres import Cluster, programs

from oesd.store import Store

ON_POSTGRES = os.environ.get("OESD_TEST_STORE", "") == "postgresql"

on_sqlite = pytest.mark.skipif(ON_POSTGRES, reason="of SQLite alone: its file, its pages, its log")
"""For tests of what PostgreSQL has in its own keeping, or has not."""
on_postgres = pytest.mark.skipif(programs() is None, reason="no PostgreSQL server is installed")
"""For tests of PostgreSQL itself."""

_TEMPLATE = "prepared"


@cache
def cluster() -> Cluster:
    """The server of this run, started when it is first needed."""
    made = Cluster()
    atexit.register(made.remove)
    with Store.open(made.directory / "away" / "data", made.create(_TEMPLATE)):
        pass  # its schema is what every other database begins with
    return made


_made: set[str] = set()


def _name_of(directory: Path) -> str:
    return "of_" + hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:16]


def database_of(directory: Path, template: str = _TEMPLATE) -> str:
    """URL of the database of a directory, made when it is new."""
    name = _name_of(directory)
    if name not in _made:
        _made.add(name)
        return cluster().create(name, template)
    return cluster().url(name)


def copy_store(source: Path, target: Path) -> None:
    """Copy a directory whose store is closed, with the tables that belong to it."""
    shutil.copytree(source, target)
    if ON_POSTGRES:
        (target / "oesd.url").write_text(database_of(target, _name_of(source)))


def open_store(directory: Path, **options: Any) -> Store:
    """Open the store of a directory, in the database that this run is about."""
    return Store.open(directory, database_of(directory) if ON_POSTGRES else "", **options)


def rot(directory: Path, statement: str) -> None:
    """Change a row behind the store's back; its triggers are out of the way only here."""
    if (directory / "oesd.url").exists():
        with psycopg.connect(database_of(directory)) as session:
            session.execute("SET session_replication_role = replica")
            session.execute(re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement).encode())
        return
    with closing(sqlite3.connect(directory / "oesd.sqlite")) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
        db.commit()
