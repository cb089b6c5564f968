"""A fault server and a bench in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench


@pytest.fixture(scope="session")
def running() -> Iterator[FaultServer]:
    with FaultServer() as made:
        yield made


@pytest.fixture
def server(running: FaultServer) -> Iterator[FaultServer]:
    running.reset()
    yield running
    running.reset()


@pytest.fixture
def bench(tmp_path: Path, server: FaultServer) -> Iterator[Bench]:
    made = Bench(tmp_path / "data", server)
    yield made
    made.close()
