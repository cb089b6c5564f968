from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW
from tests.support.postgres import Cluster
from tests.support.stores import cluster, open_store

from oesd.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data", clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def server() -> Cluster:
    """The PostgreSQL server of this run."""
    return cluster()
