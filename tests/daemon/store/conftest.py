from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW

from oesd.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data", clock=lambda: NOW) as opened:
        yield opened
