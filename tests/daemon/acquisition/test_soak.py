"""An hour of the soak, twice: the same code that runs for a month by hand."""

from pathlib import Path

import pytest
from tests.bench.soak import Soak


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_with_faults_and_a_bad_clock_adds_up(tmp_path: Path, seed: int) -> None:
    told: list[str] = []
    soak = Soak(2, seed, "NIRQuest256", tmp_path / "data", day_s=1800, say=told.append)
    assert soak.run() == [], told
